"""Accounts: register, lock, activate, deactivate, delete, and set a password; edits are in `account_edits`."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from flask_babel import gettext as _

from userapi.audit import audit_log
from userapi.core import clock, erasure, hooks, i18n
from userapi.core.context import get_acting_context
from userapi.core.db import db
from userapi.core.problems import NotForApiKeys, NotFound
from userapi.mail import emails
from userapi.mail import queries as mail_queries
from userapi.security import throttling
from userapi.security.password_hashing import hash_password

from . import (
    account_kinds,
    act_rules,
    email_address,
    email_links,
    email_verification,
    field_keys,
    group_queries,
    password_policy,
    permissions,
    profile_edits,
    queries,
    registration,
    saved_filters,
    terms,
    user_values,
)
from .fields import PERSONAL_FIELDS, to_columns
from .models import User
from .permissions import Actor as Actor
from .problems import AccountHeld, LastSuperuser
from .user_values import UserValues

AnyUser = TypeVar("AnyUser", User, UserValues)


def create(
    email: str,
    password: str | None,
    profile: Mapping[str, Any] | None = None,
    *,
    email_verified: bool = False,
    joins_staff_group: bool = True,
    by: Actor | None = None,
    **values: Any,
) -> User:
    """Create an account.

    Args:
        email: as typed.
        password: checked against the policy and hashed; None for an account without a password.
        profile: all required fields of a profile, or None for an account without a profile.
        email_verified: whether the email counts as confirmed.
        joins_staff_group: whether a staff member gets the permissions of the group `group_queries.STAFF`.
        by: the staff member who creates it, if any.
        values: other fields of `fields.USER`, such as `first_name` and `is_staff`.

    Raises:
        InvalidEmail, WeakPassword, EmailTaken, FieldTaken, hooks.Denied: the caller rolls back.
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
        profile=profile_edits.make_profile(profile),
        **to_columns(values),
    )
    if password is not None:
        act_rules.run("password", user, {"password": password}, by)
    act_rules.run("user.create", user, {"email": typed, "profile": profile, **values}, by, may_change=True)
    db.session.add(user)
    queries.flush()
    field_keys.write_keys(user.id, user.profile.extra if user.profile else None, is_new=True)
    if user.is_staff and joins_staff_group:
        group_queries.add_to_staff_group([user.id])
    audit_log.record("user.created", "user", user.id)
    return user


def register(*, by: Actor | None = None, **new_user: Any) -> User:
    """Create an account for a visitor, and email a link that confirms the email.

    Args:
        by: the caller, if any. Staff who may add users can also do so when registration is closed, with any email, and
            accept no terms for others.
        new_user: what `create` takes, and whether the visitor accepts the terms.

    Raises:
        RegistrationClosed: visitors cannot register.
        InvalidEmail, WeakPassword, EmailTaken, ReadOnlyField, ValidationFailed, EmailDomainNotAllowed:
        the caller rolls back.
        TooManyRequests: too many registrations came from the client.
    """
    registration.require_open(by)
    throttling.count_attempt("REGISTRATION", throttling.get_client_subject())
    profile_edits.require_registrable(new_user.get("profile"))
    accepted = new_user.pop(terms.ACCEPTED, None)
    if terms.are_in_force() and not registration.may_add_users(by):
        new_user |= terms.accept(accepted)
    user = create(**{"language": i18n.get_requested_language(), **new_user})
    registration.require_allowed_domain(user.email_key, by)
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
    _require_may_lock(user_id, by, permission)
    return _require_lockable(queries.lock_user(user_id), by)


def lock_values(user_id: int, by: Actor) -> UserValues:
    """Lock a user like `lock`, to be changed, without an entity of the ORM (decision 0108).

    Raises:
        PermissionDenied, NotFound: as `lock` does.
    """
    _require_may_lock(user_id, by, permissions.CHANGE_USER)
    return _require_lockable(user_values.lock(user_id), by)


def _require_may_lock(user_id: int, by: Actor, permission: str) -> None:
    if user_id != by.id or permission != permissions.CHANGE_USER:
        permissions.require_permission(by, permission)


def _require_lockable(user: AnyUser | None, by: Actor) -> AnyUser:
    if user is None:
        raise NotFound(_("There is no user with this id."))
    permissions.require_authority(user, by)
    return user


def activate(user: User) -> None:
    """Let a user sign in again; ended sessions stay ended, and a closed account is no longer going to be deleted."""
    if not user.is_active:
        user.is_active = True
        audit_log.record("user.activated", "user", user.id)
        if user.closes_at is not None:
            user.closes_at = None
            audit_log.record("user.restored", "user", user.id)


def deactivate(user: User) -> None:
    """Stop a user from signing in, end every session, and invalidate the links in emails.

    Raises:
        LastSuperuser: no active superuser would be left.
    """
    if user.is_active:
        require_other_superuser(user)
        user.is_active = False
        user.closes_at = None  # an older version of the service may have left it when it activated the account
        user.session_version += 1
        email_links.invalidate_links(user)
        audit_log.record("user.deactivated", "user", user.id)


def delete(user: User, *, by: Actor | None = None) -> None:
    """Delete a user with profile, sessions, links and emails, all in this transaction.

    Args:
        user: locked.
        by: the user who deletes it; None at the command line.

    Raises:
        NotForApiKeys: it is the account of the API key that the request was made with.
        AccountHeld: a legal hold keeps the account.
        LastSuperuser: no superuser would be left.
        hooks.Denied: an extension does not allow it.
    """
    if by is not None and by.id == user.id and get_acting_context().key_id is not None:
        raise NotForApiKeys
    if user.held_reason is not None:
        raise AccountHeld(
            _("%(email)s is under a legal hold and cannot be deleted. Release it first.", email=user.email)
        )
    require_other_superuser(user)
    act_rules.run("user.delete", user, {}, by)
    if account_kinds.is_service(user):
        audit_log.record("service_account.deleted", "user", user.id)
    else:
        audit_log.record("user.deleted", "user", user.id)
    db.session.flush()
    user_id = user.id
    mail_queries.delete_of_user(user_id)
    saved_filters.remove_address(user.email)
    for delete_of_user in hooks.get_hooks().on_user_deleted:
        delete_of_user(user)
    db.session.delete(user)
    db.session.flush()
    audit_log.forget("user", user_id)  # last: those who were writing about the user have committed by now
    db.session.flush()
    erasure.erase_on_commit()


def set_password(
    user: User,
    password: str,
    field: str = "password",
    *,
    notify: bool = True,
    by: Actor | None = None,
    revoked_keys: Sequence[str] = (),
) -> None:
    """Set a user's password and end every session; a pending email is dropped.

    Args:
        user: locked.
        password: the new one.
        field: which field of the form an error belongs to.
        notify: whether to email the user that the password was changed.
        by: the signed-in user who sets it; None for links in emails and the command line.
        revoked_keys: the API keys that were revoked with the old password, for the email.

    Raises:
        NotForServiceAccounts: it is a service account.
        WeakPassword: naming the field.
        hooks.Denied: an extension does not allow it.
    """
    account_kinds.require_person(user)
    password_policy.check(password, personal_texts(user), field)
    _run_password_rules(user, password, field, by)
    user.password_hash = hash_password(password)
    user.session_version += 1
    user.pending_email = None
    audit_log.record("user.password_changed", "user", user.id)
    if notify:
        ip = get_acting_context().ip_address
        emails.send_password_changed(user, when=clock.now(), ip=ip, revoked_keys=revoked_keys)


def _run_password_rules(user: User, password: str, field: str, by: Actor | None) -> None:
    """Call the rules of extensions; what they say about `password` belongs to the field of this form."""
    try:
        act_rules.run("password", user, {"password": password}, by)
    except hooks.Denied as problem:
        problem.errors = {field if name == "password" else name: text for name, text in (problem.errors or {}).items()}
        raise


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
