"""The statements about sessions, and the writes that only one of several requests can win."""

import uuid
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from userapi.core.db import db, read_all
from userapi.core.prepared import CommittingWrite, Read, Write
from userapi.core.writes import count_rows, delete_some, hit_keys, hits
from userapi.mfa.queries import SECOND_STEP_IS_ON
from userapi.users.group_queries import GROUP_REQUIRES_SECOND_STEP, HELD_IN_ONE
from userapi.users.models import User
from userapi.users.queries import document_columns, profiles, users

from .assurance import Level, level_of
from .models import Session

sessions = Session.__table__

#: When a session is active. Everything that shows, counts or accepts sessions uses this definition, joined with the
#: user. Its parameters are the current time (`now`) and the time since which a session must have been used
#: (`idle_since`).
NOT_REVOKED = (
    sessions.c.ended_at.is_(None),
    sessions.c.session_version == users.c.session_version,
    users.c.is_active,
)
NOT_EXPIRED = (
    sessions.c.expires_at > sa.bindparam("now"),
    sessions.c.last_used_at > sa.bindparam("idle_since"),
)
ACTIVE = (*NOT_REVOKED, *NOT_EXPIRED)

#: Sessions that a user began; those that API keys were exchanged for are in no list and count towards no limit.
OF_USERS = sessions.c.key_id.is_(None)

#: Those that the user began, and no member of staff who acts as the user: what they say is known of the user, and they
#: count towards the limit.
BY_USERS = sa.and_(OF_USERS, sessions.c.impersonator_id.is_(None))

with_users = sessions.join(users, users.c.id == sessions.c.user_id)
named = (sessions.c.id == sa.bindparam("session_id"), users.c.id == sa.bindparam("user_id"))

CALLER = Read(
    sa.select(
        *document_columns(),
        users.c.password_hash.is_not(None).label("has_password"),
        sessions.c.id.label("session_id"),
        sessions.c.last_used_at,
        sessions.c.created_at.label("session_created_at"),
        sessions.c.amr,
        sessions.c.proved_at,
        sessions.c.for_set_up,
        GROUP_REQUIRES_SECOND_STEP,
    )
    .select_from(with_users.outerjoin(profiles, profiles.c.user_id == users.c.id))
    .where(*named, *ACTIVE)
)
#: The same and what matters of staff: the caller's permissions, which cost half as much again, and the second step.
CALLER_AND_PERMISSIONS = Read(CALLER.statement.add_columns(HELD_IN_ONE.label("held_permissions"), SECOND_STEP_IS_ON))
HOLDER = Read(
    sa.select(users.c.is_staff, users.c.is_superuser, sessions.c.amr, sessions.c.for_set_up, GROUP_REQUIRES_SECOND_STEP)
    .select_from(with_users)
    .where(*named, *ACTIVE)
)


def read_caller(
    session_id: uuid.UUID, user_id: int, now: datetime, idle_since: datetime, *, with_permissions: bool = False
) -> Any:
    """The session, account and profile behind a token, in one statement; None unless the session is active.

    Args:
        session_id, user_id: named by the token.
        now: the current time.
        idle_since: sessions not used since then have expired.
        with_permissions: whether to read the caller's permissions too, as `held_permissions`, and whether the second
            step is on, as `second_step_is_on`.
    """
    read = CALLER_AND_PERMISSIONS if with_permissions else CALLER
    return read.one(session_id=session_id, user_id=user_id, now=now, idle_since=idle_since)


def read_holder(session_id: uuid.UUID, user_id: int, now: datetime, idle_since: datetime) -> Any:
    """What the session behind a token proves, and who has to prove more; None unless the session is active."""
    return HOLDER.one(session_id=session_id, user_id=user_id, now=now, idle_since=idle_since)


def replace_refresh_token(
    session_id: uuid.UUID, user_id: int, used: uuid.UUID, new: uuid.UUID, now: datetime, idle_since: datetime
) -> Any:
    """Replace a session's refresh token. It is one UPDATE that commits by itself, so only one caller can win.

    Returns:
        The session as it is now: id, user_id, expires_at, refreshed_at, refresh_jti, amr, proved_at and for_set_up;
        None if the session is not active, or `used` is not its refresh token any more.
    """
    return REPLACE_REFRESH_TOKEN.one(
        session_id=session_id, user_id=user_id, used=used, new=new, now=now, idle_since=idle_since
    )


#: The columns that tokens are issued from.
REFRESHED = (
    sessions.c.id,
    sessions.c.user_id,
    sessions.c.expires_at,
    sessions.c.refreshed_at,
    sessions.c.refresh_jti,
    sessions.c.amr,
    sessions.c.proved_at,
    sessions.c.for_set_up,
)

update_active_session = sa.update(Session).where(
    sessions.c.id == sa.bindparam("session_id"),
    sessions.c.user_id == sa.bindparam("user_id"),
    sa.exists().where(users.c.id == sessions.c.user_id, *ACTIVE),
)

REPLACE_REFRESH_TOKEN = CommittingWrite(
    update_active_session.where(sessions.c.refresh_jti == sa.bindparam("used"))
    .values(
        refresh_jti=sa.bindparam("new"),
        previous_jti=sa.bindparam("used"),
        refreshed_at=sa.bindparam("now"),
        last_used_at=sa.bindparam("now"),
    )
    .returning(*REFRESHED)
)


def store_proof(session_id: uuid.UUID, user_id: int, amr: str, now: datetime, idle_since: datetime) -> Any:
    """Store a proof of identity and another refresh token in a session.

    No earlier refresh token works after that, not even for the few seconds after a refresh. A session for set-up
    becomes a full one if a second factor was proved.

    Returns:
        The session as `replace_refresh_token` returns it; None if it is not active.
    """
    return STORE_PROOF.one(
        session_id=session_id,
        user_id=user_id,
        amr=amr,
        new=uuid.uuid4(),
        now=now,
        idle_since=idle_since,
        stays_for_set_up=level_of(amr) < Level.TWO_FACTORS,
    )


STORE_PROOF = Write(
    update_active_session.where(sessions.c.impersonator_id.is_(None))
    .values(
        amr=sa.bindparam("amr"),
        proved_at=sa.bindparam("now"),
        for_set_up=sa.and_(sessions.c.for_set_up, sa.bindparam("stays_for_set_up", type_=sa.Boolean)),
        refresh_jti=sa.bindparam("new"),
        previous_jti=sa.null(),
        refreshed_at=sa.bindparam("now"),
        last_used_at=sa.bindparam("now"),
    )
    .returning(*REFRESHED)
)


def set_last_used(session_id: uuid.UUID, now: datetime) -> None:
    """Store when a session was used."""
    hits(sa.update(Session).where(Session.id == session_id).values(last_used_at=now))


#: What is read of sessions that end.
ENDED = (Session.id, Session.impersonator_id, Session.expires_at)


def end_session(session_id: uuid.UUID, now: datetime) -> Any:
    """End a session; its `impersonator_id` and `expires_at`, or None if it had ended before."""
    return db.session.execute(
        sa.update(Session)
        .where(Session.id == session_id, Session.ended_at.is_(None))
        .values(ended_at=now)
        .returning(*ENDED)
        .execution_options(synchronize_session=False)
    ).one_or_none()


def end_sessions(user_id: int, now: datetime, spare: uuid.UUID | None = None) -> Sequence[Any]:
    """End a user's sessions, except one to spare; `id`, `impersonator_id` and `expires_at` of those that ended."""
    condition = [Session.user_id == user_id, Session.ended_at.is_(None)]
    if spare is not None:
        condition.append(Session.id != spare)
    ended = sa.update(Session).where(*condition).values(ended_at=now).returning(*ENDED)
    return db.session.execute(ended.execution_options(synchronize_session=False)).all()


def end_all_sessions(now: datetime) -> int:
    """End every session, and those of sign-ins that are still running; the number of users."""
    users = count_rows(sa.update(User).values(session_version=User.session_version + 1))
    db.session.execute(
        sa.update(Session)
        .where(Session.ended_at.is_(None))
        .values(ended_at=now)
        .execution_options(synchronize_session=False)
    )
    return users


def end_surplus_sessions(user_id: int, allowed: int, now: datetime, idle_since: datetime) -> Sequence[uuid.UUID]:
    """End the active sessions of a user that exceed a number, those unused for longest first; those that ended."""
    surplus = (
        sa.select(sessions.c.id)
        .select_from(with_users)
        .where(users.c.id == user_id, BY_USERS, *ACTIVE)
        .order_by(sessions.c.last_used_at.desc(), sessions.c.id)
        .offset(allowed)
    )
    return hit_keys(
        sa.update(Session).where(Session.id.in_(surplus)).values(ended_at=now),
        Session.id,
        {"now": now, "idle_since": idle_since},
    )


def carry_over_session(session_id: uuid.UUID, version: int) -> None:
    """Keep a session active under the new session version of its user."""
    hits(sa.update(Session).where(Session.id == session_id).values(session_version=version))


def read_session(session_id: uuid.UUID) -> Session | None:
    """A session with its user, as the current transaction sees them."""
    return db.session.scalar(
        sa.select(Session)
        .where(Session.id == session_id)
        .options(sa.orm.joinedload(Session.user))
        .execution_options(populate_existing=True)
    )


def read_session_owners(session_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, int]:
    """The users' IDs by the IDs of sessions; deleted sessions are missing."""
    rows = db.session.execute(sa.select(Session.id, Session.user_id).where(Session.id.in_(session_ids)))
    return {row.id: row.user_id for row in rows}


def read_session_to_refresh(session_id: uuid.UUID, now: datetime, idle_since: datetime) -> Any:
    """A session with its user, `is_revoked` and `is_expired`, as the current transaction sees them; None without one.

    It is active when it is neither.
    """
    return db.session.execute(
        sa.select(
            Session,
            sa.not_(sa.and_(*NOT_REVOKED)).label("is_revoked"),
            sa.not_(sa.and_(*NOT_EXPIRED)).label("is_expired"),
        )
        .join(Session.user)
        .where(Session.id == session_id)
        .options(sa.orm.contains_eager(Session.user))
        .execution_options(populate_existing=True),
        {"now": now, "idle_since": idle_since},
    ).one_or_none()


def read_active_session(session_id: uuid.UUID, now: datetime, idle_since: datetime) -> Session | None:
    """A session that is active, as the current transaction sees it."""
    return db.session.scalar(
        sa.select(Session).join(Session.user).where(Session.id == session_id, *ACTIVE),
        {"now": now, "idle_since": idle_since},
    )


def read_user_sessions(user_id: int, now: datetime, idle_since: datetime) -> Sequence[sa.Row[Any]]:
    """A user's active sessions, most recently used first."""
    return read_all(ALL_ACTIVE.where(users.c.id == user_id), {"now": now, "idle_since": idle_since})


def list_active_sessions(now: datetime, idle_since: datetime, user_id: int | None, most: int) -> Sequence[sa.Row[Any]]:
    """Active sessions with the email of their user, of one user or of all, most recently used first."""
    statement = ALL_ACTIVE.add_columns(users.c.email).limit(most)
    statement = statement if user_id is None else statement.where(users.c.id == user_id)
    return read_all(statement, {"now": now, "idle_since": idle_since})


ALL_ACTIVE = (
    sa.select(
        sessions.c.id,
        sessions.c.created_at,
        sessions.c.last_used_at,
        sessions.c.expires_at,
        sessions.c.address,
        sessions.c.user_agent,
        sessions.c.way,
        sessions.c.impersonator_id,
    )
    .select_from(with_users)
    .where(OF_USERS, *ACTIVE)
    .order_by(sessions.c.last_used_at.desc(), sessions.c.id)
)


def delete_ended_sessions(before: datetime, most: int) -> int:
    """Delete sessions that ended before a time, at most `most` of them; the number deleted."""
    return delete_some(Session.id, sa.or_(Session.expires_at < before, Session.ended_at < before), most)


def read_user_for_claims(user_id: int) -> Any:
    """A `User`, and what `mfa.requirements` reads, for the claims in `ACCESS_TOKEN_CLAIMS`."""
    statement: Any = sa.select(User, User.is_staff, User.is_superuser, GROUP_REQUIRES_SECOND_STEP)
    return db.session.execute(statement.where(User.id == user_id)).one()
