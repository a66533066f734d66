"""Every statement about emails."""

import enum
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa
from markupsafe import escape

from userapi.core import clock, leases
from userapi.core.db import db, read_all, read_one
from userapi.core.writes import count_rows, delete_some

from .models import EmailMessage

emails: Any = EmailMessage.__table__

#: The columns that a list shows: not the contents.
LISTED = [column for column in emails.c if column.name not in ("text", "html", "secret")]

#: A health check reads at most this many emails.
MAX_COUNTED = 1000


class State(enum.StrEnum):
    """The state of an email."""

    DUE = "due"
    SENT = "sent"
    FAILED = "failed"


def _is_due(now: datetime) -> sa.ColumnElement[bool]:
    return sa.and_(emails.c.due_at <= now, leases.is_unclaimed(emails, now))


def _is_waiting(now: datetime) -> sa.ColumnElement[bool]:
    """Emails that could have been sent; one that is sent later on purpose is not late."""
    return sa.or_(emails.c.due_at <= now, sa.and_(emails.c.due_at.is_not(None), emails.c.attempts > 0))


def count_due(now: datetime) -> int:
    """The number of emails that can be claimed now. Call it outside a transaction."""
    found = read_one(sa.select(sa.func.count()).where(_is_due(now)))
    return int(found[0]) if found else 0


def backlog() -> tuple[int, datetime | None]:
    """The number of queued emails, and when the oldest was queued. Call it outside a transaction."""
    columns: tuple[Any, ...] = (sa.func.count(), sa.func.min(emails.c.created_at, type_=emails.c.created_at.type))
    found: Any = read_one(sa.select(*columns).where(_is_waiting(clock.now())))
    return found[0], found[1]


class Queued(NamedTuple):
    """The emails that are neither sent nor failed.

    Attributes:
        number: how many, up to `MAX_COUNTED`.
        since: when the oldest was queued.
        error: the mail server's last error for the oldest; None before the first attempt.
        due_since: when the first one that no worker has claimed became due; None if there is none.
    """

    number: int
    since: datetime
    error: str | None
    due_since: datetime | None


def queued(now: datetime) -> Queued | None:
    """The queued emails, or None if there are none. Call it outside a transaction.

    It reads only those that were due first, so that a long queue does not slow down a health check.
    """
    columns: tuple[Any, ...] = (emails.c.created_at, emails.c.last_error, emails.c.due_at, emails.c.claimed_until)
    first = sa.select(*columns).where(_is_waiting(now)).order_by(emails.c.due_at).limit(MAX_COUNTED)
    rows = read_all(first)
    if not rows:
        return None
    oldest = min(rows, key=lambda row: row.created_at)
    due = [row.due_at for row in rows if row.due_at <= now and not (row.claimed_until and row.claimed_until > now)]
    return Queued(len(rows), oldest.created_at, oldest.last_error, min(due, default=None))


def claim(now: datetime, lease: timedelta) -> sa.Row[Any] | None:
    """Claim the email that has been due longest; `leases.finish` ends the claim."""
    return leases.claim(emails, _is_due(now), emails.c.due_at, emails.c.id, now=now, lease=lease)


def newest(state: State | None, limit: int) -> Sequence[sa.Row[Any]]:
    """The newest emails, without their contents."""
    statement = sa.select(*LISTED).order_by(emails.c.id.desc()).limit(limit)
    if state is not None:
        statement = statement.where(in_state(state))
    return read_all(statement)


def by_id(email_id: int) -> EmailMessage | None:
    """One email."""
    return db.session.get(EmailMessage, email_id)


def make_due(now: datetime, email_id: int | None = None) -> int:
    """Queue one unsent email, or all failed ones, again, with no attempts counted; returns the number."""
    chosen = in_state(State.FAILED)
    if email_id is not None:
        chosen = sa.and_(EmailMessage.id == email_id, EmailMessage.sent_at.is_(None))
    return len(
        db.session.scalars(
            sa.update(EmailMessage)
            .where(chosen)
            .values(due_at=now, given_up_at=None, attempts=0)
            .returning(EmailMessage.id)
            .execution_options(synchronize_session=False)
        ).all()
    )


def in_state(state: State) -> sa.ColumnElement[bool]:
    """The condition that an email is in a state."""
    columns = {State.DUE: emails.c.due_at, State.SENT: emails.c.sent_at, State.FAILED: emails.c.given_up_at}
    condition: sa.ColumnElement[bool] = columns[state].is_not(None)
    return condition


def delete_of_user(user_id: int) -> None:
    """Delete all emails about an account."""
    db.session.execute(sa.delete(EmailMessage).where(EmailMessage.user_id == user_id))


def list_recipients(kinds: Collection[str], before: datetime, local_part: str | None = None) -> Sequence[str]:
    """The addresses without an account to which emails of some kinds were queued before a moment.

    Args:
        kinds: the kinds.
        before: the moment.
        local_part: in lower case; only addresses with this one before the @.
    """
    wanted = [EmailMessage.kind.in_(kinds), EmailMessage.user_id.is_(None), EmailMessage.created_at < before]
    if local_part is not None:
        wanted.append(sa.func.lower(EmailMessage.recipient).startswith(f"{local_part}@", autoescape=True))
    return db.session.scalars(sa.select(EmailMessage.recipient).where(*wanted).distinct()).all()


def give_to_user(recipients: Collection[str], kinds: Collection[str], user_id: int) -> None:
    """Let emails to addresses, from before they had an account, be about that account, with which they are deleted."""
    count_rows(sa.update(EmailMessage).where(*_are_to(recipients, kinds)).values(user_id=user_id))


def delete_to(recipients: Collection[str], kinds: Collection[str], before: datetime) -> bool:
    """Delete the emails of some kinds to addresses without an account that were queued before a moment.

    Returns:
        Whether one of them was still queued.
    """
    return _delete(*_are_to(recipients, kinds), EmailMessage.created_at < before)


def delete_to_users(user_ids: Collection[int], kinds: Collection[str]) -> bool:
    """Delete the emails of some kinds to some users; returns whether one of them was still queued."""
    return _delete(EmailMessage.user_id.in_(user_ids), EmailMessage.kind.in_(kinds))


def _delete(*conditions: sa.ColumnElement[bool]) -> bool:
    deletion = sa.delete(EmailMessage).where(*conditions).returning(EmailMessage.due_at)
    due = db.session.scalars(deletion.execution_options(synchronize_session=False)).all()
    return any(moment is not None for moment in due)


def _are_to(recipients: Collection[str], kinds: Collection[str]) -> tuple[sa.ColumnElement[bool], ...]:
    return (EmailMessage.recipient.in_(recipients), EmailMessage.kind.in_(kinds), EmailMessage.user_id.is_(None))


def redact(words: str, kinds: Collection[str]) -> None:
    """Replace some words in all emails of some kinds with "…"."""
    written = {"text": words, "html": str(escape(words))}
    columns = {name: sa.func.replace(emails.c[name], text, "…") for name, text in written.items()}
    mentions = sa.or_(*(emails.c[name].contains(text, autoescape=True) for name, text in written.items()))
    db.session.execute(sa.update(emails).where(emails.c.kind.in_(kinds), mentions).values(columns))


def prune(before: datetime, limit: int) -> int:
    """Delete up to a number of emails that were queued before a moment and sent or failed; returns the number."""
    has_ended = (EmailMessage.created_at < before) & EmailMessage.due_at.is_(None)
    return delete_some(EmailMessage.id, has_ended, limit)
