"""The statements about the values of declared fields that read or change many users."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import contains_eager

from userapi.audit.models import AuditEvent
from userapi.core.db import db, read_all, read_one
from userapi.core.writes import insert
from userapi.users.field_models import ProfileDeclaration
from userapi.users.fields import PROFILE
from userapi.users.models import SavedFilter, User, UserProfile

#: Profiles that are read at a time.
PAGE_SIZE = 2000

#: Users who are changed in one transaction: few, so that others do not wait long for their locks.
BATCH_SIZE = 500

profiles: Any = UserProfile.__table__
events: Any = AuditEvent.__table__
declarations: Any = ProfileDeclaration.__table__

PAGE = (
    sa.select(profiles.c.user_id, profiles.c.extra, *(profiles.c[name] for name in PROFILE))
    .where(profiles.c.user_id > sa.bindparam("after"))
    .order_by(profiles.c.user_id)
    .limit(PAGE_SIZE)
)


def read_profiles(after: int) -> Sequence[sa.Row[Any]]:
    """The next profiles after the one of a user, outside any transaction."""
    return read_all(PAGE, {"after": after})


def has_value(name: str) -> sa.ColumnElement[bool]:
    """Whether a profile has a value of a field."""
    if name in PROFILE:
        column: sa.ColumnElement[Any] = profiles.c[name]
        return sa.and_(column.is_not(None), sa.cast(column, sa.String) != "")
    own: sa.ColumnElement[bool] = profiles.c.extra[name].as_string().is_not(None)
    return own


def list_users(name: str, after: int, *, with_value: bool) -> list[int]:
    """The ids of the next users whose profile has a value of a field, or has none."""
    condition = has_value(name) if with_value else sa.not_(has_value(name))
    found = read_all(
        sa.select(profiles.c.user_id)
        .where(profiles.c.user_id > after, condition)
        .order_by(profiles.c.user_id)
        .limit(BATCH_SIZE)
    )
    return [row.user_id for row in found]


def find_user_ids(column: str, values: Collection[Any]) -> dict[Any, int]:
    """The ids of the users with these values of a unique column, `id` or `email_key`."""
    key = User.__table__.c[column]
    found = read_all(sa.select(key.label("value"), User.__table__.c.id.label("id")).where(key.in_(values)))
    return {row.value: row.id for row in found}


def lock_users(user_ids: Collection[int]) -> Sequence[User]:
    """Users who have a profile, with it, locked until the transaction ends; in the order of their ids."""
    return db.session.scalars(
        sa.select(User)
        .join(User.profile)
        .options(contains_eager(User.profile))
        .where(User.id.in_(user_ids))
        .order_by(User.id)
        .with_for_update(of=User)
        .execution_options(populate_existing=True)
    ).all()


def read_changes(name: str, after: int) -> Sequence[sa.Row[Any]]:
    """The next events, by id, whose changes may name a field; outside any transaction."""
    return read_all(
        sa.select(events.c.id, events.c.changes)
        .where(events.c.id > after, sa.cast(events.c.changes, sa.Text).contains(f'"{name}"', autoescape=True))
        .order_by(events.c.id)
        .limit(BATCH_SIZE)
    )


def write_changes(changes: Mapping[int, Any]) -> None:
    """Replace the changes of events, by id."""
    db.session.execute(
        sa.update(events).where(events.c.id == sa.bindparam("event_id")).values(changes=sa.bindparam("changes")),
        [{"event_id": event_id, "changes": value} for event_id, value in changes.items()],
    )


def delete_saved_filters(name: str) -> None:
    """Delete the filters of the user list that contain a value of a field."""
    db.session.execute(
        sa.delete(SavedFilter)
        .where(SavedFilter.query.contains(f"profile.{name}=", autoescape=True))
        .execution_options(synchronize_session=False)
    )


def find_newest_declaration() -> sa.Row[Any] | None:
    """The declaration that a service began to serve with last."""
    return read_one(
        sa.select(declarations).order_by(declarations.c.declared_at.desc(), declarations.c.id.desc()).limit(1)
    )


def list_declarations() -> list[str]:
    """The documents of all declarations so far."""
    return [row.document for row in read_all(sa.select(declarations.c.document).order_by(declarations.c.id))]


def declare(digest: str, document: str, now: datetime, newest: datetime | None) -> bool:
    """Make a declaration the newest one; of several workers that do so, one wins.

    Args:
        digest: of the document.
        document: the declaration.
        now: the time.
        newest: when the present newest one was declared, None without any.
    """
    statement = insert(ProfileDeclaration).values(digest=digest, document=document, declared_at=now)
    statement = (
        statement.on_conflict_do_nothing()
        if newest is None
        else statement.on_conflict_do_update(
            index_elements=["digest"],
            set_={"declared_at": now},
            where=ProfileDeclaration.declared_at < newest,
        )
    )
    return db.session.execute(statement.returning(ProfileDeclaration.id)).first() is not None
