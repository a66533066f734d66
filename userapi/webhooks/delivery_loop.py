"""The threads of a server that make deliveries: one that looks for due ones, and up to WEBHOOK_CONCURRENCY that send.

The threads of a server without webhooks are not started. A server starts them when an event is queued for a webhook;
for webhooks and events of other processes, it looks once a minute.
"""

import time
from collections.abc import Callable
from datetime import datetime, timedelta

from flask import Flask

from userapi.core import clock, job_runner, loop
from userapi.core.sender_loop import SenderLoop

from . import pruning, queries
from .delivery import run_sender
from .fan_out import LOOP

#: How often a server with webhooks looks for deliveries that other processes queued or that are due again, in seconds.
POLL_INTERVAL = 3.0

#: How often a server without them looks for webhooks, in seconds.
SEARCH_INTERVAL = 60.0

#: How often old deliveries are deleted.
PRUNING_INTERVAL = timedelta(hours=1)


def configure(app: Flask) -> None:
    """Make deliveries while the application serves, unless the settings leave that to others."""
    if not app.config["WEBHOOKS"] or not loop.is_enabled(app):
        return
    delivery_loop = DeliveryLoop(app)
    loop.add(delivery_loop)
    next_search = 0.0

    def look_for_webhooks(*, stop: Callable[[], bool]) -> bool:
        """Start the threads if there is a webhook; never any job for the job runner itself."""
        nonlocal next_search
        if not delivery_loop.is_running() and time.monotonic() >= next_search:
            next_search = time.monotonic() + SEARCH_INTERVAL
            if queries.has_endpoints():
                delivery_loop.start()
        return False

    job_runner.register(app, look_for_webhooks)


class DeliveryLoop(SenderLoop):
    """The thread that looks for due deliveries and starts those that send them.

    Args:
        app: the application.
    """

    def __init__(self, app: Flask) -> None:
        super().__init__(
            app,
            LOOP,
            POLL_INTERVAL,
            count_due=lambda limit: queries.count_due(clock.now(), limit),
            send=run_sender,
            when_idle=self._prune,
            limit=lambda: int(app.config["WEBHOOK_CONCURRENCY"]),
            logger="userapi.webhooks",
            failure="webhooks interrupted",
        )
        self._next_pruning: datetime | None = None

    def _prune(self) -> None:
        now = clock.now()
        if self._next_pruning is None or now >= self._next_pruning:
            self._next_pruning = now + PRUNING_INTERVAL
            pruning.prune_old()
