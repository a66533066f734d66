"""Queues each event for the webhooks that want it, in the transaction of the event.

The statement that writes the event finds whether a webhook wants it; a second one writes the deliveries then. Nothing
is cached, so a webhook gets every event that is committed after it was.
"""

import uuid
from datetime import datetime

from flask import Flask

from userapi.core import hooks, loop
from userapi.core.hooks import Hooks, Recorder

from . import queries

#: The name of the loop that makes deliveries.
LOOP = "webhooks"


def configure(app: Flask) -> None:
    """Queue the events of an application, unless it has no webhooks."""
    if app.config["WEBHOOKS"]:
        registered: Hooks = app.extensions[hooks.REGISTRY]
        registered.on_record += [
            Recorder(queue_deliveries, queries.IS_WANTED),
            Recorder(clear_excerpts, actions=("user.deleted",)),
        ]


def queue_deliveries(
    event_id: int, action: str, occurred_at: datetime, target_kind: str | None, target_id: str | None
) -> None:
    """Write the deliveries of an event."""
    user_id = int(target_id) if target_kind == "user" and target_id is not None else None
    added = queries.QUEUE.all(
        event_id=event_id,
        action=action,
        of_kind=f"{action.partition('.')[0]}.*",
        created_at=occurred_at,
        user_id=user_id,
        message_id=uuid.uuid4(),
    )
    if added:
        loop.wake_on_commit(LOOP)


def clear_excerpts(
    _event_id: int, _action: str, _occurred_at: datetime, target_kind: str | None, target_id: str | None
) -> None:
    """Remove what responses of webhooks may say of a user who is deleted."""
    if target_kind == "user" and target_id is not None:
        queries.clear_excerpts(int(target_id))
