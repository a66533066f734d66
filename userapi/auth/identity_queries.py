"""The statements about sessions and accounts that identities at providers belong to."""

import uuid
from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from userapi.core.db import read_one
from userapi.core.writes import hit_keys
from userapi.users.queries import users

from .models import Session


def end_sessions_of_identity(
    identity_id: int, user_id: int, now: datetime, spare: uuid.UUID | None
) -> Sequence[uuid.UUID]:
    """End the sessions of a user that began with an identity, except one to spare if given; those that ended."""
    return hit_keys(
        sa.update(Session)
        .where(
            Session.identity_id == identity_id,
            Session.user_id == user_id,
            Session.ended_at.is_(None),
            *([] if spare is None else [Session.id != spare]),
        )
        .values(ended_at=now),
        Session.id,
    )


def read_session_version(user_id: int) -> int | None:
    """The session version of a user, read outside any transaction; None if there is no such user."""
    found = read_one(sa.select(users.c.session_version).where(users.c.id == user_id))
    return found.session_version if found else None
