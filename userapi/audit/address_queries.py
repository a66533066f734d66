"""The statements that remove the IP addresses of old events."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from userapi.core import writes
from userapi.core.db import UTCDateTime, db, read_one

from .models import AddressRemoval, AuditEvent

events: Any = AuditEvent.__table__
removal: Any = AddressRemoval.__table__

HAS_ADDRESS = sa.or_(events.c.address.is_not(None), events.c.user_agent.is_not(None))


def read_position() -> datetime | None:
    """The time before which events have no IP address any more; None at first."""
    row = read_one(sa.select(removal.c.removed_until))
    return None if row is None else row.removed_until


def list_next(after: datetime, last_id: int, before: datetime, limit: int) -> Sequence[sa.Row[Any]]:
    """The next events after one and before a time, the oldest first."""
    place = sa.tuple_(events.c.occurred_at, events.c.id)
    return db.session.execute(
        sa.select(events.c.id, events.c.occurred_at)
        .where(place > sa.tuple_(sa.literal(after, UTCDateTime), sa.literal(last_id)), events.c.occurred_at < before)
        .order_by(events.c.occurred_at, events.c.id)
        .limit(limit)
    ).all()


def remove(event_ids: Sequence[int]) -> int:
    """Remove the IP address and the device from events; the number of events that had them."""
    update = sa.update(events).where(events.c.id.in_(event_ids), HAS_ADDRESS)
    return writes.count_rows(update.values(address=None, user_agent=None))


def store_position(moment: datetime) -> None:
    """Store how far the addresses are removed."""
    insert = writes.insert(removal).values(id=1, removed_until=moment)
    later = sa.case((removal.c.removed_until < moment, moment), else_=removal.c.removed_until)
    db.session.execute(insert.on_conflict_do_update(index_elements=["id"], set_={"removed_until": later}))
