"""Waiting longer after each failure in a row."""

import random


def seconds(failures: int, first: float, maximum: float) -> float:
    """How long to wait before the next attempt: twice as long each time, plus or minus a quarter.

    Args:
        failures: the number of failures in a row, at least 1.
        first: the wait after the first failure, in seconds.
        maximum: the longest wait, in seconds.
    """
    wait: float = min(first * 2 ** min(failures - 1, 30), maximum)
    return wait * random.uniform(0.75, 1.25)  # noqa: S311 - spreads the load of several workers, is no secret
