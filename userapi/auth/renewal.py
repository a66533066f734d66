"""Renewing an access token with itself, as clients do that know no refresh tokens (decision 0092)."""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from flask import current_app

from userapi.core import clock
from userapi.security import throttling

from . import queries, sessions, tokens
from .claims import AccessClaims
from .models import Session
from .problems import InvalidToken, RefreshEnded, TokenRevoked


@dataclass(slots=True)
class Renewed:
    """A session with the proofs of one of its access tokens, from which another access token is issued.

    The proofs are those of the token: a proof that was given since in the same session is not for who holds an
    earlier token.
    """

    id: uuid.UUID
    user_id: int
    expires_at: datetime
    refreshed_at: datetime
    refresh_jti: uuid.UUID
    amr: str
    proved_at: datetime
    for_set_up: bool


def renew(token: str) -> Renewed:
    """Renew an access token that is still valid, if its session began within LEGACY_REFRESH_LIFETIME.

    API keys and impersonations have their own ends, so their tokens cannot be renewed.

    Raises:
        TokenExpired, InvalidToken, TokenRevoked: the token would not be accepted, or is of a kind that is not renewed.
        RefreshEnded: the session began too long ago.
        SecondStepRequired: it would be accepted only to set up a second factor.
        TooManyRequests: the session was refreshed too often, or the client sent too many invalid tokens.
    """
    claims, now = tokens.verify_active(token), clock.now()
    if claims.key_id is not None or claims.impersonator_id is not None:
        raise InvalidToken
    throttling.count_attempt("REFRESH_SESSION", str(claims.session_id))
    session = queries.read_active_session(claims.session_id, now, sessions.idle_since(now))
    if session is None:
        raise TokenRevoked
    if session.created_at + timedelta(seconds=current_app.config["LEGACY_REFRESH_LIFETIME"]) <= now:
        raise RefreshEnded
    sessions.record_use(session.id, session.last_used_at)
    return _with_proofs(session, claims)


def _with_proofs(session: Session, claims: AccessClaims) -> Renewed:
    proofs = claims.document.get("amr")
    return Renewed(
        id=session.id,
        user_id=session.user_id,
        expires_at=session.expires_at,
        refreshed_at=session.refreshed_at,
        refresh_jti=session.refresh_jti,
        amr=" ".join(proofs) if isinstance(proofs, list) else session.amr,
        proved_at=claims.proved_at or session.created_at,
        for_set_up=session.for_set_up,
    )
