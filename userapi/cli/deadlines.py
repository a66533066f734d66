"""A thread that ends operations that take too long."""

import logging
import threading
import time
from typing import Protocol

log = logging.getLogger(__name__)

#: Seconds between two checks.
LOOK = 1.0


class Timed(Protocol):
    """An operation with a time limit; `deadline` is a time of the monotonic clock."""

    deadline: float

    def expire(self) -> None:
        """End the operation."""


class Deadlines:
    """Ends operations that have passed their deadlines."""

    def __init__(self) -> None:
        self._all: set[Timed] = set()
        self._some = threading.Event()
        threading.Thread(target=self._run, name="userapi-deadlines", daemon=True).start()

    def add(self, timed: Timed) -> None:
        """Watch an operation."""
        self._all.add(timed)
        self._some.set()

    def remove(self, timed: Timed) -> None:
        """Stop watching an operation."""
        self._all.discard(timed)

    def _run(self) -> None:
        while self._some.wait():
            self._some.clear()
            while self._all:
                time.sleep(LOOK)
                for timed in self._all.copy():
                    if timed.deadline < time.monotonic():
                        self._expire(timed)

    def _expire(self, timed: Timed) -> None:
        try:
            timed.expire()
        except Exception:
            self.remove(timed)
            log.exception("deadline handler failed")
