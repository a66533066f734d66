"""Calls made at the same time, to provoke races."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")


def run_simultaneously(calls: Sequence[Callable[[], Result]]) -> list[Result]:
    """Make every call in a thread of its own, all started together. Returns the results in the order of the calls."""
    barrier = threading.Barrier(len(calls), timeout=60)

    def run(call: Callable[[], Result]) -> Result:
        barrier.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))
