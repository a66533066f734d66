"""Signing in with email and password, for the API and the pages alike."""

import uuid
from typing import Any

from userapi.audit import audit_log
from userapi.core import clock
from userapi.core.db import db
from userapi.security import password_hashing, throttling
from userapi.users import email_address

from . import admission, queries, sessions, sign_in_queries, tokens
from .admission import Identified
from .assurance import Proof, Way
from .models import Session
from .problems import AccountChanged, InvalidCredentials
from .sign_in_queries import SeenPassword


def sign_in(email: str, password: str, code: str | None = None, device_token: str | None = None) -> Session:
    """Check a password and begin a session, unless the account needs a second step.

    Args:
        email: in any case or Unicode form.
        password: as typed.
        code: for the second step, if it is done in the same request.
        device_token: of a device that needs no second step.

    Raises:
        InvalidCredentials: an audit event was written, which the caller must commit.
        SecondStepNeeded: the password is right, and the second step is due; the caller must commit.
        InvalidCode: the password is right, and the code is wrong.
        SecondStepLocked: the password is right; the code was not checked, or no code would be accepted.
        TooManyRequests: there were too many failures; the password or the code was not checked.
    """
    while True:
        try:
            return admission.admit(identify(email, password), code, device_token)
        except AccountChanged:  # or another sign-in renewed the hash
            db.session.rollback()


def identify(email: str, password: str) -> Identified:
    """The account with this email and password.

    An unknown email, an inactive account and a wrong password take the same time, get the same error and count in the
    same way, so that no one learns which accounts exist.
    """
    key, client = email_address.key_or_none(email), throttling.get_client_subject()
    account = key or email
    with (
        throttling.count_failures("SIGN_IN_IP", client),
        throttling.count_failures("SIGN_IN_PAIR", account, client),
        throttling.count_failures("SIGN_IN_ACCOUNT", account, skip_if=lambda: _has_signed_in_from(key, client)),
    ):
        return _check(key, password)


def issue_browser_pair(session_id: uuid.UUID) -> dict[str, Any] | None:
    """The tokens of a session for a browser's cookies; None if the session has ended, or is an impersonation."""
    now = clock.now()
    session = queries.read_active_session(session_id, now, sessions.idle_since(now))
    return None if session is None or session.impersonator_id is not None else tokens.issue_pair(session, web=True)


def _check(key: str | None, password: str) -> Identified:
    found = sign_in_queries.read_credentials(key) if key else None
    proven = password_hashing.verify_password(password, found.password_hash if found else None)
    if found is None or not proven or not may_sign_in(found):
        raise _failed(found.id if found else None)
    outdated = password_hashing.needs_rehash(found.password_hash)
    kept = password_hashing.hash_password(password) if outdated else found.password_hash
    seen = SeenPassword(found.password_hash, kept)
    return admission.identify_account(found, Way.PASSWORD, Proof.PASSWORD, password=seen)


def _has_signed_in_from(key: str | None, client: str) -> bool:
    """Whether the account has signed in from this IP address before: then guesses from elsewhere do not lock it out."""
    return key is not None and client in map(throttling.ip_subject, sign_in_queries.read_ip_addresses(key))


def may_sign_in(found: Any) -> bool:
    """Whether an account may sign in: a row with is_active and email_verified_at."""
    return found.is_active and (found.email_verified_at is not None or not admission.must_be_verified())


def _failed(user_id: int | None) -> InvalidCredentials:
    audit_log.record("sign_in.failed", "user" if user_id else None, user_id, actor_id=None)
    return InvalidCredentials()
