"""The events of the trail, filtered: for the staff site and the command line."""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from userapi.core.db import read_all

from .models import AuditEvent

events = AuditEvent.__table__


def newest(filters: Mapping[str, Any], limit: int, before: int | None = None) -> Sequence[sa.Row[Any]]:
    """The newest events that match, the newest first.

    Args:
        filters: as `matching` has them.
        limit: how many.
        before: only those with a smaller id.
    """
    statement = matching(filters).order_by(events.c.id.desc()).limit(limit)
    return read_all(statement if before is None else statement.where(events.c.id < before))


def matching(filters: Mapping[str, Any]) -> sa.Select[Any]:
    """The events that match.

    Args:
        filters: any of `actor` (a user's id), `kind` (of the target), `target` (its id), `action`, `origin`, `since`
            (inclusive) and `until` (exclusive).
    """
    conditions = {
        "actor": lambda value: events.c.actor_id == value,
        "kind": lambda value: events.c.target_kind == value,
        "target": lambda value: events.c.target_id == value,
        "action": lambda value: events.c.action == value,
        "origin": lambda value: events.c.origin == value,
        "since": lambda value: events.c.occurred_at >= value,
        "until": lambda value: events.c.occurred_at < value,
    }
    return sa.select(events).where(*(conditions[name](value) for name, value in filters.items()))
