"""Waiting for something to happen, instead of sleeping."""

import time
from collections.abc import Callable


def wait_until(condition: Callable[[], object], timeout: float = 30.0, pause: float = 0.02) -> None:
    """Wait until the condition holds; it is checked again after each pause, in seconds."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "the condition did not hold in time"
        time.sleep(pause)
