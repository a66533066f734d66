"""Threads that run during a `with` block."""

import threading
from collections.abc import Callable, Iterable
from typing import Any, Self


class RunningThreads:
    """One thread for each argument, from the beginning of a `with` block to its end.

    Args:
        run: what each thread does with its argument, until `over` is set.
        arguments: one for each thread.
        timeout: how long the end of the block waits for them, in seconds; without one, until they have ended.

    Attributes:
        over: set at the end of the block.
    """

    def __init__(self, run: Callable[[Any], None], arguments: Iterable[Any], timeout: float | None = None) -> None:
        self.over = threading.Event()
        self._timeout = timeout
        # A thread that does not end in time must not keep the tests from ending.
        self._threads = [
            threading.Thread(target=run, args=(argument,), daemon=timeout is not None) for argument in arguments
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.over.set()
        for thread in self._threads:
            thread.join(self._timeout)
        assert not any(thread.is_alive() for thread in self._threads), "a thread has not ended in time"
