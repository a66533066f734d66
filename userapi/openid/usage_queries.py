"""How many users clients have. Counting stops at a maximum, because a client may have millions."""

from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from userapi.core.db import read_all, read_one

from .family_queries import IS_ACTIVE
from .models import Client, Consent, TokenFamily

clients: Any = Client.__table__
consents: Any = Consent.__table__
families: Any = TokenFamily.__table__

#: The number of token families, and of consents, of one client that are looked at.
MAX_COUNTED = 10_000


class UserCount(NamedTuple):
    """A number of users.

    Attributes:
        number: those that were counted.
        is_more: whether there may be more, because counting stopped.
    """

    number: int
    is_more: bool


def count_users(client_id: str) -> UserCount:
    """The number of users who hold tokens of a client or allow it something."""
    row: Any = read_one(sa.select(_count(_held(client_id), _allowed(client_id))))
    return _read(row[0])


def count_users_of_all() -> dict[str, UserCount]:
    """The same for each client, by id."""
    parts = (each.correlate(clients) for each in (_held(clients.c.id), _allowed(clients.c.id)))
    rows: Any = read_all(sa.select(clients.c.id, _count(*parts)))
    return {row[0]: _read(row[1]) for row in rows}


def count_signed_in(client_id: str, now: datetime, idle_since: datetime) -> UserCount:
    """The number of users whose tokens at a client are accepted."""
    row: Any = read_one(
        sa.select(_count(_held(client_id).where(*IS_ACTIVE))), {"now": now, "idle_since": idle_since}
    )  # fmt: skip
    return _read(row[0])


def _held(client_id: Any) -> sa.Select[Any]:
    return sa.select(families.c.user_id, sa.literal(1).label("is_held")).where(
        families.c.client_id == client_id, families.c.user_id.is_not(None), families.c.ended_at.is_(None)
    )


def _allowed(client_id: Any) -> sa.Select[Any]:
    return sa.select(consents.c.user_id, sa.literal(0).label("is_held")).where(consents.c.client_id == client_id)


def _count(*parts: sa.Select[Any]) -> Any:
    """The number of users in some rows of each part; negative if one of them has more rows."""
    some = sa.union_all(*(sa.select(part.limit(MAX_COUNTED).subquery()) for part in parts)).subquery()
    number, held = sa.func.count(some.c.user_id.distinct()), sa.func.sum(some.c.is_held)
    is_full = sa.or_(held == MAX_COUNTED, sa.func.count() - held == MAX_COUNTED)
    return sa.select(sa.case((is_full, -number), else_=number)).select_from(some).scalar_subquery()


def _read(counted: int) -> UserCount:
    return UserCount(abs(counted), counted < 0)
