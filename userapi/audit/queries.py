"""The events of the audit log, filtered, for the staff site and the command line."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from userapi.core.db import db, read_all, read_one

from .models import AuditEvent, EventFeed

events: Any = AuditEvent.__table__


def newest(filters: Mapping[str, Any], limit: int) -> Sequence[sa.Row[Any]]:
    """The newest matching events, the newest first."""
    return read_all(matching(filters).order_by(events.c.id.desc()).limit(limit))


def find_event(event_id: int) -> sa.Row[Any] | None:
    """One event."""
    return read_one(sa.select(events).where(events.c.id == event_id))


def after(filters: Mapping[str, Any], last_id: int, limit: int) -> Sequence[sa.Row[Any]]:
    """The next matching events after an id, the oldest first."""
    return read_all(matching(filters).where(events.c.id > last_id).order_by(events.c.id).limit(limit))


def list_of_user(user_id: int, last_id: int, limit: int) -> Sequence[sa.Row[Any]]:
    """The next events after an id that a user caused or that are about the user, the oldest first."""
    # Two statements, each of which an index serves; with OR, PostgreSQL may read the whole table for each batch.
    of_target = {"kind": "user", "target": str(user_id)}
    found = {row.id: row for part in ({"actor": user_id}, of_target) for row in after(part, last_id, limit)}
    return [found[event_id] for event_id in sorted(found)[:limit]]


def delete_before(moment: datetime, limit: int) -> int:
    """Delete up to a number of events that happened before a moment, the oldest first; returns the number.

    If one of them had no position in the feed yet, the feed leaves one out, so that readers find the gap.
    """
    old = sa.select(events.c.id).where(events.c.occurred_at < moment).order_by(events.c.occurred_at).limit(limit)
    deleted = sa.delete(events).where(events.c.id.in_(old)).returning(events.c.position)
    positions = db.session.scalars(deleted).all()
    if None in positions:
        db.session.execute(sa.update(EventFeed).values(last_position=EventFeed.last_position + 1))
    return len(positions)


def matching(filters: Mapping[str, Any]) -> sa.Select[Any]:
    """The events that match.

    Args:
        filters: any of `actor` (a user's id), `user` (the id of a user who acted or was the target), `kind` (of the
            target), `target` (its id), `impersonator` (the id of the member of staff who acted as the actor), `action`,
            `actions` (any of these), `origin`, `address` (the beginning of the IP address), `since` (inclusive),
            `until` (exclusive) and `before` (an id that theirs are smaller than).
    """
    conditions = {
        "actor": lambda value: events.c.actor_id == value,
        "user": lambda value: sa.or_(
            events.c.actor_id == value,
            sa.and_(events.c.target_kind == "user", events.c.target_id == str(value)),
        ),
        "impersonator": lambda value: events.c.impersonator_id == value,
        "kind": lambda value: events.c.target_kind == value,
        "target": lambda value: events.c.target_id == value,
        "action": lambda value: events.c.action == value,
        "actions": lambda value: events.c.action.in_(value),
        "origin": lambda value: events.c.origin == value,
        "address": lambda value: events.c.address.startswith(value, autoescape=True),
        "since": lambda value: events.c.occurred_at >= value,
        "until": lambda value: events.c.occurred_at < value,
        "before": lambda value: events.c.id < value,
    }
    return sa.select(events).where(*(conditions[name](value) for name, value in filters.items()))
