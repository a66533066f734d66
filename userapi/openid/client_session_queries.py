"""Every statement about the sessions that clients are notified about."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from userapi.auth.models import Session
from userapi.core.db import db
from userapi.core.prepared import Write
from userapi.core.writes import count_rows, insert
from userapi.users.models import User

from .models import Client, ClientSession

clients: Any = Client.__table__
client_sessions: Any = ClientSession.__table__
sessions: Any = Session.__table__
users: Any = User.__table__


#: Whether a client is to be notified of any session, for the statement that writes an event.
IS_ANY_WATCHED = sa.exists(sa.select(client_sessions.c.session_id))


def watch_session(session_id: uuid.UUID, client_id: str, user_id: int, sid: str, expires_at: datetime) -> None:
    """Store that a client is notified when a session ends; a second sign-in in the same session changes nothing."""
    values = {
        "session_id": session_id, "client_id": client_id, "user_id": user_id, "sid": sid, "expires_at": expires_at,
    }  # fmt: skip
    statement = insert(client_sessions).values(values)
    db.session.execute(statement.on_conflict_do_nothing(index_elements=["session_id", "client_id"]))


def take_ended_sessions(user_id: int | None) -> Sequence[Any]:
    """Delete and return the watched sessions that have ended, of one user or of all (None), with their clients."""
    found = TAKE_ENDED_OF_ALL.all() if user_id is None else TAKE_ENDED.all(user_id=user_id)
    return [row for row in found if row.uri is not None]


def take_sessions_of(user_id: int, client_id: str | None) -> Sequence[Any]:
    """Delete and return every watched session of a user, at one client or at all (None)."""
    statement = sa.delete(ClientSession).where(ClientSession.user_id == user_id)
    if client_id is not None:
        statement = statement.where(ClientSession.client_id == client_id)
    rows = db.session.execute(statement.returning(*_NOTIFIED).execution_options(synchronize_session=False)).all()
    return [row for row in rows if row.uri is not None]


#: The URL that is called; None for a disabled one.
_URI = (
    sa.select(clients.c.backchannel_logout_uri)
    .where(clients.c.id == client_sessions.c.client_id, clients.c.disabled_at.is_(None))
    .scalar_subquery()
    .label("uri")
)
_NOTIFIED = (client_sessions.c.client_id, client_sessions.c.user_id, client_sessions.c.sid, _URI)

#: A watched session whose row says that it has ended, or that is gone.
_HAS_ENDED = ~sa.exists().where(
    sessions.c.id == client_sessions.c.session_id,
    sessions.c.ended_at.is_(None),
    users.c.id == sessions.c.user_id,
    users.c.is_active,
    users.c.session_version == sessions.c.session_version,
)

TAKE_ENDED = Write(
    sa.delete(ClientSession)
    .where(client_sessions.c.user_id == sa.bindparam("user_id"), _HAS_ENDED)
    .returning(*_NOTIFIED)
)
TAKE_ENDED_OF_ALL = Write(sa.delete(ClientSession).where(_HAS_ENDED).returning(*_NOTIFIED))


def delete_expired_client_sessions(before: datetime, limit: int) -> int:
    """Delete some watched sessions that expired before a moment; clients are not notified of that."""
    ids = (
        sa.select(ClientSession.session_id, ClientSession.client_id)
        .where(ClientSession.expires_at < before)
        .limit(limit)
    )
    return count_rows(
        sa.delete(ClientSession).where(sa.tuple_(ClientSession.session_id, ClientSession.client_id).in_(ids))
    )
