"""Every look at the outbox, and the writes that only one deliverer can win."""

import enum
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple, cast

import sqlalchemy as sa

from userapi.core.db import db, read_all, read_one

from .models import Message

#: A health check looks at no more emails.
MAX_COUNTED = 1000


class State(enum.StrEnum):
    """Where a letter stands."""

    DUE = "due"
    SENT = "sent"
    GIVEN_UP = "given-up"


def _waiting(now: datetime) -> sa.ColumnElement[bool]:
    return sa.and_(
        Message.due_at <= now,
        sa.or_(Message.claimed_until.is_(None), Message.claimed_until <= now),
    )


def count_waiting(now: datetime) -> int:
    """How many letters a deliverer could take now; asked outside any transaction."""
    found = read_one(sa.select(sa.func.count()).where(_waiting(now)))
    return int(found[0]) if found else 0


def backlog() -> tuple[int, datetime | None]:
    """How many letters are neither sent nor given up, and since when the oldest waits; outside any transaction."""
    columns: tuple[Any, ...] = (sa.func.count(), sa.func.min(Message.created_at))
    found: Any = read_one(sa.select(*columns).where(Message.due_at.is_not(None)))
    return found[0], found[1]


class Waiting(NamedTuple):
    """The emails that are neither sent nor given up.

    Attributes:
        number: how many there are, `MAX_COUNTED` at most.
        since: when the oldest of them was written.
        error: what the mail server said to the oldest; None before the first attempt.
        due_since: since when one could be taken that no deliverer has taken; None when there is no such one.
    """

    number: int
    since: datetime
    error: str | None
    due_since: datetime | None


def waiting(now: datetime) -> Waiting | None:
    """The emails that wait, None when there are none; outside any transaction.

    Only those that were due first are looked at, so that a long queue does not make a health check slow.
    """
    columns: tuple[Any, ...] = (Message.created_at, Message.last_error, Message.due_at, Message.claimed_until)
    first = sa.select(*columns).where(Message.due_at.is_not(None)).order_by(Message.due_at).limit(MAX_COUNTED)
    rows = read_all(first)
    if not rows:
        return None
    oldest = min(rows, key=lambda row: row.created_at)
    due = [row.due_at for row in rows if row.due_at <= now and not (row.claimed_until and row.claimed_until > now)]
    return Waiting(len(rows), oldest.created_at, oldest.last_error, min(due, default=None))


def claim(now: datetime, lease: timedelta) -> sa.Row[Any] | None:
    """Take the letter that waits longest, for the time of the lease, and count the attempt.

    One UPDATE: PostgreSQL's deliverers skip what another is taking, SQLite's take turns.
    """
    longest_waiting = (
        sa.select(Message.id)
        .where(_waiting(now))
        .order_by(Message.due_at, Message.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    return db.session.execute(
        sa.update(Message)
        .where(Message.id == longest_waiting.scalar_subquery())
        .values(claimed_until=now + lease, attempts=Message.attempts + 1)
        .returning(*Message.__table__.columns)
        .execution_options(synchronize_session=False)
    ).one_or_none()


def settle(letter: sa.Row[Any], **outcome: Any) -> bool:
    """Write down how an attempt ended, unless the lease ran out and another deliverer has the letter now."""
    return (
        db.session.execute(
            sa.update(Message)
            .where(Message.id == letter.id, Message.claimed_until == letter.claimed_until)
            .values(claimed_until=None, **outcome)
            .returning(Message.id)
            .execution_options(synchronize_session=False)
        ).one_or_none()
        is not None
    )


def listed(state: State | None, limit: int) -> Sequence[sa.Row[Any]]:
    """The newest letters, without what they say."""
    columns = [column for column in Message.__table__.columns if column.name not in ("text", "html", "secret")]
    statement = sa.select(*columns).order_by(Message.id.desc()).limit(limit)
    if state is not None:
        statement = statement.where(in_state(state))
    return read_all(statement)


def by_id(message_id: int) -> Message | None:
    """One letter."""
    return db.session.get(Message, message_id)


def make_due(now: datetime, message_id: int | None = None) -> int:
    """Give one letter that is not sent, or all that were given up, all their attempts again; how many there were."""
    chosen = in_state(State.GIVEN_UP)
    if message_id is not None:
        chosen = sa.and_(Message.id == message_id, Message.sent_at.is_(None))
    return len(
        db.session.scalars(
            sa.update(Message)
            .where(chosen)
            .values(due_at=now, given_up_at=None, attempts=0)
            .returning(Message.id)
            .execution_options(synchronize_session=False)
        ).all()
    )


def in_state(state: State) -> sa.ColumnElement[bool]:
    """The condition that a letter stands there."""
    return {
        State.DUE: Message.due_at.is_not(None),
        State.SENT: Message.sent_at.is_not(None),
        State.GIVEN_UP: Message.given_up_at.is_not(None),
    }[state]


def delete_of_user(user_id: int) -> None:
    """Delete every email about an account, sent or not."""
    db.session.execute(sa.delete(Message).where(Message.user_id == user_id))


def withhold(words: str, kind: str) -> None:
    """Blank some words in the texts of a kind of emails."""
    columns = {name: sa.func.replace(getattr(Message, name), words, "…") for name in ("text", "html")}
    mentions = sa.or_(Message.text.contains(words, autoescape=True), Message.html.contains(words, autoescape=True))
    statement = sa.update(Message).where(Message.kind == kind, mentions).values(columns)
    db.session.execute(statement.execution_options(synchronize_session=False))


def prune(before: datetime, most: int) -> int:
    """Delete letters written before a moment that wait no more, a bounded number at a time; how many went."""
    over = sa.select(Message.id).where(Message.created_at < before, Message.due_at.is_(None)).limit(most)
    deletion = sa.delete(Message).where(Message.id.in_(over)).execution_options(synchronize_session=False)
    return cast("sa.CursorResult[Any]", db.session.execute(deletion)).rowcount
