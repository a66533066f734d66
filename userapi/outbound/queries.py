"""Every statement about notices."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple, cast

import sqlalchemy as sa

from userapi.core import leases
from userapi.core.db import db, read_all, read_one

from .models import Notice

notices: Any = Notice.__table__

#: A recipient: the kind of its notices, and its name.
Recipient = tuple[str, str]

#: The recipients of each kind of notice that this application can deliver; None means all.
Recipients = Mapping[str, frozenset[str] | None]


class State(StrEnum):
    """What became of a notice."""

    DUE = "due"
    SENT = "sent"
    FAILED = "failed"


STATES = {
    State.DUE: notices.c.due_at.is_not(None),
    State.SENT: notices.c.sent_at.is_not(None),
    State.FAILED: notices.c.failed_at.is_not(None),
}


class Backlog(NamedTuple):
    """What is wrong with the notices.

    Attributes:
        since: since when the oldest one that is still to be sent is queued.
        due: the number of those that are still to be sent.
        failed: the number of failed ones.
    """

    since: datetime | None
    due: int
    failed: int


def count_due(now: datetime, recipients: Recipients, busy: Collection[Recipient], limit: int) -> int:
    """The number of recipients, up to a limit, that a notice can be sent to now. Call it outside a transaction.

    Args:
        now: the current time.
        recipients: who gets notices.
        busy: who gets none now.
        limit: the maximum number.
    """
    if not recipients:
        return 0
    named = sa.select(notices.c.kind, notices.c.service).where(_is_due(now, recipients, busy))
    return len(read_all(named.distinct().limit(limit)))


def claim(
    now: datetime,
    lease: timedelta,
    recipients: Recipients,
    busy: Collection[Recipient] = (),
    due_by: datetime | None = None,
) -> sa.Row[Any] | None:
    """Claim the notice that has been due longest, since a moment if one is given; `leases.finish` ends the claim."""
    is_due = sa.and_(_is_due(now, recipients, busy), notices.c.due_at <= (due_by or now))
    return leases.claim(notices, is_due, notices.c.due_at, notices.c.id, now=now, lease=lease)


def prune_sent(before: datetime, limit: int) -> int:
    """Delete up to a number of notices that were queued before a moment and sent; returns the number."""
    return _prune(sa.and_(notices.c.created_at < before, STATES[State.SENT]), limit)


def prune_failed(before: datetime, limit: int) -> int:
    """The same for notices that failed."""
    return _prune(sa.and_(notices.c.created_at < before, STATES[State.FAILED]), limit)


def read_backlog(kind: str | None = None) -> Backlog:
    """How long notices have been waiting, and how many have failed: those of a kind, or all."""
    of_kind = sa.true() if kind is None else notices.c.kind == kind
    due, failed = sa.and_(STATES[State.DUE], of_kind), sa.and_(STATES[State.FAILED], of_kind)
    row = read_one(
        sa.select(
            sa.select(sa.func.min(notices.c.created_at)).where(due).scalar_subquery().label("since"),
            sa.select(sa.func.count()).select_from(notices).where(due).scalar_subquery().label("due"),
            sa.select(sa.func.count()).select_from(notices).where(failed).scalar_subquery().label("failed"),
        )
    )
    return Backlog(row.since, row.due, row.failed) if row else Backlog(None, 0, 0)


def newest(
    state: State | None, limit: int, kind: str | None = None, recipient: str | None = None, before: int | None = None
) -> Sequence[sa.Row[Any]]:
    """The newest notices in one state, of one kind, to one recipient, with a lower id; None means any."""
    wanted = [
        *([STATES[state]] if state is not None else []),
        *([notices.c.kind == kind] if kind is not None else []),
        *([notices.c.service == recipient] if recipient is not None else []),
        *([notices.c.id < before] if before is not None else []),
    ]
    return read_all(sa.select(notices).where(*wanted).order_by(notices.c.id.desc()).limit(limit))


def count_queued(recipient: str) -> int:
    """The number of notices to a recipient that are still to be sent."""
    wanted = (notices.c.service == recipient, STATES[State.DUE])
    row = read_one(sa.select(sa.func.count()).select_from(notices).where(*wanted))
    return int(row[0]) if row else 0


def retry(notice_id: int, now: datetime, recipient: str | None = None) -> int:
    """Queue a notice again that is due or has failed, if it is to this recipient, or to any (None); the number."""
    is_theirs = sa.true() if recipient is None else notices.c.service == recipient
    return _retry(sa.and_(notices.c.id == notice_id, is_theirs), now)


def retry_all_failed(now: datetime) -> int:
    """Queue all failed notices again; returns the number."""
    return _retry(STATES[State.FAILED], now)


def retry_recipient(recipient: str, now: datetime) -> int:
    """Queue all notices to a recipient again that are due or have failed; returns the number."""
    return _retry(notices.c.service == recipient, now)


def _retry(wanted: sa.ColumnElement[bool], now: datetime) -> int:
    update = (
        sa.update(notices)
        .where(wanted, notices.c.sent_at.is_(None))
        .values(due_at=now, created_at=now, attempts=0, failed_at=None, claimed_until=None)
    )
    return cast("sa.CursorResult[Any]", db.session.execute(update)).rowcount


def _prune(condition: sa.ColumnElement[bool], limit: int) -> int:
    ended = sa.select(notices.c.id).where(condition).limit(limit)
    deletion = sa.delete(notices).where(notices.c.id.in_(ended))
    return cast("sa.CursorResult[Any]", db.session.execute(deletion)).rowcount


def _is_due(now: datetime, recipients: Recipients, busy: Collection[Recipient]) -> sa.ColumnElement[bool]:
    known = [
        notices.c.kind == kind if names is None else sa.and_(notices.c.kind == kind, notices.c.service.in_(names))
        for kind, names in recipients.items()
    ]
    free = [sa.or_(notices.c.kind != kind, notices.c.service != name) for kind, name in busy]
    return sa.and_(notices.c.due_at <= now, leases.is_unclaimed(notices, now), sa.or_(*known), *free)
