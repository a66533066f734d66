"""The SELECTs of the staff site: lists of all sessions, emails and events, and totals."""

import time
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import sqlalchemy as sa
from sqlalchemy.orm import joinedload, selectinload

from userapi.audit import queries as audit_queries
from userapi.auth import queries as auth_queries
from userapi.auth.models import Session
from userapi.core.db import db, read_all, read_one
from userapi.mail import queries as mail_queries
from userapi.users import list_counts
from userapi.users.group_models import Group, user_groups
from userapi.users.models import OneTimeToken, User, UserProfile

sessions = Session.__table__
users = User.__table__
impersonators = users.alias("impersonators")
emails = mail_queries.emails
profiles = UserProfile.__table__

#: Counts on the dashboard go no further.
MAX_COUNTED = 10_000


class ListPage(NamedTuple):
    """Rows of a list, and where the next page begins; None after the last."""

    rows: Sequence[sa.Row[Any]]
    next: str | None


#: Countries and their numbers, with the time until which they are remembered, by engine and arguments.
_countries: WeakKeyDictionary[sa.Engine, dict[tuple[int, int], tuple[float, list[tuple[str, int]]]]]
_countries = WeakKeyDictionary()

#: What a list with invalid filters shows.
NO_ROWS = ListPage((), None)


def read_user(user_id: int) -> User | None:
    """A user with profile, groups and permissions, as the current transaction sees them."""
    return db.session.scalar(
        sa.select(User)
        .where(User.id == user_id)
        .options(joinedload(User.profile), selectinload(User.groups), selectinload(User.permissions))
        .execution_options(populate_existing=True)
    )


def count_data_of_user(user_id: int, now: datetime, idle_since: datetime) -> dict[str, int]:
    """The number of rows that are deleted with a user, by kind."""
    counted: dict[str, sa.Select[Any]] = {
        "profile": sa.select(UserProfile.user_id).where(UserProfile.user_id == user_id),
        "sessions": _active_sessions().where(users.c.id == user_id),
        "memberships": sa.select(user_groups.c.user_id).where(user_groups.c.user_id == user_id),
        "email_links": sa.select(OneTimeToken.user_id).where(OneTimeToken.user_id == user_id),
    }
    return _count_rows(counted, now, idle_since)


def list_session_page(
    filters: Mapping[str, Any],
    start: tuple[datetime, uuid.UUID] | None,
    limit: int,
    now: datetime,
    idle_since: datetime,
) -> ListPage:
    """Sessions and their users, those that end last first.

    Args:
        filters: any of `user` (an id), `address` (its beginning) and `active` (whether it could be used now).
        start: the end and the ID of the last row of the previous page.
        limit: rows on a page.
        now: the current time.
        idle_since: sessions not used after this moment are idle.
    """
    active = sa.and_(*auth_queries.ACTIVE)
    # A session that is revoked or idle without being ended has no time of its end.
    end_if_known = sa.case((sa.or_(active, sessions.c.expires_at <= sa.bindparam("now")), sessions.c.expires_at))
    statement = (
        sa.select(
            sessions.c.id, sessions.c.user_id, users.c.email, sessions.c.created_at, sessions.c.last_used_at,
            sessions.c.expires_at, sessions.c.address, sessions.c.user_agent,
            sessions.c.impersonator_id, impersonators.c.email.label("impersonator"),
            active.label("is_active"), sa.func.coalesce(sessions.c.ended_at, end_if_known).label("ends_at"),
        )
        .select_from(
            auth_queries.with_users.outerjoin(impersonators, impersonators.c.id == sessions.c.impersonator_id)
        )
        .order_by(sessions.c.expires_at.desc(), sessions.c.id.desc())
        .limit(limit + 1)
    )  # fmt: skip
    if "user" in filters:
        statement = statement.where(sessions.c.user_id == filters["user"])
    if "address" in filters:
        statement = statement.where(sessions.c.address.startswith(filters["address"], autoescape=True))
    if "active" in filters:
        statement = statement.where(active if filters["active"] else sa.not_(active))
    if start is not None:
        end, row_id = start
        later = sa.and_(sessions.c.expires_at == end, sessions.c.id < row_id)
        statement = statement.where(sa.or_(sessions.c.expires_at < end, later))
    rows = read_all(statement, {"now": now, "idle_since": idle_since})
    last = rows[limit - 1] if len(rows) > limit else None
    return ListPage(rows[:limit], f"{last.expires_at.isoformat()}~{last.id}" if last else None)


def list_emails(filters: Mapping[str, Any], before: int | None, limit: int) -> ListPage:
    """Emails without their texts, the newest first.

    Args:
        filters: any of `state` (a `mail.queries.State`), `recipient` (its beginning), `user` (an id) and `kind`.
        before: only rows with a lower ID.
        limit: rows on a page.
    """
    statement = sa.select(*mail_queries.LISTED)
    if "state" in filters:
        statement = statement.where(mail_queries.in_state(filters["state"]))
    if "recipient" in filters:
        statement = statement.where(emails.c.recipient.startswith(filters["recipient"], autoescape=True))
    if "user" in filters:
        statement = statement.where(emails.c.user_id == filters["user"])
    if "kind" in filters:
        statement = statement.where(emails.c.kind == filters["kind"])
    return _newest_first(statement, emails.c.id, before, limit)


def list_events(filters: Mapping[str, Any], before: int | None, limit: int) -> ListPage:
    """Audit events, the newest first.

    Args:
        filters: as `audit.queries.matching` has them.
        before: only rows with a lower ID.
        limit: rows on a page.
    """
    return _part(audit_queries.newest(dict(filters) | ({"before": before} if before else {}), limit + 1), limit)


def count_by_country(limit: int, max_counted: int) -> list[tuple[str, int]]:
    """The first `limit` countries of profiles, and the number of profiles of each, counted up to `max_counted`.

    With many profiles, where it takes some 20 ms, the result is remembered for a minute.
    """
    key = (limit, max_counted)
    expiry, countries = _countries.setdefault(db.engine, {}).get(key, (0.0, []))
    if time.monotonic() >= expiry:
        countries = _count_by_country(limit, max_counted)
        is_slow = sum(number for _country, number in countries) > MAX_COUNTED
        _countries[db.engine][key] = (time.monotonic() + 60 * is_slow, countries)
    return list(countries)


def _count_by_country(limit: int, max_counted: int) -> list[tuple[str, int]]:
    """Count by country.

    It jumps from one country to the next in the index, because reading all profiles would be too slow for a page.
    """
    country = profiles.c.country
    found = sa.select(sa.func.min(country).label("country")).where(country > "").cte("found", recursive=True)
    following = sa.select(sa.func.min(country)).where(country > found.c.country).scalar_subquery()
    found = found.union_all(sa.select(following).where(found.c.country.is_not(None)))
    some = sa.select(country).where(country == found.c.country).limit(max_counted).correlate(found).subquery()
    number = sa.select(sa.func.count()).select_from(some).scalar_subquery().label("number")
    rows = read_all(sa.select(found.c.country, number).where(found.c.country.is_not(None)).limit(limit))
    return [(row.country, row.number) for row in rows]


def _newest_first(statement: sa.Select[Any], row_id: Any, before: int | None, limit: int) -> ListPage:
    if before is not None:
        statement = statement.where(row_id < before)
    return _part(read_all(statement.order_by(row_id.desc()).limit(limit + 1)), limit)


def _part(rows: Sequence[sa.Row[Any]], limit: int) -> ListPage:
    return ListPage(rows[:limit], str(rows[limit - 1].id) if len(rows) > limit else None)


def count_totals(now: datetime, idle_since: datetime) -> dict[str, int]:
    """Totals for the dashboard: users are estimated if there are many, the rest is counted up to `MAX_COUNTED`."""
    parts = {
        "sessions": _active_sessions(),
        "groups": sa.select(Group.id),
        "queued_emails": sa.select(emails.c.id).where(emails.c.due_at.is_not(None)),
        "failed_emails": sa.select(emails.c.id).where(emails.c.given_up_at.is_not(None)),
    }
    return {"users": list_counts.estimate_users().number, **_count_rows(parts, now, idle_since)}


def _active_sessions() -> sa.Select[Any]:
    return sa.select(sessions.c.id).select_from(auth_queries.with_users).where(*auth_queries.ACTIVE)


def _count_rows(parts: Mapping[str, sa.Select[Any]], now: datetime, idle_since: datetime) -> dict[str, int]:
    """The number of rows of each statement, up to `MAX_COUNTED`."""
    counts = [
        sa.select(sa.func.count()).select_from(part.limit(MAX_COUNTED).subquery()).scalar_subquery().label(name)
        for name, part in parts.items()
    ]
    row = read_one(sa.select(*counts), {"now": now, "idle_since": idle_since})
    return dict(row._mapping) if row else {}
