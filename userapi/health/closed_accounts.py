"""Whether closed accounts are deleted when their time has come."""

from collections.abc import Iterator
from datetime import timedelta

import sqlalchemy as sa

from userapi.core import clock, migrations
from userapi.privacy import queries, removal

from .findings import Finding, ok, warning

#: Accounts are deleted at the latest this long after their time: in the next round, or the one after it.
GRACE = timedelta(seconds=2 * removal.INTERVAL)

PART = "closed accounts"


def check() -> Iterator[Finding]:
    """Count the closed accounts that are past their time. Without any, there is nothing to report."""
    try:
        if migrations.is_current():
            yield from _check()
    except sa.exc.SQLAlchemyError:
        return  # reported by the health checks


def _check() -> Iterator[Finding]:
    held, others = queries.count_overdue(clock.now() - GRACE)
    if held:
        yield ok(
            PART, f"{_count(held)} past the time of deletion, under a legal hold. `flask users release` ends a hold"
        )
    if others:
        yield warning(
            PART,
            f"{_count(others)} past the time of deletion. The log says why: an extension denies the deletion or refers "
            "to the user, or no other superuser is left. If it says nothing, run `flask sessions prune`.",
        )


def _count(number: int) -> str:
    return "1 closed account is" if number == 1 else f"{number} closed accounts are"
