"""Clearing away letters that are long done with: who was written to, and what about, is not to be kept for ever."""

from datetime import datetime

from userapi.core.batches import in_batches

from . import queries


def prune(before: datetime) -> int:
    """Delete letters written before a moment that were sent or given up, some at a time; how many went."""
    return in_batches(queries.prune, before)
