"""Single-use tokens: the secret part of links in emails.

256 random bits, of which only the digest is stored; bound to a purpose, an account, an address and, where it could take
the account over, to the password of that time; used up by one UPDATE in the transaction that acts.
"""

import hashlib
import secrets
from datetime import datetime, timedelta

from flask import current_app
from flask_babel import lazy_gettext

from userapi.core import clock
from userapi.core.db import db
from userapi.core.problems import Problem

from . import email_address, queries
from .models import OneTimeToken, User

RESET_PASSWORD = "reset_password"  # noqa: S105 - a purpose, not a password
VERIFY_EMAIL = "verify_email"
CHANGE_EMAIL = "change_email"
UNDO_EMAIL_CHANGE = "undo_email_change"

#: Links of accounts that staff opened without a password, before invitations were rows of their own (decision 0094).
#: They work as links that reset a password until they expire.
OLD_INVITATION = "invitation"

#: The setting with the lifetime of each kind of link.
LIFETIME_SETTINGS = {
    RESET_PASSWORD: "PASSWORD_RESET_LIFETIME",
    VERIFY_EMAIL: "EMAIL_CONFIRMATION_LIFETIME",
    CHANGE_EMAIL: "EMAIL_CONFIRMATION_LIFETIME",
    UNDO_EMAIL_CHANGE: "EMAIL_CHANGE_UNDO_LIFETIME",
}

#: Links that could take an account over: they die with the password of their time.
BOUND_TO_PASSWORD = frozenset({RESET_PASSWORD, CHANGE_EMAIL})


class InvalidLink(Problem):
    """The link is used, expired, altered or another user's: one error for all."""

    code = "invalid_link"
    title = lazy_gettext("Invalid link")
    detail = lazy_gettext("This link is no longer valid. Request a new one.")


def lifetime(purpose: str) -> timedelta:
    """How long a link of this purpose can be used."""
    return timedelta(seconds=current_app.config[LIFETIME_SETTINGS[purpose]])


def create_token(user: User, purpose: str, address_key: str, previous_email: str | None = None) -> str:
    """Make a token and store its digest.

    Args:
        user: whose.
        purpose: one of the constants above.
        address_key: the normal form of the email it is mailed to.
        previous_email: what UNDO_EMAIL_CHANGE restores, as it was typed.

    Returns:
        The token, 43 URL-safe characters; it is not stored.
    """
    return create_expiring_token(user, purpose, address_key, previous_email)[0]


def create_expiring_token(
    user: User, purpose: str, address_key: str, previous_email: str | None = None
) -> tuple[str, datetime]:
    """Make a token as `create_token` does; the token, and when it expires."""
    token = secrets.token_urlsafe(32)
    now = clock.now()
    expires_at = now + lifetime(purpose)
    db.session.add(
        OneTimeToken(
            digest=hash_token(token),
            purpose=purpose,
            user_id=user.id,
            address_key=address_key,
            previous_email=previous_email,
            password_mark=password_mark(user) if purpose in BOUND_TO_PASSWORD else None,
            created_at=now,
            expires_at=expires_at,
        )
    )
    db.session.flush()
    return token, expires_at


def use_token(token: str, purposes: tuple[str, ...], user_id: int | None = None) -> tuple[OneTimeToken, User]:
    """Use a token and lock its user.

    Args:
        token: as it came.
        purposes: those it may be good for.
        user_id: whose it must be; anyone's when None.

    Returns:
        The token's row and its user, whose present state the token still fits.

    Raises:
        InvalidLink: for every reason alike; the door must not commit.
    """
    user = queries.lock_user_of_token(hash_token(token))
    if user is None or not user.is_active or user_id not in (None, user.id):
        raise InvalidLink
    found = queries.use_token(hash_token(token), purposes, clock.now())
    if found is None or not _still_fits(found, user):
        raise InvalidLink
    return found, user


def find_valid_token(token: str, purposes: tuple[str, ...]) -> tuple[OneTimeToken, User] | None:
    """A token's row and its user, if `use_token` would accept it now; nothing is written or locked."""
    found = queries.find_valid_token(hash_token(token), purposes, clock.now())
    if found is None or not found[1].is_active or not _still_fits(*found):
        return None
    return found


def invalidate_links(user: User) -> None:
    """Invalidate the links in emails to a locked user and drop a pending email.

    Links that undo a change of email stay: the thief who changed it must not be able to invalidate them.
    """
    user.pending_email = None
    queries.delete_tokens(user.id, spare=UNDO_EMAIL_CHANGE)


def cancel_email_change(user: User) -> None:
    """Drop the pending email of a locked user and invalidate the links that would confirm it."""
    user.pending_email = None
    queries.delete_tokens(user.id, CHANGE_EMAIL)


def invalidate_undo_links(user: User, since: datetime | None = None) -> None:
    """Invalidate the links that undo a locked user's changes of email: all, or those from a moment on."""
    queries.delete_tokens(user.id, UNDO_EMAIL_CHANGE, since=since)


def _still_fits(found: OneTimeToken, user: User) -> bool:
    """Whether the address and the password are those that the token was made for."""
    if found.purpose == UNDO_EMAIL_CHANGE:
        return found.address_key != user.email_key
    wanted = email_address.key_or_none(user.pending_email or "") if found.purpose == CHANGE_EMAIL else user.email_key
    return found.address_key == wanted and found.password_mark in (None, password_mark(user))


def hash_token(token: str) -> str:
    """What is stored of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def password_mark(user: User) -> str:
    """A mark that changes with the password and gives nothing of its hash away."""
    return hashlib.sha256(f"{user.id}:{user.password_hash}".encode()).hexdigest()
