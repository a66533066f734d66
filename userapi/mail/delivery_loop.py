"""The thread of a server that delivers emails; committing an email wakes it."""

from collections.abc import Callable

from flask import Flask

from userapi.core import clock, loop
from userapi.core.loop import BackgroundLoop, Round

from . import queries
from .delivery import deliver_due
from .queue import LOOP

#: How often it checks for emails that other processes queued, or that are due again, in seconds.
POLL_INTERVAL = 3.0

#: The number of emails that are sent over one connection to the mail server.
BATCH = 100


def configure(app: Flask) -> None:
    """Deliver emails while the application serves, unless the settings leave that to others or name no mail server."""
    if loop.is_enabled(app) and app.config["MAIL_SERVER"]:
        loop.run_while_serving(delivery_loop(app))


def delivery_loop(app: Flask) -> BackgroundLoop:
    """The loop that delivers the emails of an application."""
    return BackgroundLoop(
        app, LOOP, deliver_batch, POLL_INTERVAL, logger="userapi.mail", failure="email delivery interrupted"
    )


def deliver_batch(stop: Callable[[], bool]) -> Round:
    """Deliver a batch of the emails that are due."""
    if not queries.count_due(clock.now()):
        return Round.DONE
    counts = deliver_due(BATCH, stop=stop)
    if counts.sent:
        return Round.MORE  # also after a failure: some mail servers accept only a few emails over one connection
    return Round.FAILED if counts.unreachable else Round.DONE
