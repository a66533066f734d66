"""Every query about groups and permissions."""

from collections.abc import Collection, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import selectinload

from userapi.core.db import db, read_all
from userapi.core.writes import insert

from . import permission_names
from .group_models import Group, Permission, group_permissions, user_groups, user_permissions
from .models import User

#: The built-in group, which new staff join, and the permissions that it has at first.
STAFF = "Staff"
STAFF_PERMISSIONS = ("view_user", "add_user", "change_user", "delete_user")


def _select_held(user_id: Any) -> sa.Select[str]:
    own = sa.select(user_permissions.c.permission_id).where(user_permissions.c.user_id == user_id)
    of_groups = (
        sa.select(group_permissions.c.permission_id)
        .join(user_groups, user_groups.c.group_id == group_permissions.c.group_id)
        .where(user_groups.c.user_id == user_id)
    )
    if isinstance(user_id, sa.Column):
        own, of_groups = own.correlate(user_id.table), of_groups.correlate(user_id.table)
    return sa.select(Permission.codename).where(Permission.id.in_(own.union(of_groups)))


#: The codenames of the permissions of the user `user_id`.
HELD = _select_held(sa.bindparam("user_id"))

PERMISSIONS: Any = Permission.__table__

#: Part of the text of a statement, where it cannot be a parameter.
BLANK: Any = sa.literal_column("' '", sa.String)


def _join_names(held: sa.Select[str]) -> Any:
    names = held.with_only_columns(sa.func.aggregate_strings(Permission.codename, BLANK)).scalar_subquery()
    return sa.case((sa.and_(User.is_staff, sa.not_(User.is_superuser)), sa.func.coalesce(names, "")))


#: The same as one text, for a statement that reads the user `user_id`: nothing is looked up where it gives nothing.
HELD_IN_ONE = _join_names(HELD)

#: The same of the user `users` of the enclosing statement.
HELD_BY_USER = _join_names(_select_held(User.__table__.c.id))

#: Whether a group of the user `users` of the enclosing statement requires a second step of its members.
GROUP_REQUIRES_SECOND_STEP = (
    sa.exists()
    .where(
        user_groups.c.user_id == User.__table__.c.id,
        Group.__table__.c.id == user_groups.c.group_id,
        Group.__table__.c.requires_second_step,
    )
    .correlate(User.__table__)
    .label("group_requires_second_step")
)


def find_permissions(user_id: int) -> frozenset[str]:
    """What a user may do, by the user's own permissions and those of the user's groups."""
    return frozenset(codename for (codename,) in read_all(HELD, {"user_id": user_id}))


def all_permissions() -> Sequence[Permission]:
    """Every permission there is."""
    return db.session.scalars(sa.select(Permission).order_by(Permission.id)).all()


def list_missing_permissions() -> list[str]:
    """The permissions of extensions that are not in the database, because it was not upgraded since."""
    wanted = permission_names.get_every_permission() - permission_names.EVERYTHING
    if not wanted:
        return []
    return sorted(wanted - set(db.session.scalars(sa.select(Permission.codename))))


def insert_permissions_of_extensions(connection: sa.Connection) -> None:
    """Insert the permissions of extensions that are missing; those of the service are in its own migrations."""
    wanted = permission_names.get_every_permission() - permission_names.EVERYTHING
    if wanted:
        missing = wanted - set(connection.scalars(sa.select(Permission.codename)))
        for codename in sorted(missing):
            row = {"codename": codename, "code": codename, "name": f"Can {codename.replace('_', ' ')}"}
            connection.execute(sa.insert(PERMISSIONS), row)


def permissions(ids: Collection[int]) -> list[Permission]:
    """The permissions with these ids."""
    return list(db.session.scalars(sa.select(Permission).where(Permission.id.in_(ids)).order_by(Permission.codename)))


def all_groups() -> Sequence[Group]:
    """Every group with its permissions, by name."""
    return db.session.scalars(sa.select(Group).options(selectinload(Group.permissions)).order_by(Group.name)).all()


def groups(ids: Collection[int]) -> list[Group]:
    """The groups with these ids, with their permissions."""
    return list(
        db.session.scalars(
            sa.select(Group).where(Group.id.in_(ids)).options(selectinload(Group.permissions)).order_by(Group.name)
        )
    )


def names_by_id() -> dict[int, str]:
    """The names of all groups."""
    return {row.id: row.name for row in db.session.execute(sa.select(Group.id, Group.name))}


def group_for_update(group_id: int) -> Group | None:
    """A group, locked until the transaction ends."""
    return db.session.scalar(
        sa.select(Group).where(Group.id == group_id).with_for_update().execution_options(populate_existing=True)
    )


def member_counts() -> dict[int, int]:
    """How many members each group has that has any."""
    counted: sa.Select[Any] = sa.select(user_groups.c.group_id, sa.func.count().label("number")).group_by(
        user_groups.c.group_id
    )
    return {row.group_id: row.number for row in read_all(counted)}


def members(group_id: int, most: int, after: int | None = None) -> Sequence[sa.Row[Any]]:
    """A group's members by email.

    Args:
        group_id: the group.
        most: at most so many rows.
        after: the id of the last user of the previous page; its email would be personal data in a URL.
    """
    users = User.__table__
    statement = (
        sa.select(users.c.id, users.c.email, users.c.first_name, users.c.last_name, users.c.is_active, users.c.is_staff)
        .join(user_groups, user_groups.c.user_id == users.c.id)
        .where(user_groups.c.group_id == group_id)
        .order_by(users.c.email_key)
        .limit(most)
    )
    if after is not None:
        last = sa.select(users.c.email_key).where(users.c.id == after).correlate(None).scalar_subquery()
        statement = statement.where(users.c.email_key > last)
    return read_all(statement)


def add_to_staff_group(user_ids: Collection[int]) -> None:
    """Put users into the group of staff."""
    group_id = staff_group_id()
    _insert(user_groups, [{"user_id": user_id, "group_id": group_id} for user_id in user_ids])


def staff_group_id() -> int:
    """The id of the group of staff, which is made where there is none yet."""
    found = db.session.scalar(ID_OF_STAFF_GROUP)
    return _make_staff_group() if found is None else found


def remove_from_staff_group(user_ids: Collection[int]) -> None:
    """Take users out of the group of staff."""
    group_id = ID_OF_STAFF_GROUP.scalar_subquery()
    db.session.execute(
        sa.delete(user_groups).where(user_groups.c.group_id == group_id, user_groups.c.user_id.in_(user_ids))
    )


ID_OF_STAFF_GROUP = sa.select(Group.id).where(Group.name == STAFF)


def _make_staff_group() -> int:
    _insert(Group.__table__, [{"name": STAFF}])
    group_id: int = db.session.execute(ID_OF_STAFF_GROUP).scalar_one()
    given = db.session.scalars(sa.select(Permission.id).where(Permission.codename.in_(STAFF_PERMISSIONS)))
    _insert(group_permissions, [{"group_id": group_id, "permission_id": permission_id} for permission_id in given])
    return group_id


def _insert(table: Any, rows: list[dict[str, Any]]) -> None:
    """Insert those rows that are not there yet."""
    if rows:
        db.session.execute(insert(table).on_conflict_do_nothing(), rows)
