"""The forms about a user: what was submitted, compared with what the form had shown."""

from collections.abc import Collection, Mapping
from typing import Any

import orjson
from flask import request
from flask_babel import gettext as _
from marshmallow import Schema, ValidationError
from werkzeug.datastructures import MultiDict

from userapi.core import i18n
from userapi.core.problems import ValidationFailed
from userapi.html.forms import Form
from userapi.users import password_policy
from userapi.users.fields import PROFILE_FIELD_NAMES, PROFILE_INPUTS, TEXT_INPUTS, WRITABLE_FLAGS
from userapi.users.models import User

from .views import selected_ids

#: How a user whom staff add gets a password.
INVITE = "invite"
SET_PASSWORD = "password"  # noqa: S105 - the name of a choice

#: The parts of the form of a user, named like their templates, and the views that show them.
PROFILE = "profile"
ACCESS = "access"
PAGES = {PROFILE: "show", ACCESS: "show_access"}

#: The fields of the part ACCESS; all others are in PROFILE.
ACCESS_FIELDS = (*WRITABLE_FLAGS, "groups", "permissions")


def new_user_form(sent: MultiDict[str, str]) -> Form:
    """The form of a new user, filled in."""
    access = {"access": sent["access"]} if "access" in sent else {}
    return Form({name: sent.get(name, "") for name in ("email", "language")} | access)


def read_new_user(schema: Schema, values: Mapping[str, str]) -> tuple[dict[str, Any], str | None]:
    """The fields of a new user, and the password; None if the user is to be invited.

    Args:
        schema: of the fields.
        values: of the form.

    Raises:
        ValidationFailed: with messages for every field that is wrong.
    """
    errors: dict[str, Any] = {}
    fields: dict[str, Any] = {}
    password = None
    try:
        fields = schema.load({"email": values["email"], "language": values["language"] or i18n.get_default_language()})
    except ValidationError as error:
        errors |= error.normalized_messages()
    try:
        password = read_password(values.get("access", ""))
    except ValidationFailed as failed:
        errors |= failed.errors or {}
    if password is not None and (weak := password_policy.reasons(password, [values["email"]])):
        errors["password1"] = weak
    if errors:
        raise ValidationFailed(errors=errors)
    return fields, password


def read_password(access: str) -> str | None:
    """The password in the form of a new user; None if the user is to be invited.

    Raises:
        ValidationFailed: nothing was chosen, a password was entered for an invitation, or the two passwords differ.
    """
    if access not in (INVITE, SET_PASSWORD):
        raise ValidationFailed(errors={"access": [_("Choose how the user gets a password.")]})
    if access == SET_PASSWORD:
        return read_new_password()
    if request.form.get("password1") or request.form.get("password2"):
        message = _("You entered a password but chose to send an invitation. Choose “Set a password” to use it.")
        raise ValidationFailed(errors={"password1": [message]})
    return None


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
        sent: the submitted form; None when the page is only shown.
        may_set: the fields that the caller may set.
    """

    def __init__(
        self, user: User, part: str, sent: MultiDict[str, str] | None = None, may_set: Collection[str] = frozenset()
    ) -> None:
        self.part = part
        self.page = PAGES[part]
        self.stored = stored_values(user)
        super().__init__(dict(self.stored))
        self.user_id = user.id
        self.has_profile = user.profile is not None
        self.may_set = may_set
        self.seen = orjson.dumps(self.stored).decode()
        self.is_stale = False
        if sent is not None:
            seen = _seen(sent.get("seen", ""))
            self.values |= {name: value for name, value in self._sent(sent).items() if value != seen.get(name)}
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

    def changes(self) -> dict[str, Any]:
        """The fields to change, nested as in the API."""
        changes = {name: self.values[name] for name in self.differing if name in (*TEXT_INPUTS, *WRITABLE_FLAGS)}
        if "language" in changes:
            changes["language"] = changes["language"] or None
        profile = {name: self.values[f"profile.{name}"] for name in PROFILE_FIELD_NAMES}
        if self.has_profile:
            profile = {name: value for name, value in profile.items() if f"profile.{name}" in self.differing}
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

    def _sent(self, sent: MultiDict[str, str]) -> dict[str, Any]:
        values: dict[str, Any] = {name: sent[name] for name in (*TEXT_INPUTS, *PROFILE_INPUTS) if name in sent}
        if self.part == ACCESS:
            values |= {name: name in sent for name in WRITABLE_FLAGS if name in self.may_set}
            values |= {"groups": selected_ids("groups", sent), "permissions": selected_ids("permissions", sent)}
        return values


def stored_values(user: User) -> dict[str, Any]:
    """The stored values that the form shows."""
    values: dict[str, Any] = {name: getattr(user, name) or "" for name in TEXT_INPUTS}
    values |= {name: getattr(user, name) for name in WRITABLE_FLAGS}
    values |= {f"profile.{name}": _as_text(getattr(user.profile, name, None)) for name in PROFILE_FIELD_NAMES}
    values["groups"] = sorted(group.id for group in user.groups)
    values["permissions"] = sorted(permission.id for permission in user.permissions)
    return values


def _as_text(value: Any) -> str:
    return "" if value is None else str(value)


def _seen(text: str) -> dict[str, Any]:
    """The values that the form had shown."""
    try:
        seen = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}
    return seen if isinstance(seen, dict) else {}
