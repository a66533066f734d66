"""Every statement about imports of the staff site that is not in `core/leased_jobs.py`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from userapi.core.db import db, read_all, read_one
from userapi.core.leased_jobs import ACTIVE, State
from userapi.users.models import User

from .models import ImportFile, ImportJob

jobs: Any = ImportJob.__table__
files: Any = ImportFile.__table__

#: The columns that the list of imports shows.
LISTED = [jobs.c[name] for name in ("id", "created_at", "actor_id", "file_name", "total", "dry_run", "on_conflict",
                                    "state", "started_at", "finished_at", "counts")]  # fmt: skip


def has_expired_file(uploaded_before: datetime) -> sa.ColumnElement[bool]:
    """The condition that a file was uploaded before a time."""
    return sa.exists().where(files.c.created_at < uploaded_before)


def read_file(job_id: int) -> bytes | None:
    """The file of an import, or None if it was deleted."""
    return db.session.scalar(sa.select(files.c.content).where(files.c.job_id == job_id))


def list_idle_files() -> Sequence[int]:
    """The imports that have a file and have ended: dry runs whose import may still be started."""
    ended = sa.select(files.c.job_id).join(jobs, jobs.c.id == files.c.job_id).where(jobs.c.state.not_in(ACTIVE))
    return db.session.scalars(ended).all()


def move_file(job_id: int, import_id: int) -> bool:
    """Move the file of a dry run to its import; returns False if another import already has it."""
    moved = sa.update(files).where(files.c.job_id == job_id).values(job_id=import_id).returning(files.c.job_id)
    return db.session.execute(moved).one_or_none() is not None


def store_counts(job_id: int, counts: dict[str, Any]) -> None:
    """Store the counts of an import that no worker has claimed."""
    db.session.execute(sa.update(jobs).where(jobs.c.id == job_id).values(counts=counts))


def delete_file(job_id: int) -> bool:
    """Delete the file of an import; returns whether there was one."""
    removed = sa.delete(files).where(files.c.job_id == job_id).returning(files.c.job_id)
    return db.session.execute(removed).one_or_none() is not None


def delete_expired_files(now: datetime, uploaded_before: datetime, error: str) -> None:
    """Delete the files that were uploaded before a time, unless a worker is importing them.

    Args:
        now: the current time.
        uploaded_before: the time.
        error: the error of imports that had not finished and now fail.
    """
    running = sa.select(jobs.c.id).where(jobs.c.state == State.RUNNING, jobs.c.claimed_until > now)
    expired = sa.select(files.c.job_id).where(files.c.created_at < uploaded_before, files.c.job_id.not_in(running))
    db.session.execute(
        sa.update(jobs)
        .where(jobs.c.id.in_(expired), jobs.c.state.in_(ACTIVE))
        .values(state=State.FAILED, error=error, claimed_until=None, finished_at=now)
    )
    db.session.execute(sa.delete(files).where(files.c.job_id.in_(expired)))


def is_superuser(user_id: int | None) -> bool:
    """Whether a user is an active superuser."""
    found = sa.select(User.id).where(User.id == user_id, User.is_active, User.is_superuser)
    return db.session.scalar(found) is not None


def find_job(job_id: int) -> sa.Row[Any] | None:
    """An import, with `has_file`: whether its file still exists; or None. Call it outside a transaction."""
    has_file = sa.exists().where(files.c.job_id == jobs.c.id).label("has_file")
    return read_one(sa.select(*jobs.c, has_file).where(jobs.c.id == job_id))


def newest_jobs(limit: int) -> Sequence[sa.Row[Any]]:
    """The imports that were started last, newest first."""
    return read_all(sa.select(*LISTED).order_by(jobs.c.id.desc()).limit(limit))
