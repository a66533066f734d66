"""The caller of a request: its account and session, or API key, loaded once."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from flask import g

from userapi.core import clock, context
from userapi.core.db import db
from userapi.core.problems import NotForApiKeys, NotSignedIn
from userapi.core.scopes import Scope
from userapi.users import permissions

from . import queries, sessions, set_up_sessions
from .api_key_caller import KeyCaller, make_caller, require_scopes
from .assurance import Level
from .claims import AccessClaims


class Credential(StrEnum):
    """How the access token was sent."""

    BEARER = "bearer"
    COOKIE = "cookie"


@dataclass(frozen=True, slots=True)
class Impersonation:
    """A member of staff acts as the user of a session.

    Attributes:
        impersonator_id: the member of staff.
        email, name: of the member of staff; the name may be empty.
        own_session_id: the session of the member of staff that it was begun from.
        ends_at: when it ends at the latest.
    """

    impersonator_id: int
    email: str
    name: str
    own_session_id: uuid.UUID
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class Caller:
    """The authenticated client of a request that was made in a session.

    Attributes:
        user: a row that begins with the columns of `users.queries.document_columns()`, with `held_permissions`
            and `second_step_is_on` if the request concerns another user.
        session_id: the session that the access token names.
        credential: how the token was sent.
        signed_in_at: when the session began.
        last_used_at: when the session was last used before this request, to the minute.
        level: what both the session and the token prove: a token that was issued before a later proof does not gain it.
        proved_at: when both the session and the token say that the identity was last proved.
        is_for_set_up: whether this request may do no more than set up or give a second step, which is required.
        is_too_weak_for_staff: whether staff are signed in by nothing but a code by email.
        actor: the user, without the permissions of staff unless the session has proved what they require.
        impersonation: set if a member of staff acts as the user.
    """

    user: Any
    session_id: uuid.UUID
    credential: Credential
    signed_in_at: datetime
    last_used_at: datetime
    level: Level
    proved_at: datetime
    is_for_set_up: bool
    is_too_weak_for_staff: bool
    actor: permissions.Actor
    impersonation: Impersonation | None = None


def load_caller(claims: AccessClaims) -> Caller | KeyCaller | None:
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
    if claims.key_id is not None:
        return make_caller(row, claims.key_id, claims.scope)
    if claims.impersonator_id is not None:
        from . import impersonation  # nothing of it is imported before it is used

        return impersonation.find_caller(row, claims.impersonator_id)
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
        is_too_weak_for_staff=set_up_sessions.is_too_weak_for_staff(row, claims),
        actor=set_up_sessions.find_actor(row, claims),
    )


def set_caller(caller: Caller | KeyCaller) -> None:
    """Set the caller. Stores the time of last use, and commits it, if the stored one is over a minute old."""
    g = context.current_g()
    g.caller = caller
    g.actor_id = caller.user.id
    if isinstance(caller, KeyCaller):
        g.key_id = str(caller.key_id)
        return
    if caller.impersonation is not None:
        g.impersonator_id = caller.impersonation.impersonator_id
    if sessions.record_use(caller.session_id, caller.last_used_at):
        db.session.commit()


def require_scope(scope: Scope) -> None:
    """Require a scope of an API key, where only some requests of an operation need it. A session needs none.

    Raises:
        InsufficientScope: the request was made with an API key that does not have it.
    """
    found: Caller | KeyCaller | None = g.get("caller")
    if isinstance(found, KeyCaller):
        require_scopes(found, [scope])


def find_caller() -> Caller | None:
    """The caller of this request, in a session; None for an anonymous visitor, and for an API key.

    What an operation that is open to API keys needs is `context.current_user()` or `context.current_actor()`.
    """
    found: Caller | KeyCaller | None = g.get("caller")
    return None if isinstance(found, KeyCaller) else found


def get_caller() -> Caller:
    """The caller of a request that needs a session.

    Raises:
        NotSignedIn: there is none.
        NotForApiKeys: the request was made with an API key.
    """
    found: Caller | KeyCaller | None = context.current_g().get("caller")
    if found is None:
        raise NotSignedIn
    if isinstance(found, KeyCaller):
        raise NotForApiKeys
    return found
