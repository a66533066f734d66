"""Calls made at the same time, to provoke races."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Answer = TypeVar("Answer")


def run_simultaneously(calls: Sequence[Callable[[], Answer]]) -> list[Answer]:
    """Make every call in a thread of its own, all started together. Returns the results in the order of the calls."""
    barrier = threading.Barrier(len(calls))

    def run(call: Callable[[], Answer]) -> Answer:
        barrier.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))
