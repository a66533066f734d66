"""Token families: the tokens that a client holds for one sign-in, from the first pair until they end.

A refresh token is single-use. The same token again within REFRESH_REUSE_WINDOW gets the same new token, because a
response was lost; later it ends the family, because one of two holders has stolen it (RFC 9700, section 4.14).
"""

import hashlib
import hmac
import uuid
from datetime import datetime, timedelta
from typing import Any

from flask import current_app

from userapi.audit import audit_log
from userapi.auth import sessions
from userapi.auth.claims import parse_uuid
from userapi.core import clock
from userapi.core.db import db
from userapi.mail import app_emails
from userapi.security import signing_keys, throttling

from . import client_session_queries, clients, consents, family_queries, openid_tokens, queries, scopes
from .client_checks import Grant
from .models import TokenFamily
from .openid_tokens import Kind, NotValid
from .problems import OAuthError

#: A client's last use is stored at most this often.
LAST_USED_PRECISION = timedelta(days=1)


class TokenReused(OAuthError):
    """A refresh token was used before. The family is ended, which the caller must commit."""

    def __init__(self) -> None:
        super().__init__("invalid_grant", "The refresh token was used before.")


def begin(
    client: Any,
    family_id: uuid.UUID,
    session_id: uuid.UUID,
    user_id: int,
    *,
    version: int | None,
    granted: str,
    resource: str | None,
) -> TokenFamily:
    """Begin a family in a session, which cannot end before the transaction does; nor can the user's consent.

    Args:
        client: who gets the tokens.
        family_id: its id.
        session_id, user_id: where the user answered.
        version: the session version of the user at that time.
        granted: the scopes.
        resource: the audience of access tokens.

    Raises:
        OAuthError: the session has ended, the account has changed since, or the user has withdrawn the consent.
    """
    now = clock.now()
    session = family_queries.lock_session(session_id, user_id, now, sessions.idle_since(now))
    if session is None or session.for_set_up or session.user.session_version != version:
        raise OAuthError("invalid_grant", "The session of the user has ended.")
    consents.require(user_id, client, granted)
    is_offline, config = scopes.OFFLINE in granted.split(), current_app.config
    lifetime = config["OPENID_OFFLINE_LIFETIME" if is_offline else "OPENID_REFRESH_LIFETIME"]
    family = TokenFamily(
        id=family_id,
        client_id=client.id,
        user_id=user_id,
        session_id=session_id,
        session_version=version,
        is_offline=is_offline,
        scopes=granted,
        resource=resource,
        auth_time=session.proved_at,
        amr=session.amr,
        sid=make_sid(session_id, client.id),
        created_at=now,
        refresh_jti=uuid.uuid4() if Grant.REFRESH in client.grants.split() else None,
        refreshed_at=now,
        expires_at=_latest_end(now + timedelta(seconds=lifetime), session.expires_at, is_offline=is_offline),
    )
    db.session.add(family)
    db.session.flush()
    if client.backchannel_logout_uri:
        client_session_queries.watch_session(session_id, client.id, user_id, str(family.sid), session.expires_at)
    audit_log.record("app.signed_in", "user", user_id, clients.describe_begin(client), actor_id=user_id)
    mark_used(client, now)
    return family


def begin_of_machine(client: Any, granted: str, resource: str | None) -> TokenFamily:
    """Begin the family of one access token for a client of its own."""
    now = clock.now()
    family = TokenFamily(
        id=uuid.uuid4(),
        client_id=client.id,
        is_offline=False,
        scopes=granted,
        resource=resource,
        created_at=now,
        refreshed_at=now,
        expires_at=now + timedelta(seconds=current_app.config["OPENID_ACCESS_TOKEN_LIFETIME"]),
    )
    db.session.add(family)
    db.session.flush()
    mark_used(client, now)
    return family


def refresh(client: Any, token: str) -> Any:
    """Replace the refresh token of a family.

    Args:
        client: who sent it.
        token: as it was sent.

    Returns:
        The row of the family.

    Raises:
        TokenReused: it was used before.
        OAuthError: it is not valid, or the family has ended.
        TooManyRequests: the family was refreshed too often.
    """
    family_id, jti = read_refresh_token(client, token)
    throttling.count_attempt("REFRESH_SESSION", str(family_id))
    now = clock.now()
    idle_since = sessions.idle_since(now)
    family = family_queries.replace_refresh_token(
        family_id,
        client.id,
        jti,
        uuid.uuid4(),
        now=now,
        idle_since=idle_since,
        unused_since=now - timedelta(seconds=current_app.config["OPENID_REFRESH_IDLE"]),
    )
    if family is None:
        family = family_queries.find_family_in_transaction(family_id, now, idle_since)
        if family is None or family.client_id != client.id:
            raise OAuthError("invalid_grant", "The sign-in has ended.")
        if jti == family.refresh_jti:  # too long unused
            raise OAuthError("invalid_grant", "The refresh token has expired.")
        if not sessions.is_repeat(family, jti, now):
            _end_reused(family, client, now)
            raise TokenReused
    mark_used(client, now)
    return family


def read_refresh_token(client: Any, token: str) -> tuple[uuid.UUID, uuid.UUID]:
    """Family and `jti` that a refresh token of a client names.

    Raises:
        OAuthError: it is not valid.
    """
    try:
        claims = openid_tokens.verify(token, Kind.REFRESH)
    except NotValid as error:
        raise OAuthError("invalid_grant", "The refresh token is not valid.") from error
    family_id, jti = parse_uuid(claims.get("fam")), parse_uuid(claims.get("jti"))
    if claims.get("client_id") != client.id or family_id is None or jti is None:
        raise OAuthError("invalid_grant", "The refresh token is not valid.")
    return family_id, jti


def refresh_expires_at(family: Any) -> datetime:
    """When the refresh token of a family expires if it is not used."""
    idle: datetime = family.refreshed_at + timedelta(seconds=current_app.config["OPENID_REFRESH_IDLE"])
    latest: datetime = family.expires_at
    return min(idle, latest)


def find_active(family_id: uuid.UUID) -> Any:
    """A family whose tokens are accepted now; None if there is none."""
    now = clock.now()
    return family_queries.find_family(family_id, now, sessions.idle_since(now))


def revoke(client: Any, family_id: uuid.UUID) -> None:
    """End a family of a client, because the client says so. The access tokens of it are rejected too."""
    now = clock.now()
    found = family_queries.find_family_in_transaction(family_id, now, sessions.idle_since(now))
    if found is None or found.client_id != client.id:
        return
    family_queries.end_family(family_id, now)
    if found.user_id is not None:
        audit_log.record("app.access_ended", "user", found.user_id, clients.describe_end(client), actor_id=None)


def end_of_code(client: Any, family_id: uuid.UUID) -> None:
    """End a family whose code was sent a second time (RFC 6749, section 4.1.2)."""
    ended = family_queries.end_family(family_id, clock.now())
    if ended is not None:
        _record_reuse(ended.user_id, client)


def make_sid(session_id: uuid.UUID, client_id: str) -> str:
    """What a client knows a session by: the same for all its sign-ins in it, another for each client."""
    key = signing_keys.derive_key("openid-session-ids")
    derived = hmac.digest(key, session_id.bytes + client_id.encode(), hashlib.sha256)
    return openid_tokens.encode(derived)


def mark_used(client: Any, now: datetime) -> None:
    """Store that a client got a token, at most once a day."""
    if client.last_used_at is None or now - client.last_used_at >= LAST_USED_PRECISION:
        queries.mark_client_used(client.id, now)


def _latest_end(chosen: datetime, of_session: datetime, *, is_offline: bool) -> datetime:
    return chosen if is_offline else min(chosen, of_session)


def _end_reused(family: Any, client: Any, now: datetime) -> None:
    """End a family, and tell its user, unless another request has just done so."""
    if family_queries.end_family(family.id, now) is None:
        return
    _record_reuse(family.user_id, client)
    user = family_queries.read_user(family.user_id)
    if user is not None:
        app_emails.send_app_token_reused(user, app=client.name, when=now)


def _record_reuse(user_id: int, client: Any) -> None:
    audit_log.record("app.token_reused", "user", user_id, clients.describe_end(client), actor_id=None)
