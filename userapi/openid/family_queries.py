"""Every statement about token families."""

import uuid
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import joinedload

from userapi.auth.models import Session
from userapi.auth.queries import ACTIVE
from userapi.core.db import db
from userapi.core.prepared import Read, Write
from userapi.core.writes import count_rows, delete_some
from userapi.users.models import User

from .models import Client, TokenFamily

clients: Any = Client.__table__
families: Any = TokenFamily.__table__
sessions: Any = Session.__table__
users: Any = User.__table__

#: Whether the session of a family is active. Its parameters are those of `ACTIVE`.
_SESSION_IS_ACTIVE = sa.exists().where(sessions.c.id == families.c.session_id, *ACTIVE)

#: When the tokens of a family are accepted: everything that refreshes, shows or accepts tokens uses this definition.
#: Its parameters are `now` and, for the session, `idle_since`.
IS_ACTIVE = (
    families.c.ended_at.is_(None),
    families.c.expires_at > sa.bindparam("now"),
    sa.exists().where(clients.c.id == families.c.client_id, clients.c.disabled_at.is_(None)),
    sa.or_(
        families.c.user_id.is_(None),
        sa.exists().where(
            users.c.id == families.c.user_id,
            users.c.is_active,
            sa.or_(
                sa.and_(families.c.is_offline, users.c.session_version == families.c.session_version),
                sa.and_(sa.not_(families.c.is_offline), _SESSION_IS_ACTIVE.correlate(families, users)),
            ),
        ),
    ),
)


def lock_session(session_id: uuid.UUID, user_id: int, now: datetime, idle_since: datetime) -> Session | None:
    """An active session with its user, which does not end before the transaction does."""
    statement = (
        sa.select(Session)
        .join(Session.user)
        .where(Session.id == session_id, Session.user_id == user_id, *ACTIVE)
        .options(sa.orm.contains_eager(Session.user).options(joinedload(User.profile)))
        .with_for_update(read=True, of=Session)
        .execution_options(populate_existing=True)
    )
    return db.session.scalar(statement, {"now": now, "idle_since": idle_since})


def replace_refresh_token(
    family_id: uuid.UUID, client_id: str, used: uuid.UUID, new: uuid.UUID, *, now: datetime, idle_since: datetime,
    unused_since: datetime,
) -> Any:  # fmt: skip
    """Replace the refresh token of a family; only one request can win.

    Args:
        family_id, client_id: named by the token and by the client that sent it.
        used: its `jti`.
        new: the `jti` of the next one.
        now: the current time.
        idle_since: sessions not used since then have expired.
        unused_since: refresh tokens not used since then have expired.

    Returns:
        The family as it is now; None if it has ended, or `used` is not its refresh token any more.
    """
    return REPLACE_REFRESH_TOKEN.one(
        family_id=family_id,
        client_id=client_id,
        used=used,
        new=new,
        now=now,
        idle_since=idle_since,
        unused_since=unused_since,
    )


named = (families.c.id == sa.bindparam("family_id"), families.c.client_id == sa.bindparam("client_id"))

REPLACE_REFRESH_TOKEN = Write(
    sa.update(TokenFamily)
    .where(
        *named,
        families.c.refresh_jti == sa.bindparam("used"),
        families.c.refreshed_at > sa.bindparam("unused_since"),
        *IS_ACTIVE,
    )
    .values(refresh_jti=sa.bindparam("new"), previous_jti=sa.bindparam("used"), refreshed_at=sa.bindparam("now"))
    .returning(*families.c)
)


def find_family(family_id: uuid.UUID, now: datetime, idle_since: datetime) -> Any:
    """A family whose tokens are accepted, read outside any transaction; None if there is none."""
    return FAMILY.one(family_id=family_id, now=now, idle_since=idle_since)


FAMILY = Read(sa.select(*families.c).where(families.c.id == sa.bindparam("family_id"), *IS_ACTIVE))


def find_family_in_transaction(family_id: uuid.UUID, now: datetime, idle_since: datetime) -> Any:
    """The same, as the current transaction sees it."""
    return db.session.execute(
        FAMILY.statement, {"family_id": family_id, "now": now, "idle_since": idle_since}
    ).one_or_none()


def end_family(family_id: uuid.UUID, now: datetime) -> Any:
    """End a family; its `client_id` and `user_id`, or None if it had ended before."""
    return db.session.execute(
        sa.update(TokenFamily)
        .where(TokenFamily.id == family_id, TokenFamily.ended_at.is_(None))
        .values(ended_at=now)
        .returning(TokenFamily.client_id, TokenFamily.user_id)
        .execution_options(synchronize_session=False)
    ).one_or_none()


def end_families(user_id: int, client_id: str, now: datetime) -> int:
    """End the families of a user at a client; the number of those that had not ended."""
    return count_rows(
        sa.update(TokenFamily)
        .where(TokenFamily.user_id == user_id, TokenFamily.client_id == client_id, TokenFamily.ended_at.is_(None))
        .values(ended_at=now)
    )


def read_user(user_id: int) -> User | None:
    """A user with profile and groups, as the current transaction sees them."""
    return db.session.scalar(sa.select(User).where(User.id == user_id).options(joinedload(User.profile)))


def delete_ended_families(before: datetime, limit: int) -> int:
    """Delete some families that ended before a moment; the number deleted."""
    ended = sa.or_(TokenFamily.expires_at < before, TokenFamily.ended_at < before)
    return delete_some(TokenFamily.id, ended, limit)
