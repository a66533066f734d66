"""Numbers of users, sign-ins and emails by day, for the charts of the overview.

The days are in UTC on both databases. Large counts of days that are over are kept in memory for an hour, because 90
days of sign-ins of a large site are millions of rows. The current day is always counted again.
"""

from collections.abc import Callable, Hashable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from flask import current_app

from userapi.audit.models import AuditEvent
from userapi.core import clock
from userapi.core.db import db, read_all
from userapi.mail import queries as mail_queries
from userapi.users.models import User

#: How long the numbers of days that are over are kept, and how many rows must have been counted: fewer are counted
#: again, so that an import is seen in the charts immediately.
MAX_AGE = timedelta(hours=1)
MIN_KEPT = 20_000

#: The name of the kept numbers among the extensions of the application.
EXTENSION = "daily_counts"

Counts = dict[date, int]

users = User.__table__
emails = mail_queries.emails
audit_events = AuditEvent.__table__


def count_users(since: date) -> Counts:
    """The number of current users created on each day, from a day on, including imported and seeded ones."""
    return _count("users", since, lambda first, end: _count_column(users.c.date_joined, first, end))


def count_emails(since: date) -> Counts:
    """The number of emails sent on each day, from a day on."""

    def count(first: date, end: date) -> Counts:
        # The time of creation has an index. An email is sent, or fails, within three days.
        created = emails.c.created_at >= _midnight(first - timedelta(days=3))
        return _count_column(emails.c.sent_at, first, end, created)

    return _count("emails", since, count)


def count_events(action: str, since: date) -> Counts:
    """The number of events with an action on each day, from a day on."""
    is_action = audit_events.c.action == action
    return _count(
        ("events", action), since, lambda first, end: _count_column(audit_events.c.occurred_at, first, end, is_action)
    )


def _count(name: Hashable, since: date, count: Callable[[date, date], Counts]) -> Counts:
    """Count the current day, and the earlier ones unless their numbers are kept.

    Args:
        name: what is counted.
        since: the first day.
        count: counts the days from one on, up to but not including another.
    """
    today, now = clock.today(), clock.now()
    kept = current_app.extensions.setdefault(EXTENSION, {})
    counted_at, first, counts = kept.get(name, (None, None, {}))
    if counted_at is None or counted_at.date() != today or now - counted_at > MAX_AGE or first > since:
        counts = count(since, today)
        if sum(counts.values()) >= MIN_KEPT:
            kept[name] = (now, since, counts)
    recent = {day: number for day, number in counts.items() if day >= since}
    return recent | count(today, today + timedelta(days=1))


def _count_column(column: Any, first: date, end: date, *conditions: Any) -> Counts:
    day = _day(column)
    found = read_all(
        sa.select(day.label("day"), sa.func.count().label("number"))
        .where(column >= _midnight(first), column < _midnight(end), *conditions)
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
