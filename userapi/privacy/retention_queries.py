"""The statements about accounts that are closed or deleted because they are not used."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa

from userapi.audit.queries import events
from userapi.auth.activity_queries import activity, is_used_since, users
from userapi.auth.models import AccountActivity
from userapi.core import writes
from userapi.core.db import db, read_all
from userapi.users.models import User
from userapi.users.queries import IS_PERSON

#: The accounts that retention ever touches: those of people who are no superusers, active and without a legal hold.
IS_SUBJECT = (
    users.c.is_active,
    users.c.held_reason.is_(None),
    users.c.is_superuser.is_(False),
    IS_PERSON,
)

HAS_WARNING = sa.exists().where(activity.c.user_id == users.c.id, activity.c.warned_days.is_not(None))

#: That the email address was changed, by staff if it is unconfirmed: the earlier one may have been confirmed.
HAS_CHANGED_ADDRESS = sa.exists().where(
    events.c.target_kind == "user",
    events.c.target_id == sa.cast(users.c.id, sa.String(36)),
    events.c.action == "user.changed",
    events.c.changes["email"].as_string().is_not(None),
)

#: Accounts that no one has ever confirmed the email address of. Staff are not opened by strangers.
IS_UNVERIFIED = (users.c.email_verified_at.is_(None), users.c.is_staff.is_(False), sa.not_(HAS_CHANGED_ADDRESS))


def is_inactive(unused_since: datetime) -> tuple[sa.ColumnElement[bool], ...]:
    """The condition that an account has not been used since a time, and that its owner was not warned."""
    return (*IS_SUBJECT, sa.not_(is_used_since(unused_since)), sa.not_(HAS_WARNING))


def is_unverified(unused_since: datetime) -> tuple[sa.ColumnElement[bool], ...]:
    """The condition that an account was never confirmed, and has not been used since a time."""
    return (*IS_SUBJECT, *IS_UNVERIFIED, sa.not_(is_used_since(unused_since)))


def count(*conditions: sa.ColumnElement[bool]) -> int:
    """The number of accounts that meet conditions."""
    (row,) = read_all(sa.select(sa.func.count()).select_from(users).where(*conditions))
    return int(row[0])


def count_warned() -> int:
    """The number of accounts whose owners were warned."""
    (row,) = read_all(sa.select(sa.func.count()).where(activity.c.warned_days.is_not(None)))
    return int(row[0])


def list_ids(after: int, most: int, *conditions: sa.ColumnElement[bool]) -> Sequence[int]:
    """The next accounts after an ID that meet conditions, read outside any transaction."""
    statement = sa.select(users.c.id).where(users.c.id > after, *conditions).order_by(users.c.id).limit(most)
    return [row.id for row in read_all(statement)]


def list_due(after: int, most: int, now: datetime, second: timedelta) -> Sequence[int]:
    """The next accounts after an ID whose second warning or end is due, read outside any transaction.

    Args:
        after: an ID of a user.
        most: the maximum number.
        now: the current time.
        second: how long before the end the second warning is due.
    """
    is_due = sa.or_(
        activity.c.ends_at <= now,
        sa.and_(activity.c.ends_at <= now + second, activity.c.warned_days > second.days),
    )
    found = sa.select(activity.c.user_id).where(activity.c.user_id > after, activity.c.warned_days.is_not(None), is_due)
    return [row.user_id for row in read_all(found.order_by(activity.c.user_id).limit(most))]


def lock(user_id: int, *conditions: sa.ColumnElement[bool]) -> User | None:
    """Lock an account, if it meets conditions; None if it does not, or another worker has it.

    The conditions are checked after it is locked, by a statement of their own: in PostgreSQL, the statement that locks
    would not see a warning that another worker has just stored.
    """
    named = sa.select(User).where(User.id == user_id).execution_options(populate_existing=True)
    if db.session.scalar(named.with_for_update(of=User, skip_locked=True)) is None:
        return None
    return db.session.scalar(named.where(*conditions))


def read_warning(user_id: int) -> AccountActivity | None:
    """The row of a locked account."""
    return db.session.get(AccountActivity, user_id, populate_existing=True)


def store_warning(user_id: int, days: int | None, ends_at: datetime | None, warned_at: datetime | None) -> None:
    """Store which warning the owner of a locked account got; None: none any more."""
    values = {"warned_days": days, "ends_at": ends_at, "warned_at": warned_at}
    insert = writes.insert(activity).values(user_id=user_id, **values)
    db.session.execute(insert.on_conflict_do_update(index_elements=["user_id"], set_=values))


def is_used(user_id: int, moment: datetime) -> bool:
    """Whether a locked account was used since a time."""
    return db.session.scalar(sa.select(users.c.id).where(users.c.id == user_id, is_used_since(moment))) is not None
