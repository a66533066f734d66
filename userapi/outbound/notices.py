"""Notices: each is a row in the transaction that causes it, and is delivered until its recipient accepts it.

A notice is delivered at least once. If a worker is killed before it has written the outcome, the next one delivers it
again. What a kind of notice is, and who its recipients are, the part that registers the kind says. A process sends one
notice at a time to a recipient, so that one that does not respond delays no other (decision 0115).
"""

import logging
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa
from flask import Flask, current_app

from userapi.core import backoff, batches, clock, job_runner, leases, loop
from userapi.core.context import ActingContext, Origin, use_acting_context
from userapi.core.db import db
from userapi.core.leases import LeaseLost
from userapi.observability import metrics

from . import queries
from .models import Notice
from .notice_loop import LOOP, SENDERS, NoticeLoop

log = logging.getLogger("userapi.outbound")

#: Seconds between the first two attempts, and the most between any two.
FIRST_DELAY, MAX_DELAY = 1, 3600

#: How long a notice belongs to a worker: longer than the slowest delivery takes.
LEASE = timedelta(minutes=2)

#: The number of notices that a sender takes before it looks again whether it was stopped.
BATCH = 100

#: How long notices are kept after they were queued, if they were sent and if they failed.
KEEP_SENT, KEEP_FAILED = timedelta(days=7), timedelta(days=30)

#: How often a loop that has nothing else to do deletes old notices.
PRUNING_INTERVAL = timedelta(hours=1)

#: The kinds of an application, in its `extensions`.
KINDS = "userapi-notices"

#: When the loops of an application delete old notices again, in its `extensions`.
NEXT_PRUNING = "userapi-notices-pruning"

#: The recipients that an application is sending to, in its `extensions`.
IN_FLIGHT = "userapi-notices-in-flight"


class NotAccepted(Exception):
    """The recipient did not accept a notice.

    Attributes:
        reason: why, in a few words.
        is_final: whether it will never accept it.
    """

    def __init__(self, reason: str, *, is_final: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.is_final = is_final


class Kind(NamedTuple):
    """How notices of a kind are delivered.

    Attributes:
        deliver: delivers a row, and raises `NotAccepted` or any other exception if that fails. What it writes through
            `db.session` is committed together with the outcome.
        max_age: how long after it was queued a notice is tried.
        recipients: the names that this application can deliver to; None means all. Notices to others are left to other
            versions of the application.
        starts_when_needed: whether the thread starts only with the first notice; for those of other processes, it is
            looked for once a minute.
    """

    deliver: Callable[[sa.Row[Any]], None]
    max_age: timedelta
    recipients: frozenset[str] | None = None
    starts_when_needed: bool = False


class InFlight:
    """The recipients that a process is sending to.

    Attributes:
        choosing: the lock under which a sender claims its next notice.
    """

    def __init__(self) -> None:
        self.choosing = threading.Lock()
        self._changing = threading.Lock()
        self._recipients: set[queries.Recipient] = set()

    def list(self) -> tuple[queries.Recipient, ...]:
        """The recipients now."""
        with self._changing:
            return tuple(self._recipients)

    def begin(self, notice: sa.Row[Any]) -> None:
        """A sender has claimed a notice."""
        with self._changing:
            self._recipients.add((notice.kind, notice.service))

    def end(self, notice: sa.Row[Any]) -> None:
        """A sender has written the outcome of a notice."""
        with self._changing:
            self._recipients.discard((notice.kind, notice.service))


def configure(app: Flask) -> None:
    """Begin without any kind: nothing runs until `register` is called."""
    app.extensions[KINDS] = {}
    app.extensions[IN_FLIGHT] = InFlight()


def register(app: Flask, name: str, kind: Kind) -> None:
    """Deliver notices of a kind while the application serves."""
    if loop.is_enabled(app):
        notice_loop = app.extensions.get(loop.LOOPS, {}).get(LOOP)
        if notice_loop is None:
            notice_loop = NoticeLoop(app, count_due=_count_due, send=run_sender, prune=_prune_sometimes)
            loop.add(notice_loop)
        if not kind.starts_when_needed:
            app.before_request(notice_loop.start)
        elif not app.extensions[KINDS]:
            job_runner.register(app, notice_loop.look_for_notices)
    app.extensions[KINDS][name] = kind


def are_in_use() -> bool:
    """Whether notices are delivered: by a thread that runs, or of a kind for which one runs always."""
    notice_loop = current_app.extensions.get(loop.LOOPS, {}).get(LOOP)
    is_running = notice_loop is not None and notice_loop.is_running()
    return is_running or any(not kind.starts_when_needed for kind in get_kinds().values())


def get_kinds() -> Mapping[str, Kind]:
    """The registered kinds by name."""
    kinds: Mapping[str, Kind] = current_app.extensions[KINDS]
    return kinds


def queue(kind: str, recipient: str, content: Mapping[str, Any], *, url: str = "") -> None:
    """Add a notice to the current transaction.

    Args:
        kind: a kind that was registered.
        recipient: its name, one of a few: the label of a service, or a subscriber.
        content: what it says; no secrets.
        url: where it is sent, if it is.
    """
    now = clock.now()
    values = {"kind": kind, "service": recipient, "url": url, "content": orjson.dumps(content).decode()}
    db.session.add(Notice(created_at=now, due_at=now, **values))
    loop.wake_on_commit(LOOP)


def retry(recipient: str, notice_id: int | None = None) -> int:
    """Queue a notice to a recipient again that is due or has failed, or all of them (None); returns the number."""
    now = clock.now()
    count = queries.retry_recipient(recipient, now) if notice_id is None else queries.retry(notice_id, now, recipient)
    if count:
        loop.wake_on_commit(LOOP)
    return count


def send_due(limit: int, stop: Callable[[], bool] = lambda: False, *, due_by: datetime | None = None) -> int:
    """Deliver one notice after the other that is due, each in transactions of its own; returns the number of attempts.

    Args:
        limit: the maximum number.
        stop: called before each notice; true ends the round.
        due_by: skips those that become due later, such as those that a delivery queues; by default none.
    """
    for count in range(limit):
        notice = None if stop() else _claim(due_by)
        if notice is None:
            return count
        try:
            _send(notice)
        except LeaseLost:
            db.session.rollback()
            log.warning("notice lease lost", extra={"notice": notice.id, "kind": notice.kind})
        finally:
            _in_flight().end(notice)
        db.session.expunge_all()
    return limit


def run_sender(app: Flask, stop: Callable[[], bool], *, due_by: datetime | None = None) -> int:
    """Deliver notices until none is due; arguments and result as for `send_due`. For a thread of its own."""
    total = 0
    with app.app_context(), use_acting_context(ActingContext(Origin.SYSTEM)):
        while count := send_due(BATCH, stop, due_by=due_by):
            total += count
    return total


def deliver_due(stop: Callable[[], bool] = lambda: False, *, due_by: datetime | None = None) -> int:
    """Deliver all notices that are due, to up to `SENDERS` recipients at the same time; as `send_due`."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    count = _count_due(SENDERS)
    if not count:
        return 0
    with ThreadPoolExecutor(count, LOOP) as pool:
        return sum(pool.map(lambda _number: run_sender(app, stop, due_by=due_by), range(count)))


def prune(sent_before: datetime, failed_before: datetime) -> int:
    """Delete notices queued before a moment that were sent, or failed, in batches; returns the number."""
    sent = batches.prune_in_batches(queries.prune_sent, sent_before)
    return sent + batches.prune_in_batches(queries.prune_failed, failed_before)


def prune_old() -> int:
    """Delete notices that were kept long enough; returns the number."""
    now = clock.now()
    return prune(now - KEEP_SENT, now - KEEP_FAILED)


def _recipients() -> queries.Recipients:
    return {name: kind.recipients for name, kind in get_kinds().items()}


def _in_flight() -> InFlight:
    found: InFlight = current_app.extensions[IN_FLIGHT]
    return found


def _count_due(limit: int) -> int:
    return queries.count_due(clock.now(), _recipients(), _in_flight().list(), limit)


def _claim(due_by: datetime | None) -> sa.Row[Any] | None:
    """Claim the notice that has been due longest, of those whose recipient no other sender of this process has."""
    in_flight, recipients = _in_flight(), _recipients()
    with in_flight.choosing:
        notice = queries.claim(clock.now(), LEASE, recipients, in_flight.list(), due_by) if recipients else None
        db.session.commit()
        if notice is not None:
            in_flight.begin(notice)
    return notice


def _prune_sometimes() -> None:
    now = clock.now()
    if now >= current_app.extensions.get(NEXT_PRUNING, now):
        current_app.extensions[NEXT_PRUNING] = now + PRUNING_INTERVAL
        prune_old()


def _send(notice: sa.Row[Any]) -> None:
    """Deliver a notice and write the outcome, in one transaction if it is accepted."""
    facts = {"notice": notice.id, "kind": notice.kind, "recipient": notice.service, "attempts": notice.attempts}
    kind = get_kinds()[notice.kind]
    try:
        kind.deliver(notice)
        leases.finish(queries.notices, notice, sent_at=clock.now(), due_at=None, last_error=None)
        db.session.commit()
    except LeaseLost:
        raise
    except NotAccepted as error:
        db.session.rollback()
        _delay(notice, kind, error.reason, facts, is_final=error.is_final)
    except Exception as error:
        db.session.rollback()
        log.exception("notice error", extra=facts)
        _delay(notice, kind, type(error).__name__, facts)
    else:
        _count("sent")
        log.info("notice sent", extra=facts)


def _delay(notice: sa.Row[Any], kind: Kind, error: str, facts: Mapping[str, Any], *, is_final: bool = False) -> None:
    """Write that a notice was not accepted: it is tried again later, or has failed."""
    now, error = clock.now(), error[:100]
    if is_final or now > notice.created_at + kind.max_age:
        leases.finish(queries.notices, notice, failed_at=now, due_at=None, last_error=error)
        db.session.commit()
        _count("failed")
        log.error("notice failed", extra={"error": error, **facts})
    else:
        due_at = now + timedelta(seconds=backoff.seconds(notice.attempts, FIRST_DELAY, MAX_DELAY))
        leases.finish(queries.notices, notice, due_at=due_at, last_error=error)
        db.session.commit()
        _count("delayed")
        log.warning("notice delayed", extra={"error": error, "until": due_at, **facts})


def _count(outcome: str) -> None:
    metrics.get_current_metrics().notices.labels(outcome).inc()
