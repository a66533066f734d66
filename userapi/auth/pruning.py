"""Clearing away sessions and mailed links that have long been over, so that the database does not grow with time."""

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from userapi.core.db import db
from userapi.users import queries as user_queries

from . import queries

#: Rows deleted in one transaction, so that nobody waits long for them.
BATCH = 1000


class Pruned(NamedTuple):
    """How many rows were deleted."""

    sessions: int
    links: int


def prune(before: datetime) -> Pruned:
    """Delete what was over before a moment, in transactions of a bounded size; many may do so at once."""
    return Pruned(
        sessions=_in_batches(queries.prune, before),
        links=_in_batches(user_queries.prune_tokens, before),
    )


def _in_batches(prune_some: Callable[[datetime, int], int], before: datetime) -> int:
    total = 0
    while gone := prune_some(before, BATCH):
        db.session.commit()
        total += gone
    db.session.commit()
    return total
