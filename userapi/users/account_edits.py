"""What may be changed of a user, by whom, and the change itself."""

from collections.abc import Mapping
from typing import Any

from flask import current_app
from flask_babel import gettext as _

from userapi.audit import audit_log
from userapi.core.problems import ValidationFailed
from userapi.mail import emails

from . import accounts, current_password, email_verification, groups, queries
from .fields import AUDITED_FIELDS, PROFILE, PROFILE_FIELDS, USER_FIELDS, Writer, to_columns
from .models import User, UserProfile
from .permissions import Actor
from .problems import ReadOnlyField

#: Changes with rules of their own; the others are written as they are.
WITH_OWN_RULES = ("email", "profile", "is_active", "is_staff", "is_superuser")


def editable_fields(user: User, by: Actor) -> frozenset[str]:
    """The fields of a user that an actor may change."""
    writers = {Writer.OWNER}
    if by.is_staff and (by.is_superuser or by.id != user.id):
        writers.add(Writer.STAFF)
    if by.is_superuser:
        writers.add(Writer.SUPERUSER)
    return frozenset(field.name for field in USER_FIELDS if field.writer in writers)


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
        ReadOnlyField, InvalidEmail, EmailTaken, LastSuperuser, ValidationFailed: nothing is written then.
        WrongPassword: the event must be committed by the caller.
        TooManyRequests: too many wrong passwords, or too many changes of email.
    """
    denied = sorted(set(changes) - editable_fields(user, by))
    if denied:
        raise ReadOnlyField(errors={name: [_("You cannot change this field.")] for name in denied})
    by_owner = by.id == user.id
    if by_owner and changes.get("email", user.email) != user.email:
        current_password.require_current_password(user, password, password_field)
    before = _audited_values(user)
    columns = to_columns({name: value for name, value in changes.items() if name not in WITH_OWN_RULES})
    for name, value in columns.items():
        setattr(user, name, value)
    if "profile" in changes:
        _edit_profile(user, changes["profile"])
    if "email" in changes:
        _edit_email(user, changes["email"], by_owner=by_owner)
    _edit_flags(user, changes)
    after = _audited_values(user)
    changed = {name: (before.get(name), value) for name, value in after.items() if before.get(name) != value}
    if changed:
        audit_log.record("user.changed", "user", user.id, changed)
    queries.flush()


def _audited_values(user: User) -> dict[str, Any]:
    """The fields that `user.changed` events list.

    SQLAlchemy's attribute history cannot tell them apart from what was there before the edit: it begins again with
    each flush, and a change of email flushes.
    """
    values = {name: getattr(user, name) for name in AUDITED_FIELDS}
    if user.profile is not None:
        values |= {f"profile.{name}": getattr(user.profile, name) for name in PROFILE}
    return values


def _edit_profile(user: User, values: Mapping[str, Any] | None) -> None:
    if values is None:
        if user.profile is not None:
            raise ValidationFailed(errors={"profile": [_("A profile cannot be removed.")]})
        return
    if user.profile is not None:
        for name, value in values.items():
            setattr(user.profile, name, value)
    elif values:
        missing = [field.name for field in PROFILE_FIELDS if field.is_required and field.name not in values]
        if missing:
            needed = _("Missing data for required field: this user has no profile yet.")
            raise ValidationFailed(errors={"profile": {name: [needed] for name in missing}})
        user.profile = UserProfile(**values)


def _edit_email(user: User, email: str, *, by_owner: bool) -> None:
    if email == user.email:
        return
    if by_owner and current_app.config["EMAIL_VERIFICATION"] != "none":
        email_verification.request_email_change(user, email)
    else:
        email_verification.replace_email(user, email, by_owner=by_owner)
        email_verification.send_verification_email(user)


def _edit_flags(user: User, changes: Mapping[str, Any]) -> None:
    if user.is_superuser and changes.get("is_superuser") is False:
        accounts.require_other_superuser(user)
    granted = [name for name in ("is_staff", "is_superuser") if changes.get(name) and not getattr(user, name)]
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
