"""Deleting old sessions, email links and submitted forms, so that the database does not grow forever."""

from datetime import datetime, timedelta
from typing import NamedTuple

from flask import current_app

from userapi.core import clock, erasure
from userapi.core.batches import prune_in_batches
from userapi.federation import queries as federation_queries
from userapi.http import submissions
from userapi.mfa import device_queries, passkey_queries
from userapi.mfa import queries as factor_queries
from userapi.mfa.apps import SET_UP_LIFETIME
from userapi.users import queries as user_queries
from userapi.users import search_index

from . import activity_queries, api_key_queries, mailed_code_queries, queries, second_step_queries

#: How long used challenges and visits are kept after they expired, in case the clock of another host is slow.
MAX_CLOCK_DIFFERENCE = timedelta(hours=1)


class Pruned(NamedTuple):
    """How many rows were deleted."""

    sessions: int
    links: int
    devices: int
    forms: int


def prune(before: datetime) -> Pruned:
    """Delete what ended before a time, in transactions of limited size. Several processes may do so at the same time.

    Submitted forms, sign-ins without their second step and codes by email are useless after a day, and are deleted then
    in any case; used challenges of passkeys and visits to other services after an hour.
    """
    search_index.purge_deleted()
    if current_app.config["IMPERSONATION"]:
        from . import impersonation  # nothing of it is imported before it is used

        prune_in_batches(impersonation.end_expired, clock.now())
    prune_in_batches(second_step_queries.delete_expired_pending, max(before, clock.now() - submissions.MAX_WINDOW))
    prune_in_batches(mailed_code_queries.delete_expired_codes, max(before, clock.now() - submissions.MAX_WINDOW))
    # The last use of what is deleted is stored only if inactive accounts are closed.
    used = activity_queries if current_app.config["INACTIVE_DAYS"] else None
    prune_in_batches((used or api_key_queries).delete_ended_keys, before)
    prune_in_batches(passkey_queries.delete_expired_challenges, clock.now() - MAX_CLOCK_DIFFERENCE)
    prune_in_batches(federation_queries.delete_expired_visits, clock.now() - MAX_CLOCK_DIFFERENCE)
    prune_in_batches(factor_queries.delete_abandoned_apps, min(before, clock.now() - SET_UP_LIFETIME))
    pruned = Pruned(
        sessions=prune_in_batches((used or queries).delete_ended_sessions, before),
        links=prune_in_batches(user_queries.prune_tokens, before),
        devices=prune_in_batches(device_queries.delete_expired_devices, before),
        forms=prune_in_batches(submissions.prune_submissions, max(before, clock.now() - submissions.MAX_WINDOW)),
    )
    erasure.empty_log()
    return pruned
