"""Long background jobs that staff start, such as imports: rows with a lease that are worked on batch by batch.

Each batch renews the lease in its own transaction, together with the progress of the job. If a worker is killed, only
its current batch is lost, and the next worker continues after the last one.
"""

import enum
import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, ClassVar

import sqlalchemy as sa
from flask_babel import gettext as _
from flask_babel import lazy_gettext
from sqlalchemy.orm import Mapped, mapped_column

from . import clock, leases
from .context import ActingContext, Origin, use_acting_context
from .db import RowId, UTCDateTime, db, read_one
from .i18n import use_language
from .leases import LeaseLost
from .problems import Problem

log = logging.getLogger("userapi.jobs")

#: A job fails if it was interrupted this often in a row without progress.
MAX_ATTEMPTS = 3

#: Seconds between two batches on SQLite, which allows one writer at a time: a waiting one retries every 0.1 s.
BATCH_PAUSE = 0.15

#: How long a job belongs to a worker unless a batch renews the lease: longer than the slowest batch takes.
LEASE = timedelta(minutes=1)

#: How long a job and its report are kept after its end.
RETENTION = timedelta(days=30)

#: The number of characters of an error that are stored.
MAX_ERROR_LENGTH = 500


class State(enum.StrEnum):
    """The state of a job."""

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
        actor_id: the user who started it; no foreign key, because the job outlives the account.
        language: the language of its error and its report.
        total: the number of records or accounts it is about.
        state: a `State`.
        attempts: the number of claims since it last made progress.
        claimed_until: the end of the current worker's lease.
        started_at, finished_at: when a worker first claimed it, and when it ended.
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
    error: Mapped[str | None] = mapped_column(sa.String(MAX_ERROR_LENGTH))


class JobFailed(Problem):
    """A job cannot continue."""

    title = lazy_gettext("Job failed")


def is_due(jobs: Any, now: datetime) -> sa.ColumnElement[bool]:
    """The condition that a job can be claimed: one of a table at a time, so that workers stay free for other tasks."""
    other = jobs.alias("other")
    is_busy = sa.exists().where(other.c.state == State.RUNNING, other.c.claimed_until > now)
    return sa.and_(jobs.c.state.in_(ACTIVE), leases.is_unclaimed(jobs, now), ~is_busy)


def due_since(jobs: Any, now: datetime) -> datetime | None:
    """When the first job of a table that no worker has claimed became due. Call it outside a transaction."""
    since = sa.func.min(sa.func.coalesce(jobs.c.claimed_until, jobs.c.created_at), type_=jobs.c.created_at.type)
    ended = jobs.alias("ended")  # a job is due when the one before it has ended
    last_end = sa.select(sa.func.max(ended.c.finished_at, type_=ended.c.finished_at.type)).scalar_subquery()
    found: Any = read_one(sa.select(since, last_end).where(is_due(jobs, now)))
    return max(found[0], found[1] or found[0]) if found[0] else None


def is_anything_due(jobs: Any, *others: sa.ColumnElement[bool]) -> bool:
    """Whether a job of a table can be claimed or deleted, or another condition is true. Call it outside a transaction.

    This is one statement, because idle servers ask every few seconds.
    """
    now = clock.now()
    conditions = (sa.exists().where(is_due(jobs, now)), sa.exists().where(_is_expired(jobs, now)), *others)
    found = read_one(sa.select(sa.or_(*conditions)))
    return bool(found and found[0])


def delete_expired(jobs: Any) -> None:
    """Delete the jobs of a table that ended longer than `RETENTION` ago."""
    db.session.execute(sa.delete(jobs).where(_is_expired(jobs, clock.now())))


def _is_expired(jobs: Any, now: datetime) -> sa.ColumnElement[bool]:
    is_expired: sa.ColumnElement[bool] = jobs.c.finished_at < now - RETENTION
    return is_expired


def claim(jobs: Any, lease: timedelta = LEASE) -> sa.Row[Any] | None:
    """Claim the oldest job of a table that is due."""
    now = clock.now()
    started_at = sa.func.coalesce(jobs.c.started_at, sa.bindparam("now", now, jobs.c.started_at.type))
    return leases.claim(
        jobs, is_due(jobs, now), jobs.c.id, now=now, lease=lease, state=State.RUNNING, started_at=started_at
    )


def cancel(jobs: Any, job_id: int) -> bool:
    """Cancel a job that has not ended; its worker notices with the next batch."""
    cancelled = (
        sa.update(jobs)
        .where(jobs.c.id == job_id, jobs.c.state.in_(ACTIVE))
        .values(state=State.CANCELLED, claimed_until=None, finished_at=clock.now())
        .returning(jobs.c.id)
    )
    return db.session.execute(cancelled).one_or_none() is not None


class JobRun(ABC):
    """The work of one worker on one job.

    Args:
        job: the row that `claim` returned.

    Attributes:
        jobs: the table of the job.
        origin: the origin of the job's audit events; jobs are started on the staff site.
    """

    jobs: ClassVar[Any]
    origin: ClassVar[Origin] = Origin.WEB

    def __init__(self, job: sa.Row[Any]) -> None:
        self.job = job

    @abstractmethod
    def run_batches(self, stop: Callable[[], bool]) -> None:
        """Process batch by batch: `renew` and commit after each, and end with `finish` or `release`."""

    @abstractmethod
    def on_finish(self, state: State) -> None:
        """Write what belongs to the end of the job, in the transaction that ends it."""

    def run(self, stop: Callable[[], bool]) -> None:
        """Work on the job until it ends or `stop` returns true, on behalf of the user who started it."""
        with use_acting_context(ActingContext(self.origin, self.job.actor_id)), use_language(self.job.language):
            self._run(stop)

    def _run(self, stop: Callable[[], bool]) -> None:
        log.info("job started", extra={"kind": self.jobs.name, "job": self.job.id, "attempts": self.job.attempts})
        try:
            if self.job.attempts > MAX_ATTEMPTS:
                raise JobFailed(_("It was interrupted several times. See the log of the service for the reason."))
            self.run_batches(stop)
        except LeaseLost:
            db.session.rollback()
            log.warning("job lease lost", extra={"kind": self.jobs.name, "job": self.job.id})
        except Problem as problem:
            db.session.rollback()
            self._fail(str(problem))
        except Exception:
            db.session.rollback()
            self.release()
            raise

    def renew(self, lease: timedelta = LEASE, **progress: Any) -> None:
        """Write the progress and extend the lease, in the transaction of the batch.

        Raises:
            LeaseLost: nothing of that transaction may be committed.
        """
        self.job = leases.renew(self.jobs, self.job, lease, **progress)

    def pause(self) -> None:
        """Between two batches on SQLite, let other writers in that waited for this one."""
        if db.engine.dialect.name == "sqlite":
            time.sleep(BATCH_PAUSE)

    def finish(self, state: State, **progress: Any) -> None:
        """End the job.

        Args:
            state: how it ended.
            progress: other columns to set.

        Raises:
            LeaseLost: nothing of the transaction may be committed.
        """
        self.job = leases.finish(self.jobs, self.job, state=state, finished_at=clock.now(), **progress)
        self.on_finish(state)
        db.session.commit()
        log.info("job finished", extra={"kind": self.jobs.name, "job": self.job.id, "state": str(state)})

    def release(self) -> None:
        """Let the next worker continue immediately instead of when the lease expires."""
        try:
            leases.finish(self.jobs, self.job)
            db.session.commit()
        except LeaseLost:
            db.session.rollback()

    def _fail(self, error: str) -> None:
        try:
            self.finish(State.FAILED, error=printable(error))
        except LeaseLost:
            db.session.rollback()


def run_next(run_type: type[JobRun], stop: Callable[[], bool]) -> bool:
    """Claim the oldest job that is due, and run it.

    Args:
        run_type: the kind of job.
        stop: called after each batch; if it returns true, the next worker continues.

    Returns:
        Whether there was one.

    Raises:
        sqlalchemy.exc.DBAPIError: the database is unavailable; committed batches stay, and the next worker continues.
    """
    job = claim(run_type.jobs)
    db.session.commit()
    if job is None:
        return False
    run_type(job).run(stop)
    return True


def printable(text: str) -> str:
    """An error as one line that can be stored and shown."""
    return "".join(character if character.isprintable() else "?" for character in text)[:MAX_ERROR_LENGTH]
