"""Opening, editing, deactivating and closing accounts."""

from collections.abc import Mapping
from typing import Any

from flask import current_app
from flask_babel import gettext as _

from userapi.audit import audit_log
from userapi.core import clock, i18n
from userapi.core.context import acting
from userapi.core.db import db
from userapi.core.problems import NotFound, ValidationFailed
from userapi.http.fields import folded
from userapi.mail import emails
from userapi.mail import queries as mail_queries
from userapi.security import throttling
from userapi.security.password_hashing import hash_password

from . import (
    current_password,
    email_address,
    email_links,
    email_verification,
    group_queries,
    groups,
    password_policy,
    permissions,
    queries,
)
from .models import User, UserProfile
from .permissions import Actor as Actor
from .problems import LastSuperuser, ReadOnlyField

PROFILE_FIELDS = queries.PROFILE_FIELDS
NAME_FIELDS = ("username", "first_name", "last_name")


def fold(name: str) -> str:
    """A name as search and order see it."""
    return folded(name)[:450]


def create(
    email: str,
    password: str | None,
    profile: Mapping[str, Any] | None = None,
    username: str | None = None,
    first_name: str = "",
    last_name: str = "",
    *,
    is_staff: bool = False,
    is_superuser: bool = False,
    joins_staff_group: bool = True,
    email_verified: bool = False,
    language: str | None = None,
) -> User:
    """Open an account.

    Args:
        email: as typed.
        password: held against the policy and hashed; None for an account that no password signs in.
        profile: all six fields, or None for an account without one.
        joins_staff_group: whether a member of staff gets the permissions of the group `groups.STAFF`.
        language: of the letters to the user, one on offer; None when it is not known.

    Raises:
        InvalidEmail, WeakPassword, EmailTaken: and nothing is written.
    """
    typed, key = email_address.checked(email)
    if password is not None:
        password_policy.check_of_new_account(password, key, (typed, username, first_name, last_name))
    now = clock.now()
    user = User(
        email=typed,
        email_key=key,
        username=username or None,
        username_key=fold(username) if username else None,
        first_name=first_name,
        last_name=last_name,
        first_name_key=fold(first_name),
        last_name_key=fold(last_name),
        password_hash=None if password is None else hash_password(password),
        is_staff=is_staff,
        is_superuser=is_superuser,
        email_verified_at=now if email_verified else None,
        language=language,
        date_joined=now,
        profile=UserProfile(**profile) if profile else None,
    )
    db.session.add(user)
    queries.flush()
    if is_staff and joins_staff_group:
        group_queries.put_into_staff([user.id])
    audit_log.record("user.created", "user", user.id)
    return user


def register(**new_user: Any) -> User:
    """Open an account for whoever asks, and mail a link to confirm the address; takes what `create` takes.

    Raises:
        InvalidEmail, WeakPassword, EmailTaken: and nothing is written.
        TooManyRequests: the client has asked too often.
    """
    throttling.spend("REGISTRATION", throttling.client())
    user = create(**{"language": i18n.asked_for(), **new_user})
    email_verification.refuse_reserved(user.id, user.email_key)
    email_verification.ask_to_verify(user)
    return user


def open_first_superuser(email: str, password: str) -> User | None:
    """Open a superuser's account where there is none yet; of two who ask at once, one gets it.

    Raises:
        InvalidEmail, WeakPassword, EmailTaken: and nothing is written.
    """
    queries.lock_superusers()
    if queries.count_superusers():
        return None
    return create(email, password, is_staff=True, is_superuser=True, email_verified=True)


def hold(user_id: int, by: Actor, needs: str = permissions.CHANGE_USER) -> User:
    """Lock a user for an act, if the actor may do it.

    Args:
        user_id: whom.
        by: who acts.
        needs: the permission; owners need none to change themselves.

    Raises:
        PermissionDenied: the actor lacks it, or the user may do more than the actor.
        NotFound: there is no such user.
    """
    if user_id != by.id or needs != permissions.CHANGE_USER:
        permissions.require(by, needs)
    user = queries.for_update(user_id)
    if user is None:
        raise NotFound(_("There is no user with this id."))
    permissions.require_authority(user, by)
    return user


def editable(user: User, by: Actor) -> frozenset[str]:
    """The fields of a user that an actor may set."""
    fields = {*NAME_FIELDS, "profile", "email", "language"}
    if by.is_staff and (by.is_superuser or by.id != user.id):
        fields.add("is_active")
    if by.is_superuser:
        fields |= {"is_staff", "is_superuser"}
    return frozenset(fields)


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
        user: held.
        changes: fields and their new values; `profile` holds those of its own.
        by: who asks.
        password: the current password, if the owner typed it.
        password_field: what an error about it names.

    Raises:
        ReadOnlyField, InvalidEmail, EmailTaken, LastSuperuser, ValidationFailed: and nothing is written.
        WrongPassword: the event must be committed by the door.
        TooManyRequests: the password was wrong too often, or too many changes of email were asked for.
    """
    refused = sorted(set(changes) - editable(user, by))
    if refused:
        raise ReadOnlyField(errors={name: [_("You cannot change this field.")] for name in refused})
    by_owner = by.id == user.id
    if by_owner and changes.get("email", user.email) != user.email:
        current_password.require(user, password, password_field)
    before = _facts(user)
    for name in NAME_FIELDS:
        if name in changes:
            setattr(user, name, changes[name] or (None if name == "username" else ""))
    for name in NAME_FIELDS:
        if name in changes:
            value = getattr(user, name)
            setattr(user, f"{name}_key", None if value is None else fold(value))
    if "language" in changes:
        user.language = changes["language"] or None
    if "profile" in changes:
        _edit_profile(user, changes["profile"])
    if "email" in changes:
        _edit_email(user, changes["email"], by_owner=by_owner)
    _edit_flags(user, changes)
    after = _facts(user)
    changed = {name: (before.get(name), after.get(name)) for name in {**before, **after}}
    changed = {name: pair for name, pair in changed.items() if pair[0] != pair[1]}
    if changed:
        audit_log.record("user.changed", "user", user.id, changed)
    queries.flush()


def activate(user: User) -> None:
    """Let a user sign in again; sessions that were ended stay ended."""
    if not user.is_active:
        user.is_active = True
        audit_log.record("user.activated", "user", user.id)


def deactivate(user: User) -> None:
    """Keep a user from signing in, end every session now, and void the links that were mailed.

    Raises:
        LastSuperuser: when nobody could administer the service any more.
    """
    if user.is_active:
        keep_a_superuser(user)
        user.is_active = False
        user.session_version += 1
        email_links.void(user)
        audit_log.record("user.deactivated", "user", user.id)


def delete(user: User) -> None:
    """Close an account for good: the user, profile, sessions, links and letters go in this transaction.

    Raises:
        LastSuperuser: when nobody could administer the service any more.
    """
    keep_a_superuser(user)
    audit_log.record("user.deleted", "user", user.id)
    db.session.flush()
    audit_log.forget("user", user.id)
    mail_queries.delete_of_user(user.id)
    if user.is_staff:  # invitations to others name whom they come from
        for words in (user.email, f"{user.first_name} {user.last_name}".strip()):
            if "@" in words or " " in words:
                mail_queries.withhold(words, kind="invitation")
    db.session.delete(user)
    db.session.flush()


def set_password(user: User, password: str, field: str = "password", *, notify: bool = True) -> None:
    """Give a user another password and end every session; an address that waits to be confirmed waits no more.

    Args:
        user: held.
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
        emails.password_changed(
            user_id=user.id,
            recipient=user.email,
            name=user.first_name,
            language=user.language,
            when=clock.now(),
            address=acting().address,
        )


def personal_texts(user: Any) -> tuple[str | None, ...]:
    """What the password of a user, given as object or row, must not be close to."""
    return (user.email, user.username, user.first_name, user.last_name)


def keep_a_superuser(user: User) -> None:
    """Refuse to lose this superuser when it is the last active one.

    Raises:
        LastSuperuser: it is.
    """
    if user.is_superuser and user.is_active:
        queries.lock_superusers()
        if is_last_superuser(user):
            raise LastSuperuser


def is_last_superuser(user: User) -> bool:
    """Whether a user is the only active superuser."""
    return user.is_superuser and user.is_active and not queries.has_other_superuser(user.id)


def _edit_profile(user: User, values: Mapping[str, Any] | None) -> None:
    if values is None:
        if user.profile is not None:
            raise ValidationFailed(errors={"profile": [_("A profile cannot be removed.")]})
        return
    if user.profile is not None:
        for name, value in values.items():
            setattr(user.profile, name, value)
    elif values:
        missing = [name for name in PROFILE_FIELDS if name not in values]
        if missing:
            needed = _("Missing data for required field: this user has no profile yet.")
            raise ValidationFailed(errors={"profile": {name: [needed] for name in missing}})
        user.profile = UserProfile(**values)


def _edit_email(user: User, email: str, *, by_owner: bool) -> None:
    if email == user.email:
        return
    if by_owner and current_app.config["EMAIL_VERIFICATION"] != "none":
        email_verification.ask_to_change(user, email)
    else:
        email_verification.replace(user, email, by_owner=by_owner)
        email_verification.ask_to_verify(user)


def _edit_flags(user: User, changes: Mapping[str, Any]) -> None:
    loses = user.is_superuser and changes.get("is_superuser") is False
    if loses:
        keep_a_superuser(user)
    granted = [name for name in ("is_staff", "is_superuser") if changes.get(name) and not getattr(user, name)]
    if changes.get("is_staff", user.is_staff) != user.is_staff:
        groups.follow_staff(user, joins="is_staff" in granted)
    for name in ("is_staff", "is_superuser"):
        if name in changes:
            setattr(user, name, changes[name])
    if granted:
        emails.rights_granted(
            user_id=user.id, recipient=user.email, name=user.first_name, language=user.language, rights=granted
        )
    if "is_active" in changes:
        if changes["is_active"]:
            activate(user)
        else:
            deactivate(user)


def _facts(user: User) -> dict[str, Any]:
    """What an edit can change, by field."""
    names = ("email", "pending_email", "language", *NAME_FIELDS, "is_staff", "is_superuser")
    facts = {name: getattr(user, name) for name in names}
    if user.profile is not None:
        facts |= {f"profile.{name}": getattr(user.profile, name) for name in PROFILE_FIELDS}
    return facts
