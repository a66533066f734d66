"""Deletion of old events and of their IP addresses, if the settings say how long they are kept."""

import logging
from datetime import UTC, datetime, timedelta

from flask import current_app

from userapi.core import clock
from userapi.core.batches import ROWS_PER_TRANSACTION, prune_in_batches
from userapi.core.db import db
from userapi.observability import metrics

from . import address_queries, queries

log = logging.getLogger("userapi.audit")


#: Events may be committed this long after the time that they have.
LATE = timedelta(hours=1)


def prune_old() -> int:
    """Delete the events that are older than AUDIT_KEEP_DAYS, in batches; returns the number."""
    days = current_app.config["AUDIT_KEEP_DAYS"]
    if not days:
        return 0
    deleted = prune_in_batches(queries.delete_before, clock.now() - timedelta(days=days))
    if deleted:
        log.info("events deleted", extra={"count": deleted, "days": days})
    return deleted


def remove_addresses() -> int:
    """Remove IP addresses and devices from events older than AUDIT_ADDRESS_KEEP_DAYS, in batches; returns the number.

    It continues where the last call ended, so that it does not read all old events each time.
    """
    days = current_app.config["AUDIT_ADDRESS_KEEP_DAYS"]
    if not days:
        return 0
    before, reached = clock.now() - timedelta(days=days), address_queries.read_position()
    place = (datetime.min.replace(tzinfo=UTC) if reached is None else reached - LATE, 0)
    removed = 0
    while batch := address_queries.list_next(*place, before, ROWS_PER_TRANSACTION):
        removed += address_queries.remove([row.id for row in batch])
        place = (batch[-1].occurred_at, batch[-1].id)
        address_queries.store_position(place[0])
        db.session.commit()
    db.session.commit()
    if removed:
        metrics.get_current_metrics().removed_addresses.inc(removed)
        log.info("addresses of events removed", extra={"count": removed, "days": days})
    return removed
