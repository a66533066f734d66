"""The forms about a user: what was submitted, compared with what the form had shown."""

from collections.abc import Collection, Mapping
from typing import Any

import orjson
from flask import request
from marshmallow import Schema, ValidationError
from werkzeug.datastructures import MultiDict

from userapi.core import i18n
from userapi.core.problems import ValidationFailed
from userapi.html import profile_inputs
from userapi.html.forms import Form
from userapi.html.profile_inputs import CHECKBOXES, PREFIX, ProfileInput
from userapi.users import password_policy, profile_edits
from userapi.users.declaration import get_declaration
from userapi.users.field_definition import Field, Kind
from userapi.users.fields import TEXT_INPUTS, WRITABLE_FLAGS
from userapi.users.models import User
from userapi.users.permissions import Actor

from .views import selected_ids

#: The parts of the form of a user, named like their templates, and the views that show them.
PROFILE = "profile"
ACCESS = "access"
PAGES = {PROFILE: "show", ACCESS: "show_access"}

#: The fields of the part ACCESS; all others are in PROFILE.
ACCESS_FIELDS = (*WRITABLE_FLAGS, "groups", "permissions")


def new_user_form(sent: MultiDict[str, str]) -> Form:
    """The form of a new user, filled in."""
    return Form({name: sent.get(name, "") for name in ("email", "language")})


def read_new_user(schema: Schema, values: Mapping[str, str]) -> tuple[dict[str, Any], str]:
    """The fields of a new user, and the password.

    Args:
        schema: of the fields.
        values: of the form.

    Raises:
        ValidationFailed: with messages for every field that is wrong.
    """
    errors: dict[str, Any] = {}
    fields: dict[str, Any] = {}
    password = ""
    try:
        fields = schema.load({"email": values["email"], "language": values["language"] or i18n.get_default_language()})
    except ValidationError as error:
        errors |= error.normalized_messages()
    try:
        password = read_new_password()
        if weak := password_policy.reasons(password, [values["email"]]):
            errors["password1"] = weak
    except ValidationFailed as failed:
        errors |= failed.errors or {}
    if errors:
        raise ValidationFailed(errors=errors)
    return fields, password


def read_new_password() -> str:
    """The new password in the submitted form.

    Raises:
        ValidationFailed: the two passwords differ.
    """
    first, second = request.form.get("password1", ""), request.form.get("password2", "")
    password_policy.require_same(first, second, fields=("password1", "password2"))
    return first


class UserForm(Form):
    """A part of the form of a user: the stored values, with the changes that were made in the form.

    A field that was not changed in the form never overwrites what someone else has changed in the meantime.

    Args:
        user: as the current transaction sees it.
        part: PROFILE or ACCESS, which are pages of their own.
        by: the caller.
        sent: the submitted form; None when the page is only shown.
        may_set: the fields that the caller may set.
    """

    def __init__(
        self,
        user: User,
        part: str,
        by: Actor,
        sent: MultiDict[str, str] | None = None,
        may_set: Collection[str] = frozenset(),
    ) -> None:
        self.part = part
        self.page = PAGES[part]
        self.profile_fields = profile_edits.list_visible(user.id, by)
        self.writable = profile_edits.list_writable(user.id, by, has_profile=user.profile is not None)
        self.profile = {field.name: _value_of(user, field.name) for field in self.profile_fields}
        self.stored = self._stored_values(user)
        super().__init__(dict(self.stored))
        self.user_id = user.id
        self.has_profile = user.profile is not None
        self.may_set = may_set
        self.seen = orjson.dumps(self.stored).decode()
        self.is_stale = False
        if sent is not None:
            seen = _seen(sent.get("seen", ""))
            self.values |= {name: value for name, value in self._sent(sent, seen).items() if value != seen.get(name)}
            changed_meanwhile = any(seen.get(name) != self.stored[name] for name in self.stored if self._shows(name))
            self.is_stale = changed_meanwhile and bool(self.differing)

    def _shows(self, name: str) -> bool:
        """Whether a field is in this part of the form."""
        return (name in ACCESS_FIELDS) == (self.part == ACCESS)

    @property
    def status(self) -> int:
        """409 if someone else has changed the user since the form was opened."""
        return 409 if self.is_stale else super().status

    @property
    def differing(self) -> list[str]:
        """The fields whose submitted and stored values differ."""
        return [name for name in self.stored if self.values[name] != self.stored[name]]

    @property
    def changes_memberships(self) -> bool:
        """Whether groups or permissions are to change."""
        return bool({"groups", "permissions"} & set(self.differing))

    def changes(self) -> dict[str, Any]:
        """The fields to change, nested as in the API."""
        changes = {name: self.values[name] for name in self.differing if name in (*TEXT_INPUTS, *WRITABLE_FLAGS)}
        if "language" in changes:
            changes["language"] = changes["language"] or None
        profile = {
            field.name: profile_inputs.to_api(field, self.values[PREFIX + field.name], self.profile[field.name])
            for field in self.profile_fields
            if field.name in self.writable
        }
        if self.has_profile:
            profile = {name: value for name, value in profile.items() if PREFIX + name in self.differing}
        if any(profile.values()) or (self.has_profile and profile):
            changes["profile"] = profile
        return changes

    def selected_permissions(self, user: User) -> tuple[set[int], set[int]]:
        """The IDs of the groups and of the permissions that the user gets.

        Args:
            user: after the other changes, which may have added or removed a group.
        """
        return self._merge_selection("groups", user.groups), self._merge_selection("permissions", user.permissions)

    def _merge_selection(self, name: str, held: Collection[Any]) -> set[int]:
        before, after = set(self.stored[name]), set(self.values[name])
        return ({each.id for each in held} | (after - before)) - (before - after)

    def list_profile_inputs(self, *, may_edit: bool) -> list[ProfileInput] | None:
        """The inputs for the profile; None for the built-in fields, which have their own places on the page.

        Args:
            may_edit: whether the caller may change the profile at all.
        """
        if get_declaration().is_default:
            return None
        writable = self.writable if may_edit else frozenset()
        return profile_inputs.list_inputs(self.profile_fields, self.profile, self, writable)

    def _stored_values(self, user: User) -> dict[str, Any]:
        """The stored values that the form shows."""
        values: dict[str, Any] = {name: getattr(user, name) or "" for name in TEXT_INPUTS}
        values |= {name: getattr(user, name) for name in WRITABLE_FLAGS}
        values |= {
            PREFIX + field.name: profile_inputs.to_input(field, self.profile[field.name])
            for field in self.profile_fields
        }
        values["groups"] = sorted(group.id for group in user.groups)
        values["permissions"] = sorted(permission.id for permission in user.permissions)
        return values

    def _sent(self, sent: MultiDict[str, str], seen: Mapping[str, Any]) -> dict[str, Any]:
        values: dict[str, Any] = {name: sent[name] for name in TEXT_INPUTS if name in sent}
        boxes = sent.get(CHECKBOXES, "").split()
        for field in self.profile_fields:
            name = PREFIX + field.name
            if field.name in self.writable and (name in sent or name in boxes):
                values[name] = _sent_value(field, sent.getlist(name), seen.get(name))
        if self.part == ACCESS:
            values |= {name: name in sent for name in WRITABLE_FLAGS if name in self.may_set}
            values |= {"groups": selected_ids("groups", sent), "permissions": selected_ids("permissions", sent)}
        return values


def _value_of(user: User, name: str) -> Any:
    return None if user.profile is None else user.profile.value_of(name)


def _sent_value(field: Field, texts: list[str], seen: Any) -> Any:
    """What a form sent of a field of the profile, as `profile_inputs.to_input` has it."""
    if field.kind is Kind.CHOICES:
        return texts
    if texts:
        return texts[0].replace("\r\n", "\n")
    return "false" if seen else ""  # a checkbox that is not checked; one that was never set stays so


def _seen(text: str) -> dict[str, Any]:
    """The values that the form had shown."""
    try:
        seen = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}
    return seen if isinstance(seen, dict) else {}
