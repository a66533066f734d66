"""Comparing the time of two requests on a machine that is busy with other things."""

import statistics
import time
from collections.abc import Callable

#: How much longer the slower may take. Omitted work shows: writing an email is a third of a request.
TOLERANCE = 1.25


def take_equally_long(first: Callable[[], object], second: Callable[[], object], pairs: int = 40) -> bool:
    """Whether two calls, made in turn, have about the same median of processor time.

    The processor time of this process covers all its threads, and so hashing, templates and SQLite; unlike time on the
    wall it does not depend on what else the machine does.
    """
    seconds: dict[Callable[[], object], list[float]] = {first: [], second: []}
    for _pair in range(pairs):
        for call, times in seconds.items():
            started = time.process_time()
            call()
            times.append(time.process_time() - started)
    faster, slower = sorted(map(statistics.median, seconds.values()))
    return slower < faster * TOLERANCE
