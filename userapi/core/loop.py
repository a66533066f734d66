"""Background threads of the server: woken when there is work, and checking for work at an interval.

A thread starts with the first request, so that commands start none and each worker process has its own; several may run
at the same time. No failure ends it: it logs the error, waits and continues.
"""

import atexit
import logging
import threading
from collections.abc import Callable
from enum import Enum

import sqlalchemy as sa
from flask import Flask, current_app
from sqlalchemy.orm import Session

from . import backoff, disk
from .context import ActingContext, Origin, use_acting_context
from .db import db

#: The longest wait after several failures in a row, in seconds.
MAX_PAUSE = 60.0

#: How long the process waits at its end for the current piece of work, in seconds.
SHUTDOWN_TIMEOUT = 5.0

#: The loops of an application by name, in its `extensions`.
LOOPS = "userapi-background"

#: The names of the loops that a database session wakes when it commits, in its `info`.
WAKE = "userapi-wake"


class Round(Enum):
    """How one round of work went."""

    DONE = "done"
    MORE = "more"  # there may be more to do: start the next round immediately
    FAILED = "failed"  # what the work depends on does not respond: wait, longer each time


#: One round of work. It calls its argument between two pieces of work, and ends when that returns true.
Work = Callable[[Callable[[], bool]], Round]


class BackgroundLoop:
    """A thread that runs one round of work after the other until it is stopped.

    Args:
        app: the application.
        name: the name of the thread.
        work: one round; it runs in the context of the application, on behalf of the system.
        interval: how often to check for work that other processes have added, in seconds.
        logger: the logger of failures.
        failure: the event that is logged for a failure.
    """

    def __init__(self, app: Flask, name: str, work: Work, interval: float, *, logger: str, failure: str) -> None:
        self.app = app
        self.name = name
        self.interval = interval
        self._work = work
        self._log = logging.getLogger(logger)
        self._failure = failure
        self._starting = threading.Lock()
        self._woken = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def is_running(self) -> bool:
        """Whether the thread runs."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Start the thread if it does not run; a forked process has to start its own."""
        if self.is_running():
            return
        with self._starting:
            if not self.is_running():
                self._stopping.clear()
                self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
                self._thread.start()
                atexit.register(self.stop)

    def wake(self) -> None:
        """Start a round now instead of at the end of the interval."""
        self._woken.set()

    def stop(self) -> None:
        """Stop after the current piece of work, and wait for it up to `SHUTDOWN_TIMEOUT`."""
        atexit.unregister(self.stop)
        self._stopping.set()
        self._woken.set()
        if self._thread is not None:
            self._thread.join(SHUTDOWN_TIMEOUT)

    def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            self._woken.clear()
            try:
                with self.app.app_context(), use_acting_context(ActingContext(Origin.SYSTEM)):
                    result = self._work(self._stopping.is_set)
            except Exception as error:
                failures += 1
                reason = disk.DISK_FULL if disk.is_disk_full_error(error) else type(error).__name__
                self._log.exception(self._failure, extra={"error": reason, "failures": failures})
            else:
                failures = failures + 1 if result is Round.FAILED else 0
                if result is Round.MORE:
                    continue
            self._wait(failures)

    def _wait(self, failures: int) -> None:
        if failures:  # not woken by new work, which would fail as well
            self._stopping.wait(backoff.seconds(failures, self.interval, MAX_PAUSE))
        else:
            self._woken.wait(self.interval)


def is_enabled(app: Flask) -> bool:
    """Whether the settings let the server itself do background work, instead of Celery, commands or other servers."""
    return app.config["MAIL_DELIVERY"] == "thread" and not app.config["CELERY_BROKER_URL"]


def run_while_serving(loop: BackgroundLoop) -> None:
    """Start a loop with the first request of its application."""
    add(loop)
    loop.app.before_request(loop.start)


def add(loop: BackgroundLoop) -> None:
    """Let `wake_on_commit` wake a loop."""
    loop.app.extensions.setdefault(LOOPS, {})[loop.name] = loop
    if not sa.event.contains(db.session, "after_commit", _wake_loops):
        sa.event.listen(db.session, "after_commit", _wake_loops)


def wake_on_commit(name: str) -> None:
    """Wake a loop when the current transaction, which adds work for it, is committed."""
    db.session().info.setdefault(WAKE, set()).add(name)


def _wake_loops(session: Session) -> None:
    if not session.in_nested_transaction():
        loops = current_app.extensions.get(LOOPS, {})
        for name in session.info.pop(WAKE, ()):
            if name in loops:
                loops[name].wake()
