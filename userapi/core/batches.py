"""Deleting many rows, some at a time."""

from collections.abc import Callable
from datetime import datetime

from .db import db

#: Rows deleted in one transaction: few, so that other transactions do not wait long for their locks.
ROWS_PER_TRANSACTION = 1000


def prune_in_batches(prune_some: Callable[[datetime, int], int], before: datetime) -> int:
    """Delete rows in transactions of a limited size until none is left, and return the number of deleted rows.

    Args:
        prune_some: deletes at most as many rows as its second argument says, and returns their number.
        before: the first argument of `prune_some`.
    """
    total = 0
    while gone := prune_some(before, ROWS_PER_TRANSACTION):
        db.session.commit()
        total += gone
    db.session.commit()
    return total
