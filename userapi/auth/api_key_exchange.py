"""Exchanging an API key for an access token that other services verify as any other (decision 0083)."""

import uuid
from datetime import datetime, timedelta
from typing import Any

from flask import current_app

from userapi.audit import audit_log
from userapi.core import clock, context
from userapi.core.db import db
from userapi.security import throttling

from . import api_key_caller, api_key_queries, api_keys, sessions, set_up_sessions, tokens
from .assurance import Way
from .models import Session
from .problems import InvalidToken


def exchange(key: str) -> dict[str, Any]:
    """Exchange a key for an access token.

    The token belongs to a session of the key, which is in no list and cannot be refreshed. All tokens of a key share
    it, and it ends with the key.

    Returns:
        `access_token, token_type, expires_in` (seconds), `scope` and `client_id`.

    Raises:
        ApiKeysOff: there are no keys.
        InvalidToken, IpAddressNotAllowed: the key is not accepted.
        SecondStepRequired: the owner can do nothing without a second step.
        TooManyRequests: the client has sent too many wrong keys, or the key was exchanged too often.
    """
    api_keys.require_on()
    row = api_key_caller.find_holder(key)
    throttling.count_attempt("REFRESH_SESSION", str(row.key_id))
    set_up_sessions.require_full(set_up_sessions.is_for_set_up(row, None))
    g = context.current_g()
    g.actor_id, g.key_id = row.id, str(row.key_id)
    session = _find_or_begin_session(row, clock.now())
    api_key_caller.announce_expiry(row.expires_at)
    return tokens.issue_for_key(session, row.key_id, row.scopes)


def _find_or_begin_session(row: Any, now: datetime) -> Session:
    """The active session of a key, or a new one. The key is locked, so that a revocation does not miss the session."""
    locked = api_key_queries.lock_for_exchange(row.key_id, now, context.current_request().remote_addr)
    if locked is None:
        raise InvalidToken
    session = api_key_queries.find_session(row.key_id, locked.session_version, now, sessions.idle_since(now))
    if session is not None:
        session.last_used_at = now
        return session
    session = _begin_session(row, locked, now)
    audit_log.record("api_key.exchanged", "user", row.id, {"api_key_id": (None, row.key_id)})
    return session


def _begin_session(row: Any, locked: Any, now: datetime) -> Session:
    origin = context.get_acting_context()
    lifetime = timedelta(seconds=current_app.config["SESSION_LIFETIME"])
    session = Session(
        id=uuid.uuid4(),
        user_id=row.id,
        session_version=locked.session_version,
        refresh_jti=uuid.uuid4(),
        refreshed_at=now,
        created_at=now,
        last_used_at=now,
        expires_at=min(now + lifetime, locked.expires_at),
        address=origin.ip_address,
        user_agent=origin.user_agent,
        way=Way.API_KEY.value,
        key_id=row.key_id,
        amr=row.amr,
        proved_at=now,
        for_set_up=False,
    )
    db.session.add(session)
    db.session.flush()
    return session
