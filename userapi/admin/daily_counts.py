"""Numbers of users, sign-ins and emails by day, for the charts of the overview.

The days are in UTC on both databases. Large counts are kept in memory, because 90 days of sign-ins of a large site are
millions of rows. Later only the rows since the last count are added.
"""

from collections.abc import Callable, Hashable
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa
from flask import current_app

from userapi.audit.models import AuditEvent
from userapi.core import clock
from userapi.core.db import db, read_all
from userapi.mail import queries as mail_queries
from userapi.users.queries import IS_NO_SERVICE_ID, users

#: How long large numbers are kept before all rows are counted again. Imports and deletions change the numbers of users
#: of earlier days, but hardly anything changes those of events.
MAX_AGE = timedelta(hours=1)
MAX_AGE_OF_EVENTS = timedelta(days=1)

#: How many rows must have been counted for that: fewer are counted again, so that an import is seen immediately.
MIN_KEPT = 20_000

#: Rows younger than this are always counted again: transactions that began before may commit more of them.
SETTLING = timedelta(minutes=1)

#: The name of the kept numbers among the extensions of the application.
EXTENSION = "daily_counts"

Counts = dict[date, int]


class _Kept(NamedTuple):
    """Numbers that are kept.

    Attributes:
        counted_at: when all rows were counted.
        since: the first day.
        until: the rows from this moment on are not yet counted.
        counts: by day.
    """

    counted_at: datetime
    since: date
    until: datetime
    counts: Counts


emails = mail_queries.emails
audit_events = AuditEvent.__table__


def count_users(since: date) -> Counts:
    """The number of current users created on each day, from a day on, including imported and seeded ones."""
    return _count("users", since, lambda first, end: _count_column(users.c.date_joined, first, end, IS_NO_SERVICE_ID))


def count_emails(since: date) -> Counts:
    """The number of emails sent on each day, from a day on."""

    def count(first: datetime, end: datetime) -> Counts:
        # The time of creation has an index. An email is sent, or fails, within three days.
        return _count_column(emails.c.sent_at, first, end, emails.c.created_at >= first - timedelta(days=3))

    return _count("emails", since, count)


def count_events(action: str, since: date) -> Counts:
    """The number of events with an action on each day, from a day on."""
    is_action = audit_events.c.action == action

    def count(first: datetime, end: datetime) -> Counts:
        return _count_column(audit_events.c.occurred_at, first, end, is_action)

    return _count(("events", action), since, count, MAX_AGE_OF_EVENTS)


def _count(
    name: Hashable, since: date, count: Callable[[datetime, datetime], Counts], max_age: timedelta = MAX_AGE
) -> Counts:
    """Count the rows that are not in the kept numbers, and keep the numbers if they are large.

    Args:
        name: what is counted.
        since: the first day.
        count: counts from one moment up to but not including another.
        max_age: of kept numbers.
    """
    now = clock.now()
    numbers = current_app.extensions.setdefault(EXTENSION, {})
    kept = numbers.get(name)
    if kept is None or now - kept.counted_at > max_age or kept.since > since:
        kept = _Kept(now, since, _midnight(since), {})
    settled = now - SETTLING
    if kept.until < settled:
        kept = kept._replace(until=settled, counts=_add(kept.counts, count(kept.until, settled)))
        if sum(kept.counts.values()) >= MIN_KEPT:
            numbers[name] = kept
    end = _midnight(clock.today() + timedelta(days=1))
    counts = _add(kept.counts, count(kept.until, end))
    return {day: number for day, number in counts.items() if day >= since}


def _add(counts: Counts, others: Counts) -> Counts:
    return counts | {day: counts.get(day, 0) + number for day, number in others.items()}


def _count_column(column: Any, first: datetime, end: datetime, *conditions: Any) -> Counts:
    day = _day(column)
    found = read_all(
        sa.select(day.label("day"), sa.func.count().label("number"))
        .where(column >= first, column < end, *conditions)
        .group_by(day)
    )
    return {_as_date(row.day): row.number for row in found}


def _day(column: Any) -> Any:
    if db.engine.dialect.name == "postgresql":
        return sa.cast(sa.func.timezone("UTC", column), sa.Date)
    return sa.func.date(column)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, datetime.min.time(), UTC)


def _as_date(day: date | str) -> date:
    return day if isinstance(day, date) else date.fromisoformat(day)
