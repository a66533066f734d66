"""Jobs that are rows with a lease: each is done once, by any number of workers, whichever of them are killed.

A worker claims a job for the time of a lease. Every batch renews the lease in its own transaction, together with the
progress of the job. A worker that is killed loses only the batch in hand: the lease runs out, and the next worker
continues after the last batch. A worker that overslept its lease finds that out before it commits.
"""

import enum
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, ClassVar

import sqlalchemy as sa
import structlog
from flask_babel import gettext as _
from flask_babel import lazy_gettext
from sqlalchemy.orm import Mapped, mapped_column

from . import clock
from .context import Acting, Origin, acting_as
from .db import RowId, UTCDateTime, db, read_one
from .i18n import speaking
from .problems import Problem

log = structlog.get_logger("userapi.jobs")

#: A job that ends its workers this often without progress fails.
MOST_ATTEMPTS = 3

#: Seconds between two batches on SQLite, where one writes at a time: a writer that waits looks every 0.1 s at most.
REST = 0.15

#: The most characters of a reason that are kept.
LONGEST_REASON = 500


class State(enum.StrEnum):
    """How far a job is."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


#: The states of a job that has not ended.
ACTIVE = (State.WAITING, State.RUNNING)


class LeasedJob:
    """The columns of every table of jobs.

    Attributes:
        actor_id: who started it; no foreign key, for the row outlives the account.
        language: the language in which it reports.
        total: how many records or accounts it is about.
        state: a `State`.
        attempts: how often it was claimed since it last made progress.
        claimed_until: until when one worker has it to itself.
        started_at, finished_at: of the work.
        error: why it failed.
    """

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    actor_id: Mapped[int | None] = mapped_column(RowId)
    language: Mapped[str | None] = mapped_column(sa.String(35))
    total: Mapped[int] = mapped_column(sa.Integer)
    state: Mapped[str] = mapped_column(sa.String(10), index=True)
    attempts: Mapped[int] = mapped_column(sa.Integer, default=0)
    claimed_until: Mapped[datetime | None] = mapped_column(UTCDateTime)
    started_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UTCDateTime, index=True)
    error: Mapped[str | None] = mapped_column(sa.String(LONGEST_REASON))


class JobFailed(Problem):
    """A job cannot continue."""

    title = lazy_gettext("Job failed")


class JobLost(Exception):
    """The job was cancelled, or another worker has it."""


def is_due(jobs: Any, now: datetime) -> sa.ColumnElement[bool]:
    """The jobs of a table that no worker has; one at a time, so that other work finds a worker too."""
    other = jobs.alias("other")
    is_busy = sa.exists().where(other.c.state == State.RUNNING, other.c.claimed_until > now)
    return sa.and_(
        jobs.c.state.in_(ACTIVE), sa.or_(jobs.c.claimed_until.is_(None), jobs.c.claimed_until <= now), ~is_busy
    )


def due_since(jobs: Any, now: datetime) -> datetime | None:
    """Since when a job of a table could begin or continue that no worker has taken; outside any transaction."""
    since = sa.func.min(sa.func.coalesce(jobs.c.claimed_until, jobs.c.created_at), type_=jobs.c.created_at.type)
    ended = jobs.alias("ended")  # one after the other: the next is due when the one before has ended
    last_end = sa.select(sa.func.max(ended.c.finished_at, type_=ended.c.finished_at.type)).scalar_subquery()
    found: Any = read_one(sa.select(since, last_end).where(is_due(jobs, now)))
    return max(found[0], found[1] or found[0]) if found[0] else None


def claim(jobs: Any, lease: timedelta) -> sa.Row[Any] | None:
    """Take the job of a table that waits longest, for the time of the lease, and count the attempt.

    One UPDATE: PostgreSQL's workers skip what another is taking, SQLite's take turns.
    """
    now = clock.now()
    first = sa.select(jobs.c.id).where(is_due(jobs, now)).order_by(jobs.c.id).limit(1).with_for_update(skip_locked=True)
    return db.session.execute(
        sa.update(jobs)
        .where(jobs.c.id == first.scalar_subquery())
        .values(
            state=State.RUNNING,
            claimed_until=now + lease,
            started_at=sa.func.coalesce(jobs.c.started_at, sa.bindparam("now", now, jobs.c.started_at.type)),
            attempts=jobs.c.attempts + 1,
        )
        .returning(*jobs.c)
    ).one_or_none()


def cancel(jobs: Any, job_id: int) -> bool:
    """End a job that has not ended; the worker that has it finds out with its next batch."""
    ended = (
        sa.update(jobs)
        .where(jobs.c.id == job_id, jobs.c.state.in_(ACTIVE))
        .values(state=State.CANCELLED, claimed_until=None, finished_at=clock.now())
        .returning(jobs.c.id)
    )
    return db.session.execute(ended).one_or_none() is not None


class Work(ABC):
    """One job, as long as one worker has it.

    Args:
        job: the row that `claim` gave.

    Attributes:
        jobs: the table of the job.
        origin: of the events of the job; jobs are started at the staff site.
    """

    jobs: ClassVar[Any]
    origin: ClassVar[Origin] = Origin.WEB

    def __init__(self, job: sa.Row[Any]) -> None:
        self.job = job

    @abstractmethod
    def go(self, stop: Callable[[], bool]) -> None:
        """Do the job batch by batch: `renew` and commit after each, and end with `finish` or `release`."""

    @abstractmethod
    def on_finish(self, state: State) -> None:
        """Write what belongs to the end of the job, in the transaction that ends it."""

    def do(self, stop: Callable[[], bool]) -> None:
        """Do the job to its end, or until it is to stop, on behalf of the user who started it."""
        with acting_as(Acting(self.origin, self.job.actor_id)), speaking(self.job.language):
            self._do(stop)

    def _do(self, stop: Callable[[], bool]) -> None:
        log.info("job started", kind=self.jobs.name, job=self.job.id, attempts=self.job.attempts)
        try:
            if self.job.attempts > MOST_ATTEMPTS:
                raise JobFailed(_("It was interrupted several times. See the log of the service for the reason."))
            self.go(stop)
        except JobLost:
            db.session.rollback()
            log.warning("job lease lost", kind=self.jobs.name, job=self.job.id)
        except Problem as problem:
            db.session.rollback()
            self._fail(str(problem))
        except Exception:
            db.session.rollback()
            self.release()
            raise

    def renew(self, lease: timedelta | None, **progress: Any) -> None:
        """Write down the progress, in the transaction of what was done, and prolong the lease.

        Raises:
            JobLost: nothing of that transaction may be committed.
        """
        job = db.session.execute(
            sa.update(self.jobs)
            .where(
                self.jobs.c.id == self.job.id,
                self.jobs.c.claimed_until == self.job.claimed_until,
                self.jobs.c.state == State.RUNNING,
            )
            .values(claimed_until=None if lease is None else clock.now() + lease, **progress)
            .returning(*self.jobs.c)
        ).one_or_none()
        if job is None:
            raise JobLost
        self.job = job

    def rest(self) -> None:
        """Between two batches, let others write who have waited for this one."""
        if db.engine.dialect.name == "sqlite":
            time.sleep(REST)

    def finish(self, state: State, **progress: Any) -> None:
        """End the job.

        Raises:
            JobLost: as `renew`.
        """
        self.renew(None, state=state, finished_at=clock.now(), **progress)
        self.on_finish(state)
        db.session.commit()
        log.info("job finished", kind=self.jobs.name, job=self.job.id, state=str(state))

    def release(self) -> None:
        """Let the next worker continue without waiting for the lease to run out."""
        try:
            self.renew(None)
            db.session.commit()
        except JobLost:
            db.session.rollback()

    def _fail(self, reason: str) -> None:
        try:
            self.finish(State.FAILED, error=line(reason))
        except JobLost:
            db.session.rollback()


def line(text: str) -> str:
    """A reason as one line that can be shown."""
    return "".join(character if character.isprintable() else "?" for character in text)[:LONGEST_REASON]
