"""Telling whether requests take the same time, on a machine that is busy with other things."""

import time
from collections.abc import Callable

#: How much longer the slower may take. Work that is left out shows: a letter unwritten is a third of a request.
TOLERANCE = 1.25


def take_equally_long(
    first: Callable[[], object], second: Callable[[], object], least: int = 40, most: int = 240
) -> bool:
    """Whether two calls, made in turn, take equally long.

    Others on the machine make some calls slower, never one faster: the fastest show the work itself, the better the
    more there are. So what differs is tried again, and a difference that is real stays.
    """
    taken: dict[Callable[[], object], list[float]] = {first: [], second: []}
    for number in range(1, most + 1):
        for call, seconds in taken.items():
            started = time.perf_counter()
            call()
            seconds.append(time.perf_counter() - started)
        faster, slower = sorted(sorted(seconds)[number // 20] for seconds in taken.values())
        if number >= least and slower < faster * TOLERANCE:
            return True
    return False
