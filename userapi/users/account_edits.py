"""What may be changed of a user, by whom, and the change itself."""

from collections.abc import Mapping
from typing import Any

from flask import current_app
from flask_babel import gettext as _

from userapi.audit import audit_log
from userapi.core import hooks
from userapi.core.context import get_acting_context
from userapi.core.problems import NotForApiKeys, ReadOnlySession
from userapi.mail import emails

from . import (
    account_kinds,
    accounts,
    act_rules,
    compared_writes,
    current_password,
    email_verification,
    field_keys,
    groups,
    permissions,
    profile_edits,
    proof_check,
    queries,
)
from .declaration import get_declaration
from .field_definition import Writer
from .fields import AUDITED_FIELDS, PROFILE, USER_FIELDS, to_columns
from .models import User
from .permissions import Actor
from .problems import ReadOnlyField
from .user_values import Editable, UserValues

#: Changes with rules of their own; the others are written as they are.
WITH_OWN_RULES = ("email", "profile", "is_active", "is_staff", "is_superuser")

#: Of those, the ones that need an entity of the ORM if they change something.
WITH_ENTITY = ("email", "is_active", "is_staff", "is_superuser")

#: What gives an account or permissions to someone, or takes them away.
SENSITIVE = ("email", "is_active", "is_staff", "is_superuser")

#: What neither API keys nor staff who act as the user change: who can sign in, and what the permissions are.
CLOSED_TO_KEYS = ("email", "is_staff", "is_superuser")


def editable_fields(user: Editable, by: Actor) -> frozenset[str]:
    """The fields of a user that an actor may change."""
    writers = {Writer.OWNER}
    if permissions.acts_as_staff(by, user.id):
        writers.add(Writer.STAFF)
    if by.is_superuser:
        writers.add(Writer.SUPERUSER)
    return frozenset(field.name for field in USER_FIELDS if field.writer in writers)


def is_sensitive(user: Editable, changes: Mapping[str, Any], by: Actor) -> bool:
    """Whether changes of a user require a recent proof of identity (decision 0061).

    A change of the actor's own email is none of them: it requires the password, or a proof.
    """
    return any(
        changes[name] != getattr(user, name)
        for name in SENSITIVE
        if name in changes and not (name == "email" and by.id == user.id)
    )


def is_plain(user: Editable, changes: Mapping[str, Any]) -> bool:
    """Whether an edit changes nothing but values of fields, so that `edit_values` is sufficient.

    A first profile, an email, flags and the rules of extensions need an entity of the ORM.
    """
    return (
        not hooks.has_rules("user.edit")
        and ("profile" not in changes or user.profile is not None)
        and all(changes[name] == getattr(user, name) for name in WITH_ENTITY if name in changes)
    )


def edit_values(user: UserValues, changes: Mapping[str, Any], by: Actor) -> None:
    """Change what an actor may change, in an edit that `is_plain`; as `edit`, but without an entity of the ORM.

    Args:
        user: locked, or read by this request if `compared_writes.are_possible`; the edit then commits by itself.
        changes: as above.
        by: who acts.

    Raises:
        ReadOnlyField, FieldTaken, ValidationFailed: the caller rolls back.
        NotForServiceAccounts: a profile for a service account.
        compared_writes.NotWritten: the user was not locked, and the edit must be repeated with a locked one.
    """
    _require_editable(user, changes, by)
    before = _audited_values(user)
    _change_values(user, changes, by)
    if user.is_locked:
        user.write()  # first, for the subscribers to the event
        _record_changes(user, before)
    elif changed := _list_changed(user, before):
        compared_writes.write(user, _list_columns(changes), _without_sensitive(changed))


def edit(
    user: User,
    changes: Mapping[str, Any],
    by: Actor,
    *,
    password: str | None = None,
    password_field: str = "current_password",  # noqa: S107 - the name of a field
) -> None:
    """Change what an actor may change.

    A new email set by another actor replaces the old one immediately. The owner must give the current password, and
    the new email waits as `pending_email` until it is confirmed, unless the service confirms none.

    Args:
        user: locked.
        changes: fields and their new values; `profile` is a mapping of its own fields.
        by: who acts.
        password: the current password, if the owner typed it.
        password_field: the field that an error about it names.

    Raises:
        ReadOnlyField, InvalidEmail, EmailTaken, FieldTaken, LastSuperuser, ValidationFailed: nothing is written then.
        WrongPassword: the event must be committed by the caller.
        TooManyRequests: too many wrong passwords, or too many changes of email.
        NotForApiKeys: the request was made with an API key, and this is not open to keys.
        ReadOnlySession: a member of staff acts as the user, and this is open to the user only.
        ProofNeeded: a sensitive change by a caller whose second step is on, without a recent proof.
        NotForServiceAccounts: a new email, a profile or every permission for a service account.
        hooks.Denied: an extension does not allow it.
    """
    _require_editable(user, changes, by)
    _require_open_to_caller(user, changes)
    if is_sensitive(user, changes, by):
        proof_check.require_recent_proof()
    by_owner = by.id == user.id
    if by_owner and changes.get("email", user.email) != user.email:
        current_password.require_current_password(user, password, password_field)
    before = _audited_values(user)
    _change_values(user, changes, by)
    if "email" in changes:
        _edit_email(user, changes["email"], by_owner=by_owner)
    _edit_flags(user, changes)
    act_rules.run("user.edit", user, changes, by, may_change=True)
    queries.flush()  # first, for the subscribers to the event
    _record_changes(user, before)


def _require_editable(user: Editable, changes: Mapping[str, Any], by: Actor) -> None:
    denied = sorted(set(changes) - editable_fields(user, by))
    if denied:
        raise ReadOnlyField(errors={name: [_("You cannot change this field.")] for name in denied})


def _change_values(user: Editable, changes: Mapping[str, Any], by: Actor) -> None:
    """Set the fields that have no rules of their own, and the profile."""
    columns = to_columns({name: value for name, value in changes.items() if name not in WITH_OWN_RULES})
    for name, value in columns.items():
        setattr(user, name, value)
    if "profile" in changes:
        account_kinds.require_person(user)
        profile_edits.edit_profile(user, changes["profile"], by)


def _list_columns(changes: Mapping[str, Any]) -> set[str]:
    """The columns with the values of fields, without search keys."""
    in_profile = {name if name in PROFILE else "extra" for name in changes.get("profile") or ()}
    return {name for name in changes if name != "profile"} | in_profile


def _record_changes(user: Editable, before: Mapping[str, Any]) -> None:
    """Write the event of what has changed, and the search keys of its own fields."""
    changed = _list_changed(user, before)
    if changed:
        audit_log.record("user.changed", "user", user.id, _without_sensitive(changed))
    in_profile = {name.removeprefix("profile."): new for name, (_old, new) in changed.items() if "." in name}
    field_keys.write_keys(user.id, in_profile)


def _require_open_to_caller(user: User, changes: Mapping[str, Any]) -> None:
    acting = get_acting_context()
    if acting.key_id is None and acting.impersonator_id is None:
        return
    denied = [name for name in CLOSED_TO_KEYS if name in changes and changes[name] != getattr(user, name)]
    if denied and acting.impersonator_id is not None:
        raise ReadOnlySession(errors={name: [ReadOnlySession.detail_with_writes] for name in denied})
    if denied:
        raise NotForApiKeys(errors={name: [_("An API key cannot change this field.")] for name in denied})


def set_active(user: User, is_active: bool, *, by: Actor | None = None) -> None:
    """Activate or deactivate a locked user, on behalf of staff or the command line.

    Raises:
        LastSuperuser: no active superuser would be left.
        hooks.Denied: an extension does not allow it.
    """
    if user.is_active == is_active:
        return
    if is_active:
        accounts.activate(user)
    else:
        accounts.deactivate(user)
    act_rules.run("user.edit", user, {"is_active": is_active}, by)


def _list_changed(user: Editable, before: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    after = _audited_values(user)
    return {name: (before.get(name), value) for name, value in after.items() if before.get(name) != value}


def _audited_values(user: Editable) -> dict[str, Any]:
    """The fields that `user.changed` events list.

    SQLAlchemy's attribute history cannot tell them apart from what was there before the edit: it begins again with
    each flush, and a change of email flushes.
    """
    values = {name: getattr(user, name) for name in AUDITED_FIELDS}
    if user.profile is not None:
        values |= {f"profile.{name}": user.profile.value_of(name) for name in get_declaration().names}
    return values


def _without_sensitive(changed: Mapping[str, tuple[Any, Any]]) -> dict[str, tuple[Any, Any]]:
    """The changes, without the values of sensitive fields of profiles."""
    sensitive = {f"profile.{field.name}" for field in get_declaration().fields if field.is_sensitive}
    withheld = (audit_log.WITHHELD, audit_log.WITHHELD)
    return {name: withheld if name in sensitive else values for name, values in changed.items()}


def _edit_email(user: User, email: str, *, by_owner: bool) -> None:
    if email == user.email:
        return
    account_kinds.require_person(user)
    if by_owner and current_app.config["EMAIL_VERIFICATION"] != "none":
        email_verification.request_email_change(user, email)
    else:
        email_verification.replace_email(user, email, by_owner=by_owner)
        email_verification.send_verification_email(user)


def _edit_flags(user: User, changes: Mapping[str, Any]) -> None:
    if user.is_superuser and changes.get("is_superuser") is False:
        accounts.require_other_superuser(user)
    granted = [name for name in ("is_staff", "is_superuser") if changes.get(name) and not getattr(user, name)]
    if "is_superuser" in granted:
        account_kinds.require_person(user)
    if changes.get("is_staff", user.is_staff) != user.is_staff:
        groups.update_staff_group(user, joins="is_staff" in granted)
    for name in ("is_staff", "is_superuser"):
        if name in changes:
            setattr(user, name, changes[name])
    if granted:
        emails.send_permissions_granted(user, rights=granted)
    if "is_active" in changes:
        if changes["is_active"]:
            accounts.activate(user)
        else:
            accounts.deactivate(user)
