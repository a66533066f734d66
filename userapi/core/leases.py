"""Leases: only one worker at a time works on a row, even if workers are killed.

A worker claims a row for the duration of a lease, works on it, and writes the outcome in a transaction that also ends
the lease. If the worker is killed, the lease expires and another worker claims the row. If the work took longer than
the lease, the write fails with `LeaseLost`, because another worker may have the row by then.

Emails, imports and bulk actions use this. Their tables have the columns `id`, `attempts` and `claimed_until`.
"""

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from . import clock
from .db import db


class LeaseLost(Exception):
    """The lease expired and another worker claimed the row, or the row was cancelled. Roll back."""


def is_unclaimed(table: Any, now: datetime) -> sa.ColumnElement[bool]:
    """The condition that no worker has the row."""
    return sa.or_(table.c.claimed_until.is_(None), table.c.claimed_until <= now)


def claim(
    table: Any, condition: sa.ColumnElement[bool], *order: Any, now: datetime, lease: timedelta, **values: Any
) -> sa.Row[Any] | None:
    """Claim the first row that meets a condition, and count the attempt.

    One UPDATE, so that two workers never claim the same row: on PostgreSQL they skip rows that another is claiming, on
    SQLite they take turns.

    Args:
        table: the table of the row.
        condition: which rows can be claimed; include `is_unclaimed`.
        order: the columns that say which of them is the first.
        now: the current time.
        lease: how long the row belongs to this worker, unless it is renewed.
        values: other columns to set.

    Returns:
        The row as it is now, or None if there is none to claim.
    """
    first = sa.select(table.c.id).where(condition).order_by(*order).limit(1).with_for_update(skip_locked=True)
    return db.session.execute(
        sa.update(table)
        .where(table.c.id == first.scalar_subquery())
        .values(claimed_until=now + lease, attempts=table.c.attempts + 1, **values)
        .returning(*table.c)
    ).one_or_none()


def renew(table: Any, row: sa.Row[Any], lease: timedelta, **values: Any) -> sa.Row[Any]:
    """Extend the lease of a claimed row, in the transaction that stores the work.

    Args:
        table: the table of the row.
        row: what `claim` or `renew` returned.
        lease: how long the row belongs to this worker from now on.
        values: other columns to set.

    Returns:
        The row as it is now.

    Raises:
        LeaseLost: another worker may have claimed the row, or it was cancelled.
    """
    return _update(table, row, claimed_until=clock.now() + lease, **values)


def finish(table: Any, row: sa.Row[Any], **outcome: Any) -> sa.Row[Any]:
    """End the lease of a claimed row, and write the outcome. Arguments and errors are those of `renew`."""
    return _update(table, row, claimed_until=None, **outcome)


def _update(table: Any, row: sa.Row[Any], **values: Any) -> sa.Row[Any]:
    # The end of the lease identifies the claim: another claim, or a cancellation, changes this time.
    found = db.session.execute(
        sa.update(table)
        .where(table.c.id == row.id, table.c.claimed_until == row.claimed_until)
        .values(values)
        .returning(*table.c)
    ).one_or_none()
    if found is None:
        raise LeaseLost
    return found
