"""Deletion of old emails: whom we wrote to, and about what, is not kept forever."""

from datetime import datetime

from userapi.core.batches import prune_in_batches

from . import queries


def prune(before: datetime) -> int:
    """Delete emails queued before a moment that were sent or failed, in batches; returns the number."""
    return prune_in_batches(queries.prune, before)
