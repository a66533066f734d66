"""The statements about when accounts were last used: what counts as a use is defined here once."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from userapi.core import writes
from userapi.core.db import db
from userapi.users.models import User

from .api_key_models import ApiKey
from .models import AccountActivity, Session

users: Any = User.__table__
sessions: Any = Session.__table__
keys: Any = ApiKey.__table__
activity: Any = AccountActivity.__table__

#: The sessions that are not those of staff who act as the user.
IS_OWN_SESSION = sessions.c.impersonator_id.is_(None)


def is_used_since(moment: datetime) -> sa.ColumnElement[bool]:
    """The condition that an account was created, or used by its owner or a program, since a time."""
    return sa.or_(
        sa.func.coalesce(users.c.last_login, users.c.date_joined) >= moment,
        sa.exists().where(sessions.c.user_id == users.c.id, IS_OWN_SESSION, sessions.c.last_used_at >= moment),
        sa.exists().where(keys.c.user_id == users.c.id, keys.c.last_used_at >= moment),
        sa.exists().where(activity.c.user_id == users.c.id, activity.c.last_active_at >= moment),
    )


def delete_ended_sessions(before: datetime, most: int) -> int:
    """As `queries.delete_ended_sessions`, and store when they were last used."""
    ended = sa.or_(sessions.c.expires_at < before, sessions.c.ended_at < before)
    return _delete_used(sessions, ended, most, IS_OWN_SESSION)


def delete_ended_keys(before: datetime, most: int) -> int:
    """As `api_key_queries.delete_ended_keys`, and store when they were last used."""
    return _delete_used(keys, sa.or_(keys.c.expires_at < before, keys.c.revoked_at < before), most, sa.true())


def _delete_used(table: Any, condition: sa.ColumnElement[bool], most: int, counts: Any) -> int:
    columns = (table.c.id, table.c.user_id, table.c.last_used_at, counts.label("counts"))
    found = db.session.execute(sa.select(*columns).where(condition).limit(most)).all()
    kept = _keep_users({row.user_id for row in found})
    found = [row for row in found if row.user_id in kept]
    last: dict[int, datetime] = {}
    for row in found:
        if row.counts and row.last_used_at is not None:
            last[row.user_id] = max(last.get(row.user_id, row.last_used_at), row.last_used_at)
    if last:
        insert = writes.insert(activity).values(
            [{"user_id": user_id, "last_active_at": moment} for user_id, moment in sorted(last.items())]
        )
        new, known = insert.excluded.last_active_at, activity.c.last_active_at
        later = sa.case((sa.or_(known.is_(None), known < new), new), else_=known)
        db.session.execute(insert.on_conflict_do_update(index_elements=["user_id"], set_={"last_active_at": later}))
    return writes.count_rows(sa.delete(table).where(table.c.id.in_([row.id for row in found]))) if found else 0


def _keep_users(user_ids: Collection[int]) -> set[int]:
    """Those of these users whom no one is changing or deleting, and who stay until the transaction ends.

    The rows of the others go with them, or the next round finds them again.
    """
    statement = sa.select(users.c.id).where(users.c.id.in_(user_ids)).order_by(users.c.id)
    return set(db.session.scalars(statement.with_for_update(read=True, key_share=True, skip_locked=True)))
