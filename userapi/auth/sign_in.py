"""Who is it: an email and a password against an account, one way for every door."""

import uuid
from typing import Any

from flask import current_app

from userapi.audit import audit_log
from userapi.core import clock
from userapi.core.context import acting
from userapi.mail import emails
from userapi.security import password_hashing, throttling
from userapi.users import email_address
from userapi.users.models import User

from . import queries, sessions, tokens
from .models import Session
from .problems import InvalidCredentials


def sign_in(email: str, password: str) -> Session:
    """Check a password and begin a session.

    An unknown email, an inactive account and a wrong password take the same time, get the same answer and count alike.

    Args:
        email: in any spelling of its normal form.
        password: as typed.

    Raises:
        InvalidCredentials: with an event in the trail, which the door must commit.
        TooManyRequests: there were too many failures; the password was not looked at.
    """
    key, client = email_address.key_or_none(email), throttling.get_client_subject()
    account = key or email
    with (
        throttling.count_failures("SIGN_IN_IP", client),
        throttling.count_failures("SIGN_IN_PAIR", account, client),
        throttling.count_failures("SIGN_IN_ACCOUNT", account, skip_if=lambda: _was_here_before(key, client)),
    ):
        return _check(key, password)


def begin_session_of(user: User) -> Session:
    """Begin a session for somebody who has just proved who they are by another way than a password.

    Args:
        user: held or new.
    """
    user.last_login = clock.now()
    return sessions.begin_session(user.id, user.session_version)


def issue_browser_pair(session_id: uuid.UUID) -> dict[str, Any] | None:
    """The tokens that put a session into a browser's cookies; None when it has ended."""
    now = clock.now()
    session = queries.read_active_session(session_id, now, sessions.idle_since(now))
    return None if session is None else tokens.issue_pair(session, web=True)


def _check(key: str | None, password: str) -> Session:
    found = queries.read_credentials(key) if key else None
    proven = password_hashing.verify_password(password, found.password_hash if found else None)
    if found is None or not proven or not _may_sign_in(found):
        raise _refusal(found.id if found else None)
    outdated = password_hashing.needs_rehash(found.password_hash)
    renewed = password_hashing.hash_password(password) if outdated else found.password_hash
    version = queries.record_sign_in(found.id, found.password_hash, renewed, clock.now())
    if version is None:
        return _check(key, password)  # the account changed meanwhile, or the hash was renewed by another sign-in
    if outdated:
        audit_log.record("user.password_rehashed", "user", found.id, actor_id=found.id)
    _tell_of_new_device(found.id)
    return sessions.begin_session(found.id, version)


def _was_here_before(key: str | None, client: str) -> bool:
    """Whether the account has signed in from this client's address: then strangers' guesses do not keep it out."""
    return key is not None and client in map(throttling.ip_subject, queries.read_ip_addresses(key))


def _tell_of_new_device(user_id: int) -> None:
    """Write to the owner when neither the address nor the browser is known from an earlier session."""
    origin = acting()
    if queries.is_known_device(user_id, origin.address, origin.user_agent) is False:
        user = queries.read_recipient(user_id)
        emails.new_sign_in(
            user_id=user_id,
            recipient=user.email,
            name=user.first_name,
            language=user.language,
            when=clock.now(),
            address=origin.address,
            user_agent=origin.user_agent,
        )


def _may_sign_in(found: Any) -> bool:
    must_be_verified = current_app.config["EMAIL_VERIFICATION"] == "mandatory"
    return found.is_active and (found.email_verified_at is not None or not must_be_verified)


def _refusal(user_id: int | None) -> InvalidCredentials:
    audit_log.record("sign_in.failed", "user" if user_id else None, user_id, actor_id=None)
    return InvalidCredentials()
