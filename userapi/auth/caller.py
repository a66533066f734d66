"""The caller of a request: its account and session, loaded once."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from flask import g

from userapi.core import clock, context
from userapi.core.db import db
from userapi.core.problems import NotSignedIn
from userapi.users import permissions

from . import queries, sessions, set_up_sessions
from .assurance import Level
from .claims import AccessClaims


class Credential(StrEnum):
    """How the access token was sent."""

    BEARER = "bearer"
    COOKIE = "cookie"


@dataclass(frozen=True, slots=True)
class Caller:
    """The authenticated client of a request.

    Attributes:
        user: a row that begins with the columns of `users.queries.document_columns()`, with `held_permissions` if the
            request concerns another user.
        session_id: the session that the access token names.
        credential: how the token was sent.
        signed_in_at: when the session began.
        last_used_at: when the session was last used before this request, to the minute.
        level: what both the session and the token prove: a token that was issued before a later proof does not gain it.
        proved_at: when both the session and the token say that the identity was last proved.
        is_for_set_up: whether this request may do no more than set up or give a second step, which is required.
        actor: the user, without the permissions of staff unless a second step that they require was given.
    """

    user: Any
    session_id: uuid.UUID
    credential: Credential
    signed_in_at: datetime
    last_used_at: datetime
    level: Level
    proved_at: datetime
    is_for_set_up: bool
    actor: permissions.Actor


def load_caller(claims: AccessClaims) -> Caller | None:
    """Read the account and session behind a verified token, in one statement; None unless the session is active.

    The user's permissions are read too if the request concerns another user (`g.requested_user_id`).
    """
    requested_user_id = context.current_g().get("requested_user_id")
    now = clock.now()
    row = queries.read_caller(
        claims.session_id,
        claims.user_id,
        now,
        sessions.idle_since(now),
        with_permissions=requested_user_id is not None and requested_user_id != claims.user_id,
    )
    if row is None:
        return None
    credential = Credential.COOKIE if claims.is_for_web else Credential.BEARER
    return Caller(
        user=row,
        session_id=row.session_id,
        credential=credential,
        signed_in_at=row.session_created_at,
        last_used_at=row.last_used_at,
        level=set_up_sessions.level_of_both(row, claims),
        proved_at=min(row.proved_at, claims.proved_at or row.session_created_at),
        is_for_set_up=set_up_sessions.is_for_set_up(row, claims),
        actor=set_up_sessions.find_actor(row, claims),
    )


def set_caller(caller: Caller) -> None:
    """Set the caller. Stores the time of last use, and commits it, if the stored one is over a minute old."""
    g = context.current_g()
    g.caller = caller
    g.actor_id = caller.user.id
    if sessions.record_use(caller.session_id, caller.last_used_at):
        db.session.commit()


def find_caller() -> Caller | None:
    """The caller of this request; None for an anonymous visitor."""
    found: Caller | None = g.get("caller")
    return found


def get_caller() -> Caller:
    """The caller of a request that needs one.

    Raises:
        NotSignedIn: there is none.
    """
    found: Caller | None = context.current_g().get("caller")
    if found is None:
        raise NotSignedIn
    return found
