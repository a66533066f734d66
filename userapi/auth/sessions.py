"""Sessions: a sign-in begins them, a refresh extends them, a sign-out or a change of the account ends them."""

import uuid
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

import sqlalchemy as sa
from flask import current_app
from flask_babel import gettext as _
from sqlalchemy.exc import IntegrityError

from userapi.audit import audit_log
from userapi.core import clock, context
from userapi.core.context import get_acting_context
from userapi.core.db import db
from userapi.core.problems import NotFound
from userapi.mail import emails
from userapi.security import throttling
from userapi.users import accounts
from userapi.users import queries as user_queries
from userapi.users.models import User
from userapi.users.permissions import Actor

from . import queries, set_up_sessions
from .claims import RefreshClaims
from .models import Session
from .problems import AccountChanged, TokenExpired, TokenReused, TokenRevoked


class Refreshed(Protocol):
    """What tokens are issued from: the row of a session, or what its refresh returned."""

    id: uuid.UUID
    user_id: int
    expires_at: datetime
    refreshed_at: datetime
    refresh_jti: uuid.UUID
    amr: str
    proved_at: datetime
    for_set_up: bool


#: The last use of a session is stored at most this often.
LAST_USED_PRECISION = timedelta(minutes=1)

#: An event names at most so many ended sessions, so that it stays small.
MAX_NAMED_SESSIONS = 200


def idle_since(now: datetime) -> datetime:
    """The time since which a session must have been used to be active."""
    return now - _idle_lifetime()


def idle_from(last_used_at: datetime) -> datetime:
    """The time at which a session is no longer active if it is not used again."""
    return last_used_at + _idle_lifetime()


def _idle_lifetime() -> timedelta:
    return timedelta(seconds=context.current_application().config["SESSION_IDLE_LIFETIME"])


def begin_session(user_id: int, version: int, way: str, amr: str, identity_id: int | None = None) -> Session:
    """Begin a session. If the user has too many then, those unused for longest end.

    Args:
        user_id: the user.
        version: the user's session version when the identity was proved.
        way: how the session begins: a value of `assurance.Way`, or `provider:<id>`.
        amr: the proofs of identity that were given (RFC 8176), separated by spaces.
        identity_id: the identity at a provider that it begins with, if any.

    Raises:
        AccountChanged: the identity was unlinked; the caller must roll back.
    """
    origin, now = get_acting_context(), clock.now()
    session = Session(
        id=uuid.uuid4(),
        user_id=user_id,
        session_version=version,
        refresh_jti=uuid.uuid4(),
        refreshed_at=now,
        created_at=now,
        last_used_at=now,
        expires_at=now + timedelta(seconds=current_app.config["SESSION_LIFETIME"]),
        address=origin.ip_address,
        user_agent=origin.user_agent,
        way=str(way),
        identity_id=identity_id,
        amr=amr,
        proved_at=now,
        for_set_up=set_up_sessions.is_begun_for_set_up(user_id, amr),
    )
    db.session.add(session)
    try:
        db.session.flush()
    except IntegrityError as error:  # the identity was unlinked since it was proved
        if identity_id is None:
            raise
        raise AccountChanged from error
    surplus = queries.end_surplus_sessions(user_id, current_app.config["SESSIONS_PER_USER"], now, idle_since(now))
    if surplus:
        record_end(user_id, surplus)
    audit_log.record(
        "session.started", "user", user_id, {"way": (None, str(way)), "amr": (None, amr)}, actor_id=user_id
    )
    return session


def refresh_and_commit(claims: RefreshClaims) -> Refreshed:
    """Replace the refresh token of a session, in one UPDATE that commits by itself.

    The same token again within `REFRESH_REUSE_WINDOW` gets the same new token: a response was lost, or two tabs
    refreshed at the same time.

    Raises:
        TokenReused: the token was used before; the session is ended, which the caller must commit.
        TokenRevoked, TokenExpired: the session has ended, or the account is not active.
        TooManyRequests: the session was refreshed too often.
    """
    throttling.count_attempt("REFRESH_SESSION", str(claims.session_id))
    now = clock.now()
    refreshed: Refreshed | None = queries.replace_refresh_token(
        claims.session_id, claims.user_id, used=claims.jti, new=uuid.uuid4(), now=now, idle_since=idle_since(now)
    )
    return refreshed or _session_refreshed_before(claims, now)


def _session_refreshed_before(claims: RefreshClaims, now: datetime) -> Session:
    """A session that has another refresh token now; an error unless this one was used just before."""
    found = queries.read_session_to_refresh(claims.session_id, now, idle_since(now))
    if found is None or found.is_revoked or found.Session.user_id != claims.user_id:
        raise TokenRevoked
    if found.is_expired:
        raise TokenExpired
    session: Session = found.Session
    if not is_repeat(session, claims.jti, now):
        queries.end_session(session.id, now)
        audit_log.record("session.token_reused", "user", session.user_id, _ended([session.id]))
        emails.send_token_reused(session.user, when=now, ip=get_acting_context().ip_address)
        raise TokenReused
    return session


def is_repeat(refreshed: Any, jti: uuid.UUID, now: datetime) -> bool:
    """Whether a used refresh token is sent again so soon that the response to its first use may have been lost.

    Args:
        refreshed: what it belongs to, with `previous_jti` and `refreshed_at`.
        jti: of the token.
        now: the current time.
    """
    window = timedelta(seconds=current_app.config["REFRESH_REUSE_WINDOW"])
    return bool(window) and bool(refreshed.previous_jti == jti) and bool(now - refreshed.refreshed_at <= window)


def record_use(session_id: uuid.UUID, last_used_at: datetime) -> bool:
    """Store that a session is in use, if the stored time is not recent; whether something was written."""
    now = clock.now()
    if now - last_used_at < LAST_USED_PRECISION:
        return False
    queries.set_last_used(session_id, now)
    return True


def end_session(session_id: uuid.UUID, user_id: int) -> bool:
    """End a session; False if it has ended already."""
    ended = queries.end_session(session_id, clock.now())
    if ended is None:
        return False
    if ended.impersonator_id is None:
        record_end(user_id, [session_id])
    else:
        _record_ends_of_impersonations(user_id, [ended])
    return True


def _record_ends_of_impersonations(user_id: int, ended: Sequence[Any]) -> None:
    from . import impersonation  # nothing of it is imported before it is used

    for each in ended:
        impersonation.record_end(user_id, each)


def record_end(user_id: int, session_ids: Sequence[uuid.UUID]) -> None:
    """Write the event of some sessions of a user that have ended."""
    audit_log.record("session.ended", "user", user_id, _ended(session_ids))


def _ended(session_ids: Sequence[uuid.UUID]) -> audit_log.Changes | None:
    """What an event says of sessions that have ended: which, so that other services can reject their tokens."""
    if len(session_ids) > MAX_NAMED_SESSIONS:
        return None
    return {"sessions": ([str(session_id) for session_id in session_ids], None)}


def end_chosen_sessions(session_ids: Collection[uuid.UUID], by: Actor) -> int:
    """End sessions of any users, or none of them; returns the number that had not ended already.

    Raises:
        PermissionDenied: the actor lacks the permission, or one of the users has more permissions than the actor.
    """
    owners = queries.read_session_owners(session_ids)
    for user_id in sorted(set(owners.values())):  # in one order, so that two requests do not wait for each other
        accounts.lock(user_id, by=by, permission="delete_session")
    return sum(end_session(session_id, user_id) for session_id, user_id in owners.items())


def end_sessions(user: User, spare: uuid.UUID | None = None) -> None:
    """End the sessions of a locked user, and those of sign-ins that are still running, except one to spare."""
    user.session_version += 1
    db.session.flush()
    ended = queries.end_sessions(user.id, clock.now(), spare)
    if spare is not None:
        queries.carry_over_session(spare, user.session_version)
    audit_log.record("session.ended_all", "user", user.id, _ended([each.id for each in ended]))
    if impersonations := [each for each in ended if each.impersonator_id is not None]:
        _record_ends_of_impersonations(user.id, impersonations)


def end_all_sessions() -> int:
    """End every session of every user; the number of users.

    In a database restored from a backup, sessions that ended since are active again. This ends them.
    """
    users = queries.end_all_sessions(clock.now())
    audit_log.record("sessions.ended_all", None, None, {"users": (None, users)})
    return users


def sign_out(session_id: uuid.UUID, user_id: int, *, everywhere: bool) -> None:
    """End the session of a token, or every session of its user.

    Raises:
        TokenRevoked: every session is to end, but that of the token is not active.
    """
    if not everywhere:
        end_session(session_id, user_id)
        return
    user = user_queries.lock_user(user_id)
    now = clock.now()
    if user is None or queries.read_active_session(session_id, now, idle_since(now)) is None:
        raise TokenRevoked
    end_sessions(user)


def end_other_sessions(user_id: int, spare: uuid.UUID) -> None:
    """End every session of a user except one.

    Raises:
        TokenRevoked: the user was deleted.
    """
    user = user_queries.lock_user(user_id)
    if user is None:
        raise TokenRevoked
    end_sessions(user, spare)


def list_user_sessions(user_id: int) -> Sequence[sa.Row[Any]]:
    """The active sessions of a user, most recently used first."""
    now = clock.now()
    return queries.read_user_sessions(user_id, now, idle_since(now))


def list_active_sessions(user_id: int | None, most: int) -> Sequence[sa.Row[Any]]:
    """Active sessions with the email of their user, of one user or of all, most recently used first."""
    now = clock.now()
    return queries.list_active_sessions(now, idle_since(now), user_id, most)


def end_own_session(session_id: uuid.UUID, user_id: int) -> None:
    """End one of a user's own sessions.

    Raises:
        NotFound: there is no such session, or it is another user's.
    """
    if session_id not in {row.id for row in list_user_sessions(user_id)}:
        raise NotFound(_("You have no session with this id."))
    end_session(session_id, user_id)
