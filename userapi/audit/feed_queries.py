"""Every statement of the event feed."""

from collections.abc import Sequence
from typing import Any, NamedTuple, cast

import sqlalchemy as sa

from userapi.core import writes
from userapi.core.db import db, read_all, read_one

from .models import AuditEvent, EventFeed

events: Any = AuditEvent.__table__
feed: Any = EventFeed.__table__

HAS_NO_POSITION = events.c.position.is_(None)

#: The columns of an event that its document has.
COLUMNS = [each for each in events.c if each.name not in ("origin", "os_user", "address", "user_agent")]


class Window(NamedTuple):
    """The positions of some consecutive events of the feed.

    Attributes:
        first: the first position; None if there is no event.
        last: the last one.
        size: the number of events.
    """

    first: int | None
    last: int | None
    size: int


class State(NamedTuple):
    """How far the feed is.

    Attributes:
        last_position: the greatest position that an event was given.
        has_more: whether there are events without a position.
    """

    last_position: int
    has_more: bool


def read_window(after: int, limit: int) -> Window:
    """The positions of the next events after a position, up to a number of them."""
    next_ones = sa.select(events.c.position).where(events.c.position > after).order_by(events.c.position).limit(limit)
    position = next_ones.subquery().c.position
    edges: Any = sa.select(sa.func.min(position), sa.func.max(position), sa.func.count(position))
    row: Any = read_one(edges)
    return Window(*row)


def list_events(first: int, last: int, pattern: str, limit: int) -> Sequence[sa.Row[Any]]:
    """The events from one position to another whose action matches a pattern."""
    condition = events.c.position.between(first, last)
    if pattern.endswith(".*"):
        condition &= events.c.action.startswith(pattern[:-1], autoescape=True)
    elif pattern != "*":
        condition &= events.c.action == pattern
    return read_all(sa.select(*COLUMNS).where(condition).order_by(events.c.position).limit(limit))


def read_state() -> State:
    """How far the feed is."""
    last = sa.select(feed.c.last_position).scalar_subquery()
    more = sa.exists(sa.select(events.c.id).where(HAS_NO_POSITION))
    state: Any = sa.select(sa.func.coalesce(last, 0), more)
    row: Any = read_one(state)
    return State(row[0], bool(row[1]))


def give_positions(limit: int) -> int:
    """Give committed events without a position the next ones, in the order of their ids; returns their number.

    The row of the feed is locked until the transaction ends, so positions are committed in their order: who can read
    one can read all smaller ones. Events that another transaction is changing are left for the next time.
    """
    last = _lock_feed()
    waiting = sa.select(events.c.id).where(HAS_NO_POSITION).order_by(events.c.id).limit(limit)
    found = waiting.with_for_update(skip_locked=True).cte("waiting")
    position = sa.literal(last, sa.BigInteger()) + sa.func.row_number().over(order_by=found.c.id)
    placed = sa.select(found.c.id, position.label("position")).subquery("placed")
    update = sa.update(events).where(events.c.id == placed.c.id).values(position=placed.c.position)
    count = len(db.session.execute(update.returning(events.c.id)).all())
    if count:
        db.session.execute(sa.update(feed).values(last_position=last + count))
    return count


def _lock_feed() -> int:
    """The greatest position that was given, locked until the transaction ends."""
    insert = writes.insert(feed).values(id=1, last_position=0)
    locked = insert.on_conflict_do_update(index_elements=["id"], set_={"last_position": feed.c.last_position})
    return cast("int", db.session.execute(locked.returning(feed.c.last_position)).scalar_one())
