"""The statements about impersonations: sessions in which a member of staff acts as a user."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from userapi.core.db import UTCDateTime, db
from userapi.core.prepared import Read
from userapi.users.group_queries import GROUP_REQUIRES_SECOND_STEP, HELD_BY_USER
from userapi.users.queries import users

from .models import Session
from .queries import ACTIVE, sessions, with_users

impersonations = sessions.alias("impersonations")

#: The member of staff behind an impersonation, with what `set_up_sessions` reads: `sessions` is their own session.
IMPERSONATOR = Read(
    sa.select(
        users.c.id,
        users.c.email,
        users.c.first_name,
        users.c.last_name,
        users.c.is_staff,
        users.c.is_superuser,
        HELD_BY_USER.label("held_permissions"),
        GROUP_REQUIRES_SECOND_STEP,
        sessions.c.id.label("session_id"),
        sessions.c.amr,
        sessions.c.for_set_up,
        impersonations.c.expires_at.label("ends_at"),
    )
    .select_from(with_users.join(impersonations, impersonations.c.impersonator_session_id == sessions.c.id))
    .where(
        impersonations.c.id == sa.bindparam("session_id"),
        impersonations.c.impersonator_id == sa.bindparam("impersonator_id"),
        users.c.id == sa.bindparam("impersonator_id"),
        *ACTIVE,
    )
)


def read_impersonator(session_id: uuid.UUID, impersonator_id: int, now: datetime, idle_since: datetime) -> Any:
    """The member of staff behind an impersonation; None unless their own session is active."""
    return IMPERSONATOR.one(session_id=session_id, impersonator_id=impersonator_id, now=now, idle_since=idle_since)


def end_impersonations(impersonator_id: int, now: datetime) -> Sequence[Any]:
    """End what a member of staff has begun; `id`, `user_id` and `expires_at` of those that ended."""
    ended = (
        sa.update(Session)
        .where(Session.impersonator_id == impersonator_id, Session.ended_at.is_(None))
        .values(ended_at=now)
        .returning(Session.id, Session.user_id, Session.expires_at)
    )
    return db.session.execute(ended.execution_options(synchronize_session=False)).all()


def find_begun(own_session_id: uuid.UUID, user_id: int, since: datetime) -> Session | None:
    """What was begun from a session of a member of staff since a moment and has not ended."""
    found = sa.select(Session).where(
        Session.impersonator_session_id == own_session_id,
        Session.user_id == user_id,
        Session.created_at > since,
        Session.ended_at.is_(None),
    )
    return db.session.scalar(found)


def mark_returned(impersonation_id: uuid.UUID, own_session_id: uuid.UUID, now: datetime, since: datetime) -> Any:
    """Mark that the browser of an impersonation got the own session back, once; `user_id` and `impersonator_id`.

    None if it has got it before `since`, or if this impersonation was not begun from that session.
    """
    marked = (
        sa.update(Session)
        .where(
            Session.id == impersonation_id,
            Session.impersonator_session_id == own_session_id,
            sa.or_(Session.returned_at.is_(None), Session.returned_at > since),
        )
        .values(returned_at=sa.func.coalesce(Session.returned_at, sa.literal(now, UTCDateTime)))
        .returning(Session.user_id, Session.impersonator_id)
    )
    return db.session.execute(marked.execution_options(synchronize_session=False)).one_or_none()


def end_expired(before: datetime, limit: int) -> Sequence[Any]:
    """End impersonations that expired before a moment; `id`, `user_id` and `expires_at` of those that ended."""
    has_expired = (Session.impersonator_id.is_not(None), Session.ended_at.is_(None), Session.expires_at < before)
    some = sa.select(Session.id).where(*has_expired).limit(limit)
    ended = (
        sa.update(Session)
        .where(Session.id.in_(some), *has_expired)
        .values(ended_at=Session.expires_at)
        .returning(Session.id, Session.user_id, Session.expires_at)
    )
    return db.session.execute(ended.execution_options(synchronize_session=False)).all()
