"""Accounts: register, lock, activate, deactivate, delete, and set a password; edits are in `account_edits`."""

from collections.abc import Mapping
from typing import Any

from flask_babel import gettext as _

from userapi.audit import audit_log
from userapi.core import clock, i18n
from userapi.core.context import get_acting_context
from userapi.core.db import db
from userapi.core.problems import NotFound
from userapi.mail import emails
from userapi.mail import queries as mail_queries
from userapi.security import throttling
from userapi.security.password_hashing import hash_password

from . import (
    email_address,
    email_links,
    email_verification,
    group_queries,
    password_policy,
    permissions,
    queries,
)
from .fields import PERSONAL_FIELDS, to_columns
from .models import User, UserProfile
from .permissions import Actor as Actor
from .problems import LastSuperuser


def create(
    email: str,
    password: str | None,
    profile: Mapping[str, Any] | None = None,
    *,
    email_verified: bool = False,
    joins_staff_group: bool = True,
    **values: Any,
) -> User:
    """Create an account.

    Args:
        email: as typed.
        password: checked against the policy and hashed; None for an account without a password.
        profile: all required fields of a profile, or None for an account without a profile.
        email_verified: whether the email counts as confirmed.
        joins_staff_group: whether a staff member gets the permissions of the group `group_queries.STAFF`.
        values: other fields of `fields.USER`, such as `first_name` and `is_staff`.

    Raises:
        InvalidEmail, WeakPassword, EmailTaken: nothing is written then.
    """
    typed, key = email_address.checked(email)
    if password is not None:
        personal = (typed, *(values.get(name) for name in PERSONAL_FIELDS if name != "email"))
        password_policy.check_of_new_account(password, key, personal)
    now = clock.now()
    user = User(
        email=typed,
        email_key=key,
        password_hash=None if password is None else hash_password(password),
        email_verified_at=now if email_verified else None,
        date_joined=now,
        profile=UserProfile(**profile) if profile else None,
        **to_columns(values),
    )
    db.session.add(user)
    queries.flush()
    if user.is_staff and joins_staff_group:
        group_queries.add_to_staff_group([user.id])
    audit_log.record("user.created", "user", user.id)
    return user


def register(**new_user: Any) -> User:
    """Create an account for an anonymous visitor, and email a link that confirms the email.

    Args:
        new_user: what `create` takes.

    Raises:
        InvalidEmail, WeakPassword, EmailTaken: nothing is written then.
        TooManyRequests: too many registrations came from the client.
    """
    throttling.count_attempt("REGISTRATION", throttling.get_client_subject())
    user = create(**{"language": i18n.get_requested_language(), **new_user})
    email_verification.require_not_reserved(user.id, user.email_key)
    email_verification.send_verification_email(user)
    return user


def create_first_superuser(email: str, password: str) -> User | None:
    """Create a superuser if there is none yet; of two calls at the same time, one succeeds.

    Raises:
        InvalidEmail, WeakPassword, EmailTaken: nothing is written then.
    """
    queries.lock_superusers()
    if queries.count_superusers():
        return None
    return create(email, password, is_staff=True, is_superuser=True, email_verified=True)


def lock(user_id: int, by: Actor, permission: str = permissions.CHANGE_USER) -> User:
    """Lock a user until the transaction ends, if the actor has the permission.

    Args:
        user_id: the user to lock.
        by: who acts.
        permission: the permission; owners need none to change themselves.

    Raises:
        PermissionDenied: the actor lacks it, or the user has more permissions than the actor.
        NotFound: there is no such user.
    """
    if user_id != by.id or permission != permissions.CHANGE_USER:
        permissions.require_permission(by, permission)
    user = queries.lock_user(user_id)
    if user is None:
        raise NotFound(_("There is no user with this id."))
    permissions.require_authority(user, by)
    return user


def activate(user: User) -> None:
    """Let a user sign in again; ended sessions stay ended."""
    if not user.is_active:
        user.is_active = True
        audit_log.record("user.activated", "user", user.id)


def deactivate(user: User) -> None:
    """Stop a user from signing in, end every session, and invalidate the links in emails.

    Raises:
        LastSuperuser: no active superuser would be left.
    """
    if user.is_active:
        require_other_superuser(user)
        user.is_active = False
        user.session_version += 1
        email_links.invalidate_links(user)
        audit_log.record("user.deactivated", "user", user.id)


def delete(user: User) -> None:
    """Delete a user with profile, sessions, links and emails, all in this transaction.

    Raises:
        LastSuperuser: no superuser would be left.
    """
    require_other_superuser(user)
    audit_log.record("user.deleted", "user", user.id)
    db.session.flush()
    audit_log.forget("user", user.id)
    mail_queries.delete_of_user(user.id)
    if user.is_staff:  # invitations to others name their sender
        for words in (user.email, f"{user.first_name} {user.last_name}".strip()):
            if "@" in words or " " in words:
                mail_queries.redact(words, kind="invitation")
    db.session.delete(user)
    db.session.flush()


def set_password(user: User, password: str, field: str = "password", *, notify: bool = True) -> None:
    """Set a user's password and end every session; a pending email is dropped.

    Args:
        user: locked.
        password: the new one.
        field: which field of the form an error belongs to.
        notify: whether to email the user that the password was changed.

    Raises:
        WeakPassword: naming the field.
    """
    password_policy.check(password, personal_texts(user), field)
    user.password_hash = hash_password(password)
    user.session_version += 1
    user.pending_email = None
    audit_log.record("user.password_changed", "user", user.id)
    if notify:
        emails.send_password_changed(user, when=clock.now(), ip=get_acting_context().ip_address)


def personal_texts(user: Any) -> tuple[str | None, ...]:
    """Texts of a user, given as object or row, that the password must not resemble."""
    return tuple(getattr(user, name) for name in PERSONAL_FIELDS)


def require_other_superuser(user: User) -> None:
    """Check that another active superuser is left, before an active superuser stops being one.

    Raises:
        LastSuperuser: there is no other.
    """
    if user.is_superuser and user.is_active:
        queries.lock_superusers()
        if is_last_superuser(user):
            raise LastSuperuser


def is_last_superuser(user: User) -> bool:
    """Whether a user is the only active superuser."""
    return user.is_superuser and user.is_active and not queries.has_other_superuser(user.id)
