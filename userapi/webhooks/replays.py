"""Sending deliveries again that have ended: with the same `webhook-id`, so that a receiver recognizes them."""

import uuid
from datetime import datetime, timedelta

import sqlalchemy as sa

from userapi.audit import audit_log
from userapi.core import clock, loop

from . import endpoints, queries
from .fan_out import LOOP
from .models import State
from .problems import DeliveryNotFound

#: How long a delivery is not replayed again, so that a double click sends it once.
COOLDOWN = timedelta(seconds=10)


def replay_one(endpoint_id: uuid.UUID, delivery_id: int) -> int:
    """Replay a delivery; returns 0 if it waits anyway or was replayed a moment ago.

    Raises:
        WebhookNotFound: there is no webhook with this id.
        DeliveryNotFound: the webhook has no delivery with this id.
    """
    endpoints.lock(endpoint_id)
    if queries.find_delivery(endpoint_id, delivery_id) is None:
        raise DeliveryNotFound
    return _replay(endpoint_id, queries.deliveries.c.id == delivery_id)


def replay_range(
    endpoint_id: uuid.UUID, since: datetime, until: datetime | None = None, state: State | None = None
) -> int:
    """Replay the deliveries of a webhook that were queued in a time and have ended; returns their number.

    Args:
        endpoint_id: the webhook.
        since: inclusive.
        until: exclusive; None: no limit.
        state: only those that ended like this.

    Raises:
        WebhookNotFound: there is no webhook with this id.
    """
    endpoints.lock(endpoint_id)
    created_at = queries.deliveries.c.created_at
    conditions = [created_at >= since]
    if until is not None:
        conditions.append(created_at < until)
    if state is not None:
        conditions.append(queries.deliveries.c.state == state)
    return _replay(endpoint_id, sa.and_(*conditions))


def _replay(endpoint_id: uuid.UUID, condition: sa.ColumnElement[bool]) -> int:
    count = queries.replay(endpoint_id, condition, clock.now(), COOLDOWN)
    if count:
        audit_log.record("webhook.replayed", endpoints.KIND, endpoint_id, {"deliveries": (None, count)})
        loop.wake_on_commit(LOOP)
    return count
