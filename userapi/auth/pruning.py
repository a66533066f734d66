"""Clearing away sessions and mailed links that have long been over, so that the database does not grow with time."""

from datetime import datetime
from typing import NamedTuple

from userapi.core import clock
from userapi.core.batches import in_batches
from userapi.http import submissions
from userapi.users import queries as user_queries

from . import queries


class Pruned(NamedTuple):
    """How many rows were deleted."""

    sessions: int
    links: int
    forms: int


def prune(before: datetime) -> Pruned:
    """Delete what was over before a moment, in transactions of a bounded size; many may do so at once.

    Submitted forms are of no use after a day, and go then in any case.
    """
    return Pruned(
        sessions=in_batches(queries.delete_ended_sessions, before),
        links=in_batches(user_queries.prune_tokens, before),
        forms=in_batches(submissions.prune, max(before, clock.now() - submissions.LONGEST)),
    )
