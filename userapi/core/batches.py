"""Deleting many rows, some at a time."""

from collections.abc import Callable
from datetime import datetime

from .db import db

#: Rows deleted in one transaction, so that nobody waits long for them.
ROWS_PER_TRANSACTION = 1000


def prune_in_batches(prune_some: Callable[[datetime, int], int], before: datetime) -> int:
    """Prune in transactions of a bounded size until nothing is left to prune; how many rows went.

    Args:
        prune_some: deletes at most as many rows as its second argument says, and tells how many.
        before: its first argument.
    """
    total = 0
    while gone := prune_some(before, ROWS_PER_TRANSACTION):
        db.session.commit()
        total += gone
    db.session.commit()
    return total
