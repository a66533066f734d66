"""Every statement about actions on many accounts that is not in `core/leased_jobs.py`."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from userapi.core.db import db, read_all, read_one
from userapi.core.leased_jobs import is_due
from userapi.users import list_queries
from userapi.users.group_queries import HELD_IN_ONE
from userapi.users.queries import users

from .models import BulkJob, BulkTarget

jobs: Any = BulkJob.__table__
targets: Any = BulkTarget.__table__


def tally(filters: Mapping[str, Any], is_active: bool | None, actor_id: int) -> sa.Row[Any]:
    """What an action would find among the accounts that match.

    Args:
        filters: as `list_queries.conditions` has them.
        is_active: the accounts that the action concerns.
        actor_id: who would act.

    Returns:
        `matching`, those that the action concerns (`total`), of these the actor's own (`own`), superusers
        (`superusers`) and other staff (`staff`), and the highest id that matches (`newest`).
    """
    conditions, values = list_queries.matching(filters)
    concerned = sa.true() if is_active is None else users.c.is_active.is_(is_active)
    others = sa.and_(concerned, users.c.id != actor_id)

    def number(condition: Any, name: str) -> Any:
        return sa.func.coalesce(sa.func.sum(sa.case((condition, 1), else_=0)), 0).label(name)

    found = read_one(
        sa.select(
            sa.func.count().label("matching"),
            number(concerned, "total"),
            number(sa.and_(concerned, users.c.id == actor_id), "own"),
            number(sa.and_(others, users.c.is_superuser), "superusers"),
            number(sa.and_(others, users.c.is_staff, ~users.c.is_superuser), "staff"),
            sa.func.coalesce(sa.func.max(users.c.id), 0).label("newest"),
        )
        .select_from(users)
        .where(*conditions),
        values,
    )
    assert found is not None  # noqa: S101 - an aggregate gives a row
    return found


def first_emails(
    filters: Mapping[str, Any], is_active: bool | None, most: int, *, but: int | None, superusers: bool
) -> list[str]:
    """The emails of the first accounts that an action would change.

    Args:
        filters: as `list_queries.conditions` has them.
        is_active: the accounts that the action concerns.
        most: so many at most.
        but: an account that is left out.
        superusers: whether superusers are changed too.
    """
    conditions, values = list_queries.matching(filters)
    if is_active is not None:
        conditions = [*conditions, users.c.is_active.is_(is_active)]
    if but is not None:
        conditions = [*conditions, users.c.id != but]
    if not superusers:
        conditions = [*conditions, ~users.c.is_superuser]
    found = read_all(sa.select(users.c.email).where(*conditions).order_by(users.c.id).limit(most), values)
    return [row.email for row in found]


def add_targets(job_id: int, filters: Mapping[str, Any], is_active: bool | None, newest: int) -> int:
    """Note the accounts that a job is to act on; how many there are.

    Args:
        job_id: the job.
        filters: as `list_queries.conditions` has them.
        is_active: the accounts that the action concerns.
        newest: accounts with a higher id are left out, for they were made after the list was looked at.
    """
    conditions, values = list_queries.matching(filters)
    if is_active is not None:
        conditions = [*conditions, users.c.is_active.is_(is_active)]
    matching = sa.select(sa.literal(job_id), users.c.id).where(*conditions, users.c.id <= newest)
    db.session.execute(sa.insert(targets).from_select(["job_id", "user_id"], matching), values)
    return db.session.scalar(sa.select(sa.func.count()).where(targets.c.job_id == job_id)) or 0


def waiting(job_id: int, limit: int) -> Sequence[int]:
    """The accounts that a job is to act on next, in the order of their ids."""
    found = sa.select(targets.c.user_id).where(targets.c.job_id == job_id, targets.c.reason.is_(None))
    return db.session.scalars(found.order_by(targets.c.user_id).limit(limit)).all()


def remove_targets(job_id: int, user_ids: Collection[int]) -> None:
    """Forget the accounts that a job has acted on."""
    db.session.execute(sa.delete(targets).where(targets.c.job_id == job_id, targets.c.user_id.in_(user_ids)))


def leave_out(job_id: int, reason: str, user_ids: Collection[int]) -> None:
    """Note why a job has not acted on some accounts."""
    db.session.execute(
        sa.update(targets).where(targets.c.job_id == job_id, targets.c.user_id.in_(user_ids)).values(reason=reason)
    )


def remove_waiting(job_id: int) -> None:
    """Forget the accounts that a job which has ended did not come to."""
    db.session.execute(sa.delete(targets).where(targets.c.job_id == job_id, targets.c.reason.is_(None)))


def actor(user_id: int | None) -> Any:
    """The row of an active member of staff, as far as the rules ask; None when there is none."""
    found = sa.select(users.c.id, users.c.is_staff, users.c.is_superuser, HELD_IN_ONE.label("held_permissions"))
    found = found.where(users.c.id == sa.bindparam("user_id"), users.c.is_active, users.c.is_staff)
    return db.session.execute(found, {"user_id": user_id}).one_or_none()


def by_id(job_id: int) -> sa.Row[Any] | None:
    """A job, outside any transaction."""
    return read_one(sa.select(*jobs.c).where(jobs.c.id == job_id))


def newest(limit: int) -> Sequence[sa.Row[Any]]:
    """The jobs that were started last."""
    return read_all(sa.select(*jobs.c).order_by(jobs.c.id.desc()).limit(limit))


def reasons(job_id: int) -> Mapping[str, int]:
    """How many accounts a job has left out, by reason."""
    found = sa.select(targets.c.reason, sa.func.count().label("number")).where(targets.c.job_id == job_id)
    rows = read_all(found.where(targets.c.reason.is_not(None)).group_by(targets.c.reason).order_by(targets.c.reason))
    return {row.reason: row.number for row in rows}


def left_out(job_id: int, limit: int) -> Sequence[sa.Row[Any]]:
    """The first accounts that a job has left out: `user_id`, `reason`, and the `email` if the account still exists."""
    return read_all(
        sa.select(targets.c.user_id, targets.c.reason, users.c.email)
        .select_from(targets.outerjoin(users, users.c.id == targets.c.user_id))
        .where(targets.c.job_id == job_id, targets.c.reason.is_not(None))
        .order_by(targets.c.user_id)
        .limit(limit)
    )


def is_anything_due(now: datetime, finished_before: datetime) -> bool:
    """Whether a job could begin or continue, or a row is to be deleted; outside any transaction."""
    found = read_one(
        sa.select(sa.or_(sa.exists().where(is_due(jobs, now)), sa.exists().where(jobs.c.finished_at < finished_before)))
    )
    return bool(found and found[0])


def expire(finished_before: datetime) -> None:
    """Delete jobs that ended long ago, with their reports."""
    db.session.execute(sa.delete(jobs).where(jobs.c.finished_at < finished_before))
