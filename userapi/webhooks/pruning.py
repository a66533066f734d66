"""Deleting old deliveries."""

from datetime import timedelta

from flask import current_app

from userapi.core import batches, clock

from . import queries


def prune_old() -> int:
    """Delete deliveries that were queued more than WEBHOOK_KEEP_DAYS ago, in batches; returns the number.

    This includes those that a disabled webhook has not got.
    """
    before = clock.now() - timedelta(days=current_app.config["WEBHOOK_KEEP_DAYS"])
    return batches.prune_in_batches(queries.prune, before)
