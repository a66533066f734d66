"""Deleting what clients no longer need, so that the database does not grow forever."""

from datetime import datetime, timedelta

from userapi.core import clock
from userapi.core.batches import prune_in_batches

from . import authorization_queries, client_session_queries, device_queries, family_queries

#: How long authorization requests and devices are kept after they expired: a used code that is sent again within that
#: time ends the tokens that it was exchanged for.
KEPT = timedelta(days=1)


def prune(before: datetime) -> int:
    """Delete token families that ended before a time, and requests and devices that expired a day ago; the number."""
    expired = max(before, clock.now() - KEPT)
    return (
        prune_in_batches(authorization_queries.delete_expired_authorizations, expired)
        + prune_in_batches(device_queries.delete_expired_devices, expired)
        + prune_in_batches(family_queries.delete_ended_families, before)
        + prune_in_batches(client_session_queries.delete_expired_client_sessions, clock.now() - KEPT)
    )
