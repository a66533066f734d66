"""The deliverer of one machine: a thread of the server, woken when a letter is committed.

It starts with a server's first request, so that no command starts it and every worker process has its own; several may
run at once. It outlives whatever fails: it logs, waits and goes on.
"""

import atexit
import random
import threading

import sqlalchemy as sa
import structlog
from flask import Flask, current_app
from sqlalchemy.orm import Session

from userapi.core import clock
from userapi.core.db import db

from . import queries
from .delivery import Counts, deliver_due
from .outbox import WRITTEN

log = structlog.get_logger("userapi.mail")

#: Looks for letters that others wrote, or that are due again, this often in seconds.
POLL = 3.0

#: The longest wait after failures in a row, in seconds.
LONGEST_PAUSE = 60.0

#: Letters over one connection to the mail server.
BATCH = 100

#: How long the end of the process waits for a letter that is just being sent, in seconds.
FAREWELL = 5.0


class Deliverer:
    """A thread that delivers what is due until it is told to stop.

    Args:
        app: whose outbox it empties.
    """

    def __init__(self, app: Flask) -> None:
        self.app = app
        self._starting = threading.Lock()
        self._work = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """See that the thread runs; after a fork the child has to start its own."""
        if self._thread is not None and self._thread.is_alive():
            return
        with self._starting:
            if self._thread is None or not self._thread.is_alive():
                self._stopping.clear()
                self._thread = threading.Thread(target=self._run, name="mail-deliverer", daemon=True)
                self._thread.start()
                atexit.register(self.stop)

    def wake(self) -> None:
        """Deliver now rather than at the next look."""
        self._work.set()

    def stop(self) -> None:
        """Finish the letter that is being sent, if it takes no longer than a few seconds."""
        atexit.unregister(self.stop)
        self._stopping.set()
        self._work.set()
        if self._thread is not None:
            self._thread.join(FAREWELL)

    def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            self._work.clear()
            try:
                with self.app.app_context():
                    counts = self._round()
            except Exception as error:
                failures += 1
                log.exception("delivery failed", error=type(error).__name__, failures=failures)
            else:
                failures = failures + 1 if counts.unreachable and not counts.sent else 0
                if counts.sent:
                    continue  # there may be more, and some mail servers take only so many at a time
            self._rest(failures)

    def _round(self) -> Counts:
        return deliver_due(BATCH, stop=self._stopping.is_set) if queries.count_waiting(clock.now()) else Counts()

    def _rest(self, failures: int) -> None:
        """Wait for the next letter, or longer each time while something is amiss."""
        if failures:
            pause = min(POLL * 2 ** min(failures - 1, 10), LONGEST_PAUSE)
            self._stopping.wait(pause * random.uniform(0.75, 1.25))  # noqa: S311 - spreads load, guards nothing
        else:
            self._work.wait(POLL)


def configure(app: Flask) -> None:
    """Deliver while the application serves, unless the settings leave that to others or keep all letters."""
    left_to_others = app.config["MAIL_DELIVERY"] != "thread" or app.config["CELERY_BROKER_URL"]
    if left_to_others or not app.config["MAIL_SERVER"]:
        return
    deliverer = app.extensions["userapi-deliverer"] = Deliverer(app)
    app.before_request(deliverer.start)
    sa.event.listen(db.session, "after_commit", _wake)


def _wake(session: Session) -> None:
    if not session.in_nested_transaction() and session.info.pop(WRITTEN, False):
        deliverer = current_app.extensions.get("userapi-deliverer")
        if deliverer is not None:
            deliverer.wake()
