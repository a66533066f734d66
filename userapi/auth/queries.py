"""Every question asked about sessions, by name, and the writes that only one caller can win."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

import sqlalchemy as sa

from userapi.core.db import db, read_all, read_one
from userapi.core.prepared import CommittingWrite, Read
from userapi.users.group_queries import HELD_IN_ONE
from userapi.users.models import User
from userapi.users.queries import document_columns, profiles, users

from .models import Session

sessions = Session.__table__

#: When a session is active. Whatever shows, counts or accepts sessions takes this definition, joined with the user;
#: its parameters are the present moment (`now`) and the end of the time that sessions may be idle (`idle_since`).
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

with_users = sessions.join(users, users.c.id == sessions.c.user_id)
named = (sessions.c.id == sa.bindparam("session_id"), users.c.id == sa.bindparam("user_id"))

CALLER = Read(
    sa.select(
        *document_columns(),
        sessions.c.id.label("session_id"),
        sessions.c.last_used_at,
        sessions.c.created_at.label("session_created_at"),
    )
    .select_from(with_users.outerjoin(profiles, profiles.c.user_id == users.c.id))
    .where(*named, *ACTIVE)
)
#: The same and the caller's permissions, which cost half as much again.
CALLER_AND_PERMISSIONS = Read(CALLER.statement.add_columns(HELD_IN_ONE.label("held_permissions")))
IS_ACTIVE = Read(sa.select(sessions.c.id).select_from(with_users).where(*named, *ACTIVE))


def read_caller(
    session_id: uuid.UUID, user_id: int, now: datetime, idle_since: datetime, *, with_permissions: bool = False
) -> Any:
    """The session, account and profile behind a token, in one statement; None unless the session is active.

    Args:
        session_id, user_id: named by the token.
        now: the present moment.
        idle_since: sessions not used since then have ended.
        with_permissions: whether to read the caller's permissions too, as `held_permissions`.
    """
    read = CALLER_AND_PERMISSIONS if with_permissions else CALLER
    return read.one(session_id=session_id, user_id=user_id, now=now, idle_since=idle_since)


def is_session_active(session_id: uuid.UUID, user_id: int, now: datetime, idle_since: datetime) -> bool:
    """Whether the session behind a token is active."""
    found = IS_ACTIVE.one(session_id=session_id, user_id=user_id, now=now, idle_since=idle_since)
    return found is not None


def read_credentials(email_key: str) -> Any:
    """What a sign-in is checked against: id, password_hash, is_active and email_verified_at."""
    return CREDENTIALS.one(email_key=email_key)


CREDENTIALS = Read(
    sa.select(users.c.id, users.c.password_hash, users.c.is_active, users.c.email_verified_at).where(
        users.c.email_key == sa.bindparam("email_key")
    )
)


def read_password_hash(user_id: int) -> str | None:
    """A user's stored hash."""
    found = read_one(sa.select(users.c.password_hash).where(users.c.id == user_id))
    return found[0] if found else None


def record_sign_in(user_id: int, seen_hash: str, new_hash: str, now: datetime) -> int | None:
    """Note a sign-in, if the account is as it was when the password was checked.

    One UPDATE, so that a deactivation or a change of password that came between wins.

    Args:
        user_id: who.
        seen_hash: what the password was checked against.
        new_hash: what to store: the same, or the password hashed at the present cost.
        now: when.

    Returns:
        The session version that a session beginning now belongs to; None when the account has changed.
    """
    return db.session.scalar(
        sa.update(User)
        .where(User.id == user_id, User.is_active, User.password_hash == seen_hash)
        .values(last_login=now, password_hash=new_hash)
        .returning(User.session_version)
        .execution_options(synchronize_session=False)
    )


def is_known_device(user_id: int, address: str | None, user_agent: str | None) -> bool | None:
    """Whether an earlier session of the user has the same address or browser; None when there is no earlier one."""
    alike = sa.or_(Session.address == address, Session.user_agent == user_agent)
    found = db.session.scalar(sa.select(sa.func.max(sa.case((alike, 1), else_=0))).where(Session.user_id == user_id))
    return None if found is None else bool(found)


def read_ip_addresses(email_key: str) -> set[str | None]:
    """The network addresses that an account has signed in from."""
    return {row[0] for row in ADDRESSES_OF.all(email_key=email_key)}


ADDRESSES_OF = Read(
    sa.select(sessions.c.address)
    .select_from(with_users)
    .where(users.c.email_key == sa.bindparam("email_key"))
    .distinct()
)


def read_recipient(user_id: int) -> sa.Row[str, str, str | None]:
    """The email, first_name and language to write to."""
    return db.session.execute(sa.select(User.email, User.first_name, User.language).where(User.id == user_id)).one()


def replace_refresh_token(
    session_id: uuid.UUID, user_id: int, used: uuid.UUID, new: uuid.UUID, now: datetime, idle_since: datetime
) -> Any:
    """Replace a session's refresh token. It is one UPDATE that commits by itself, so only one caller can win.

    Returns:
        The session as it is now: id, user_id, expires_at, refreshed_at and refresh_jti; None if the session is not
        active, or `used` is not its refresh token any more.
    """
    return REPLACE_REFRESH_TOKEN.one(
        session_id=session_id, user_id=user_id, used=used, new=new, now=now, idle_since=idle_since
    )


REPLACE_REFRESH_TOKEN = CommittingWrite(
    sa.update(Session)
    .where(
        sessions.c.id == sa.bindparam("session_id"),
        sessions.c.user_id == sa.bindparam("user_id"),
        sessions.c.refresh_jti == sa.bindparam("used"),
        sa.exists().where(users.c.id == sessions.c.user_id, *ACTIVE),
    )
    .values(
        refresh_jti=sa.bindparam("new"),
        previous_jti=sa.bindparam("used"),
        refreshed_at=sa.bindparam("now"),
        last_used_at=sa.bindparam("now"),
    )
    .returning(
        sessions.c.id, sessions.c.user_id, sessions.c.expires_at, sessions.c.refreshed_at, sessions.c.refresh_jti
    )
)


def set_last_used(session_id: uuid.UUID, now: datetime) -> None:
    """Note that a session is in use."""
    _hits(sa.update(Session).where(Session.id == session_id).values(last_used_at=now))


def end_session(session_id: uuid.UUID, now: datetime) -> bool:
    """End a session, if it has not ended yet."""
    return _hits(sa.update(Session).where(Session.id == session_id, Session.ended_at.is_(None)).values(ended_at=now))


def end_sessions(user_id: int, now: datetime, spare: uuid.UUID | None = None) -> int:
    """End a user's sessions, but for one to be spared; how many ended."""
    condition = [Session.user_id == user_id, Session.ended_at.is_(None)]
    if spare is not None:
        condition.append(Session.id != spare)
    return _count(sa.update(Session).where(*condition).values(ended_at=now))


def end_all_sessions(now: datetime) -> int:
    """End every session there is, and any whose sign-in is on its way; how many users there are."""
    users = _count(sa.update(User).values(session_version=User.session_version + 1))
    db.session.execute(
        sa.update(Session)
        .where(Session.ended_at.is_(None))
        .values(ended_at=now)
        .execution_options(synchronize_session=False)
    )
    return users


def end_surplus_sessions(user_id: int, allowed: int, now: datetime, idle_since: datetime) -> int:
    """End a user's longest unused active sessions beyond a number."""
    surplus = (
        sa.select(sessions.c.id)
        .select_from(with_users)
        .where(users.c.id == user_id, *ACTIVE)
        .order_by(sessions.c.last_used_at.desc(), sessions.c.id)
        .offset(allowed)
    )
    return _count(
        sa.update(Session).where(Session.id.in_(surplus)).values(ended_at=now),
        {"now": now, "idle_since": idle_since},
    )


def carry_over_session(session_id: uuid.UUID, version: int) -> None:
    """Let a session go on under the user's new version."""
    _hits(sa.update(Session).where(Session.id == session_id).values(session_version=version))


def read_session(session_id: uuid.UUID) -> Session | None:
    """A session with its user, as the present transaction sees them."""
    return db.session.scalar(
        sa.select(Session)
        .where(Session.id == session_id)
        .options(sa.orm.joinedload(Session.user))
        .execution_options(populate_existing=True)
    )


def read_session_to_refresh(session_id: uuid.UUID, now: datetime, idle_since: datetime) -> Any:
    """A session with its user, `is_revoked` and `is_expired`, as the present transaction sees them; None without one.

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
    """A session that is active, as the present transaction sees it."""
    return db.session.scalar(
        sa.select(Session).join(Session.user).where(Session.id == session_id, *ACTIVE),
        {"now": now, "idle_since": idle_since},
    )


def list_sessions(user_id: int, now: datetime, idle_since: datetime) -> Sequence[sa.Row[Any]]:
    """A user's active sessions, the last used first."""
    return read_all(ALL_ACTIVE.where(users.c.id == user_id), {"now": now, "idle_since": idle_since})


def list_active_sessions(now: datetime, idle_since: datetime, user_id: int | None, most: int) -> Sequence[sa.Row[Any]]:
    """Active sessions with the email of their user, of one user or of all, the last used first."""
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
    )
    .select_from(with_users)
    .where(*ACTIVE)
    .order_by(sessions.c.last_used_at.desc(), sessions.c.id)
)


def delete_ended_sessions(before: datetime, most: int) -> int:
    """Delete sessions that were over before a moment, a bounded number at a time; how many went."""
    over = sa.select(Session.id).where(sa.or_(Session.expires_at < before, Session.ended_at < before)).limit(most)
    return _count(sa.delete(Session).where(Session.id.in_(over)))


def read_user(user_id: int) -> User:
    """A user, for the claims that other services want to read."""
    return db.session.get_one(User, user_id)


def _hits(statement: Any) -> bool:
    return _count(statement) == 1


def _count(statement: Any, parameters: dict[str, Any] | None = None) -> int:
    result = db.session.execute(statement.execution_options(synchronize_session=False), parameters)
    return cast("sa.CursorResult[Any]", result).rowcount
