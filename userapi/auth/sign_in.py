"""Signing in with email and password, for the API and the pages alike."""

import uuid
from typing import Any

from flask import current_app

from userapi.audit import audit_log
from userapi.core import clock
from userapi.core.context import get_acting_context
from userapi.mail import emails
from userapi.security import password_hashing, throttling
from userapi.users import email_address
from userapi.users.models import User

from . import queries, sessions, sign_in_queries, tokens
from .models import Session
from .problems import InvalidCredentials
from .sessions import Way

#: The proof of identity by password (RFC 8176).
PASSWORD = "pwd"  # noqa: S105


def sign_in(email: str, password: str) -> Session:
    """Check a password and begin a session.

    An unknown email, an inactive account and a wrong password take the same time, get the same error and count in the
    same way, so that no one learns which accounts exist.

    Args:
        email: in any case or Unicode form.
        password: as typed.

    Raises:
        InvalidCredentials: an audit event was written, which the caller must commit.
        TooManyRequests: there were too many failures; the password was not checked.
    """
    key, client = email_address.key_or_none(email), throttling.get_client_subject()
    account = key or email
    with (
        throttling.count_failures("SIGN_IN_IP", client),
        throttling.count_failures("SIGN_IN_PAIR", account, client),
        throttling.count_failures("SIGN_IN_ACCOUNT", account, skip_if=lambda: _has_signed_in_from(key, client)),
    ):
        return _check(key, password)


def begin_session_of(user: User, way: Way) -> Session:
    """Begin a session for a user who has just set the first password of the account.

    Args:
        user: locked or new.
        way: how the user came to it.
    """
    user.last_login = clock.now()
    return sessions.begin_session(user.id, user.session_version, way, PASSWORD)


def issue_browser_pair(session_id: uuid.UUID) -> dict[str, Any] | None:
    """The tokens of a session for a browser's cookies; None if the session has ended."""
    now = clock.now()
    session = queries.read_active_session(session_id, now, sessions.idle_since(now))
    return None if session is None else tokens.issue_pair(session, web=True)


def _check(key: str | None, password: str) -> Session:
    found = sign_in_queries.read_credentials(key) if key else None
    proven = password_hashing.verify_password(password, found.password_hash if found else None)
    if found is None or not proven or not _may_sign_in(found):
        raise _failed(found.id if found else None)
    outdated = password_hashing.needs_rehash(found.password_hash)
    renewed = password_hashing.hash_password(password) if outdated else found.password_hash
    version = sign_in_queries.record_sign_in(found.id, found.password_hash, renewed, clock.now())
    if version is None:
        return _check(key, password)  # the account changed in the meantime, or another sign-in renewed the hash
    if outdated:
        audit_log.record("user.password_rehashed", "user", found.id, actor_id=found.id)
    _notify_of_new_device(found.id)
    return sessions.begin_session(found.id, version, Way.PASSWORD, PASSWORD)


def _has_signed_in_from(key: str | None, client: str) -> bool:
    """Whether the account has signed in from this IP address before: then guesses from elsewhere do not lock it out."""
    return key is not None and client in map(throttling.ip_subject, sign_in_queries.read_ip_addresses(key))


def _notify_of_new_device(user_id: int) -> None:
    """Email the user if neither the IP address nor the browser is known from an earlier session."""
    origin = get_acting_context()
    if sign_in_queries.is_known_device(user_id, origin.ip_address, origin.user_agent) is False:
        user = emails.Recipient(*sign_in_queries.read_recipient(user_id), user_id)
        emails.send_new_sign_in(user, when=clock.now(), ip=origin.ip_address, user_agent=origin.user_agent)


def _may_sign_in(found: Any) -> bool:
    must_be_verified = current_app.config["EMAIL_VERIFICATION"] == "mandatory"
    return found.is_active and (found.email_verified_at is not None or not must_be_verified)


def _failed(user_id: int | None) -> InvalidCredentials:
    audit_log.record("sign_in.failed", "user" if user_id else None, user_id, actor_id=None)
    return InvalidCredentials()
