"""A thread that ends what has taken too long."""

import logging
import threading
import time
from typing import Protocol

log = logging.getLogger(__name__)

#: How often it looks, in seconds.
LOOK = 1.0


class Timed(Protocol):
    """What ends when its time has come; `deadline` is a moment of the monotonic clock."""

    deadline: float

    def expire(self) -> None:
        """End it."""


class Deadlines:
    """Ends what has taken too long."""

    def __init__(self) -> None:
        self._all: set[Timed] = set()
        self._some = threading.Event()
        threading.Thread(target=self._run, name="userapi-deadlines", daemon=True).start()

    def add(self, timed: Timed) -> None:
        """Watch something."""
        self._all.add(timed)
        self._some.set()

    def remove(self, timed: Timed) -> None:
        """Leave it alone from now on."""
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
