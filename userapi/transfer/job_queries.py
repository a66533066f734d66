"""Every statement about imports that staff start that is not in `core/leased_jobs.py`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from userapi.core.db import db, read_all, read_one
from userapi.core.leased_jobs import ACTIVE, State, is_due
from userapi.users.models import User

from .models import ImportFile, ImportJob

jobs: Any = ImportJob.__table__
files: Any = ImportFile.__table__

#: What a list of imports shows.
LISTED = [jobs.c[name] for name in ("id", "created_at", "actor_id", "file_name", "total", "dry_run", "on_conflict",
                                    "state", "started_at", "finished_at", "counts")]  # fmt: skip


def _stale(uploaded_before: datetime) -> sa.ColumnElement[bool]:
    is_old: sa.ColumnElement[bool] = files.c.created_at < uploaded_before
    return is_old


def is_anything_due(now: datetime, uploaded_before: datetime, finished_before: datetime) -> bool:
    """Whether an import could begin or go on, or a row is to be cleared away; asked outside any transaction."""
    parts = (
        sa.exists().where(is_due(jobs, now)),
        sa.exists().where(_stale(uploaded_before)),
        sa.exists().where(jobs.c.finished_at < finished_before),
    )
    found = read_one(sa.select(sa.or_(*parts)))
    return bool(found and found[0])


def content(job_id: int) -> bytes | None:
    """The file of an import; None when it is not there any more."""
    return db.session.scalar(sa.select(files.c.content).where(files.c.job_id == job_id))


def hand_over(job_id: int, successor_id: int) -> bool:
    """Let another import have the file of one; only one can get it."""
    moved = sa.update(files).where(files.c.job_id == job_id).values(job_id=successor_id).returning(files.c.job_id)
    return db.session.execute(moved).one_or_none() is not None


def note_counts(job_id: int, counts: dict[str, Any]) -> None:
    """Store other counts of an import that no worker has."""
    db.session.execute(sa.update(jobs).where(jobs.c.id == job_id).values(counts=counts))


def remove_file(job_id: int) -> bool:
    """Delete the file of an import, if it is still there."""
    removed = sa.delete(files).where(files.c.job_id == job_id).returning(files.c.job_id)
    return db.session.execute(removed).one_or_none() is not None


def expire(now: datetime, uploaded_before: datetime, finished_before: datetime, error: str) -> None:
    """Delete files that lie there too long, unless somebody works at them, and imports that are long over.

    Args:
        error: what becomes of an import whose file went before it was done.
    """
    worked_at = sa.select(jobs.c.id).where(jobs.c.state == State.RUNNING, jobs.c.claimed_until > now)
    stale = sa.select(files.c.job_id).where(_stale(uploaded_before), files.c.job_id.not_in(worked_at))
    db.session.execute(
        sa.update(jobs)
        .where(jobs.c.id.in_(stale), jobs.c.state.in_(ACTIVE))
        .values(state=State.FAILED, error=error, claimed_until=None, finished_at=now)
    )
    db.session.execute(sa.delete(files).where(files.c.job_id.in_(stale)))
    db.session.execute(sa.delete(jobs).where(jobs.c.finished_at < finished_before))


def may_import(user_id: int | None) -> bool:
    """Whether somebody is a superuser still."""
    found = sa.select(User.id).where(User.id == user_id, User.is_active, User.is_superuser)
    return db.session.scalar(found) is not None


def by_id(job_id: int) -> sa.Row[Any] | None:
    """An import, and whether its file is there (`has_file`); outside any transaction."""
    has_file = sa.exists().where(files.c.job_id == jobs.c.id).label("has_file")
    return read_one(sa.select(*jobs.c, has_file).where(jobs.c.id == job_id))


def newest(limit: int) -> Sequence[sa.Row[Any]]:
    """The imports that were asked for last."""
    return read_all(sa.select(*LISTED).order_by(jobs.c.id.desc()).limit(limit))
