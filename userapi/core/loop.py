"""A thread of the server that does what is due: woken when there is more to do, and looking by itself now and then.

It starts with a server's first request, so that no command starts it and every worker process has its own; several may
run at once. It outlives whatever fails: it logs, waits and goes on.
"""

import atexit
import random
import threading
from abc import ABC, abstractmethod
from enum import Enum
from typing import ClassVar

import sqlalchemy as sa
import structlog
from flask import Flask, current_app
from sqlalchemy.orm import Session

from . import disk
from .context import Acting, Origin, acting_as
from .db import db

#: The longest wait after failures in a row, in seconds.
LONGEST_PAUSE = 60.0

#: How long the end of the process waits for what is just being done, in seconds.
FAREWELL = 5.0

THREADS = "userapi-background"


class Round(Enum):
    """How a round went."""

    DONE = "done"
    MORE = "more"
    TROUBLE = "trouble"


class Background(ABC):
    """A thread that does one round after the other until it is told to stop.

    Args:
        app: whose work it does.

    Attributes:
        name: of the thread, and of what it does in the log.
        logger: that hears of failures.
        failed: what it hears.
        mark: what a database session bears that has written more to do; committing it wakes the thread.
    """

    name: ClassVar[str]
    logger: ClassVar[str]
    failed: ClassVar[str]
    mark: ClassVar[str]

    def __init__(self, app: Flask) -> None:
        self.app = app
        self._starting = threading.Lock()
        self._work = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    @abstractmethod
    def do_round(self) -> Round:
        """Do what is due; whether there may be more, or whether something was in the way."""

    @abstractmethod
    def poll(self) -> float:
        """After how many seconds it looks for what others have written."""

    def is_stopping(self) -> bool:
        """Whether the process ends: asked between two pieces of work."""
        return self._stopping.is_set()

    def start(self) -> None:
        """See that the thread runs; after a fork the child has to start its own."""
        if self._thread is not None and self._thread.is_alive():
            return
        with self._starting:
            if self._thread is None or not self._thread.is_alive():
                self._stopping.clear()
                self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
                self._thread.start()
                atexit.register(self.stop)

    def wake(self) -> None:
        """Do what is due now rather than at the next look."""
        self._work.set()

    def stop(self) -> None:
        """Finish the piece of work at hand, if it takes no longer than a few seconds."""
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
                with self.app.app_context(), acting_as(Acting(Origin.SYSTEM)):
                    found = self.do_round()
            except Exception as error:
                failures += 1
                reason = disk.DISK_FULL if disk.is_full_error(error) else type(error).__name__
                structlog.get_logger(self.logger).exception(self.failed, error=reason, failures=failures)
            else:
                failures = failures + 1 if found is Round.TROUBLE else 0
                if found is Round.MORE:
                    continue
            self._rest(failures)

    def _rest(self, failures: int) -> None:
        """Wait for more to do, or longer each time while something is amiss."""
        if failures:
            pause = min(self.poll() * 2 ** min(failures - 1, 10), LONGEST_PAUSE)
            self._stopping.wait(pause * random.uniform(0.75, 1.25))  # noqa: S311 - spreads load, guards nothing
        else:
            self._work.wait(self.poll())


def is_left_to_others(app: Flask) -> bool:
    """Whether the settings leave what is done in the background to Celery, to commands or to other servers."""
    return bool(app.config["MAIL_DELIVERY"] != "thread" or app.config["CELERY_BROKER_URL"])


def run(thread: Background) -> None:
    """Let a thread do its work while its application serves."""
    thread.app.extensions.setdefault(THREADS, []).append(thread)
    thread.app.before_request(thread.start)
    if not sa.event.contains(db.session, "after_commit", _wake):
        sa.event.listen(db.session, "after_commit", _wake)


def _wake(session: Session) -> None:
    if not session.in_nested_transaction():
        for thread in current_app.extensions.get(THREADS, ()):
            if session.info.pop(thread.mark, False):
                thread.wake()
