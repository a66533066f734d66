"""Every statement about bulk actions that is not in `core/leased_jobs.py`."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from userapi.core.db import db, read_all, read_one
from userapi.users import list_queries
from userapi.users.group_queries import HELD_IN_ONE
from userapi.users.queries import users

from .models import BulkJob, BulkTarget

jobs: Any = BulkJob.__table__
targets: Any = BulkTarget.__table__


def count_targets(filters: Mapping[str, Any], is_active: bool | None, actor_id: int) -> sa.Row[Any]:
    """Count the accounts that an action would change or leave out.

    Args:
        filters: as for `list_queries.build_conditions`.
        is_active: the accounts that the action applies to: active, inactive, or both (None).
        actor_id: the user who would start it.

    Returns:
        The number of accounts that match (`matching`); of those, the accounts that the action applies to (`total`),
        among them the actor's own (`own`), superusers (`superusers`) and other staff members (`staff`); and the
        highest id that matches (`newest`).
    """
    conditions, values = list_queries.build_conditions(filters)
    applies = sa.true() if is_active is None else users.c.is_active.is_(is_active)
    others = sa.and_(applies, users.c.id != actor_id)

    def number(condition: Any, name: str) -> Any:
        return sa.func.coalesce(sa.func.sum(sa.case((condition, 1), else_=0)), 0).label(name)

    found = read_one(
        sa.select(
            sa.func.count().label("matching"),
            number(applies, "total"),
            number(sa.and_(applies, users.c.id == actor_id), "own"),
            number(sa.and_(others, users.c.is_superuser), "superusers"),
            number(sa.and_(others, users.c.is_staff, ~users.c.is_superuser), "staff"),
            sa.func.coalesce(sa.func.max(users.c.id), 0).label("newest"),
        )
        .select_from(users)
        .where(*conditions),
        values,
    )
    assert found is not None  # noqa: S101 - an aggregate always returns a row
    return found


def first_emails(
    filters: Mapping[str, Any], is_active: bool | None, limit: int, *, exclude_id: int | None, superusers: bool
) -> list[str]:
    """The emails of the first accounts that an action would change.

    Args:
        filters: as for `list_queries.build_conditions`.
        is_active: the accounts that the action applies to: active, inactive, or both (None).
        limit: the maximum number of emails.
        exclude_id: an account that is left out, or None.
        superusers: whether to include superusers.
    """
    conditions, values = list_queries.build_conditions(filters)
    if is_active is not None:
        conditions = [*conditions, users.c.is_active.is_(is_active)]
    if exclude_id is not None:
        conditions = [*conditions, users.c.id != exclude_id]
    if not superusers:
        conditions = [*conditions, ~users.c.is_superuser]
    found = read_all(sa.select(users.c.email).where(*conditions).order_by(users.c.id).limit(limit), values)
    return [row.email for row in found]


def add_targets(job_id: int, filters: Mapping[str, Any], is_active: bool | None, newest: int) -> int:
    """Store the accounts that a job will act on; returns their number.

    Args:
        job_id: the job.
        filters: as for `list_queries.build_conditions`.
        is_active: the accounts that the action applies to: active, inactive, or both (None).
        newest: accounts with a higher id are left out, because they were created after the list was shown.
    """
    conditions, values = list_queries.build_conditions(filters)
    if is_active is not None:
        conditions = [*conditions, users.c.is_active.is_(is_active)]
    matching = sa.select(sa.literal(job_id), users.c.id).where(*conditions, users.c.id <= newest)
    db.session.execute(sa.insert(targets).from_select(["job_id", "user_id"], matching), values)
    return db.session.scalar(sa.select(sa.func.count()).where(targets.c.job_id == job_id)) or 0


def next_targets(job_id: int, limit: int) -> Sequence[int]:
    """The ids of the accounts that a job acts on next, in their order."""
    found = sa.select(targets.c.user_id).where(targets.c.job_id == job_id, targets.c.reason.is_(None))
    return db.session.scalars(found.order_by(targets.c.user_id).limit(limit)).all()


def delete_targets(job_id: int, user_ids: Collection[int]) -> None:
    """Delete the accounts that a job has acted on from its list."""
    db.session.execute(sa.delete(targets).where(targets.c.job_id == job_id, targets.c.user_id.in_(user_ids)))


def set_reason(job_id: int, reason: str, user_ids: Collection[int]) -> None:
    """Store why a job left out some accounts."""
    db.session.execute(
        sa.update(targets).where(targets.c.job_id == job_id, targets.c.user_id.in_(user_ids)).values(reason=reason)
    )


def delete_remaining_targets(job_id: int) -> None:
    """Delete the accounts that a job had not reached when it ended."""
    db.session.execute(sa.delete(targets).where(targets.c.job_id == job_id, targets.c.reason.is_(None)))


def find_actor(user_id: int | None) -> Any:
    """The row of an active staff member, with the columns that the rules need; or None."""
    found = sa.select(users.c.id, users.c.is_staff, users.c.is_superuser, HELD_IN_ONE.label("held_permissions"))
    found = found.where(users.c.id == sa.bindparam("user_id"), users.c.is_active, users.c.is_staff)
    return db.session.execute(found, {"user_id": user_id}).one_or_none()


def find_job(job_id: int) -> sa.Row[Any] | None:
    """A job, or None. Call it outside a transaction."""
    return read_one(sa.select(*jobs.c).where(jobs.c.id == job_id))


def newest_jobs(limit: int) -> Sequence[sa.Row[Any]]:
    """The jobs that were started last, newest first."""
    return read_all(sa.select(*jobs.c).order_by(jobs.c.id.desc()).limit(limit))


def count_reasons(job_id: int) -> Mapping[str, int]:
    """The number of accounts that a job left out, by reason."""
    found = sa.select(targets.c.reason, sa.func.count().label("number")).where(targets.c.job_id == job_id)
    rows = read_all(found.where(targets.c.reason.is_not(None)).group_by(targets.c.reason).order_by(targets.c.reason))
    return {row.reason: row.number for row in rows}


def left_out_accounts(job_id: int, limit: int) -> Sequence[sa.Row[Any]]:
    """The first accounts that a job left out: `user_id`, `reason`, and the `email` if the account still exists."""
    return read_all(
        sa.select(targets.c.user_id, targets.c.reason, users.c.email)
        .select_from(targets.outerjoin(users, users.c.id == targets.c.user_id))
        .where(targets.c.job_id == job_id, targets.c.reason.is_not(None))
        .order_by(targets.c.user_id)
        .limit(limit)
    )
