"""Every statement of an import and an export, by name."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from userapi.audit.models import AuditEvent
from userapi.core.db import READING, db
from userapi.transfer.bulk_insert import PROFILE_DEFAULTS, is_postgresql, profiles, users
from userapi.users import list_queries
from userapi.users.models import (
    Group,
    OneTimeToken,
    Permission,
    User,
    group_permissions,
    user_groups,
    user_permissions,
)
from userapi.users.queries import has_other_superuser

#: Users that an export reads in one go.
PAGE = 2000

RIGHTS_TABLES: dict[str, sa.Table] = {"groups": user_groups, "permissions": user_permissions}

# --- What is there ----------------------------------------------------------------------------------------


def holders(email_keys: Collection[str]) -> dict[str, sa.Row[Any]]:
    """Who has these addresses: id, password_hash, is_active and is_staff, by address."""
    columns = [users.c[name] for name in ("email_key", "id", "password_hash", "is_active", "is_staff")]
    found = db.session.execute(sa.select(*columns).where(_among(users.c.email_key, email_keys)))
    return {row.email_key: row for row in found}


def used_ids(ids: Collection[int]) -> set[int]:
    """Those of these ids that a user has, or had, as the audit trail remembers."""
    remembered = sa.select(AuditEvent.target_id).where(
        AuditEvent.target_kind == "user", _among(AuditEvent.target_id, [str(number) for number in ids])
    )
    present = sa.select(users.c.id).where(_among(users.c.id, ids))
    return {*db.session.scalars(present), *(int(number) for number in db.session.scalars(remembered) if number)}


def group_ids() -> dict[str, int]:
    """The ids of all groups by name."""
    return {row.name: row.id for row in db.session.execute(sa.select(Group.id, Group.name))}


def permission_ids() -> dict[str, int]:
    """The ids of all permissions by codename."""
    return {row.codename: row.id for row in db.session.execute(sa.select(Permission.id, Permission.codename))}


def has_superuser() -> bool:
    """Whether anybody may administer the service."""
    return has_other_superuser(0)


def _among(column: Any, values: Collection[Any]) -> sa.ColumnElement[bool]:
    """`column IN values`, for thousands: PostgreSQL takes them as one parameter."""
    if is_postgresql():
        found: sa.ColumnElement[bool] = column == sa.any_(sa.cast(list(values), postgresql.ARRAY(column.type)))
        return found
    listed: sa.ColumnElement[bool] = column.in_(values)
    return listed


# --- What an import writes --------------------------------------------------------------------------------


def change(rows: Sequence[Mapping[str, Any]]) -> None:
    """Write columns of users; each row has the same, `id` among them."""
    columns = [name for name in rows[0] if name != "id"]
    statement = (
        sa.update(users)
        .where(users.c.id == sa.bindparam("row_id"))
        .values({name: sa.bindparam(f"new_{name}") for name in columns})
    )
    parameters = [{"row_id": row["id"], **{f"new_{name}": row[name] for name in columns}} for row in rows]
    db.session.connection().execute(statement, parameters)


def end_sessions(user_ids: Collection[int]) -> None:
    """End every session of users, and void the links that were mailed to them."""
    for statement in (
        sa.update(User)
        .where(_among(User.id, user_ids))
        .values(session_version=User.session_version + 1, pending_email=None),
        sa.delete(OneTimeToken).where(_among(OneTimeToken.user_id, user_ids)),
    ):
        db.session.execute(statement.execution_options(synchronize_session=False))


def put_profiles(rows: Mapping[int, Mapping[str, Any]]) -> None:
    """Write columns of profiles, by the user's id; other columns keep their values, or are empty in new profiles."""
    insert = (postgresql.insert if is_postgresql() else sqlite.insert)(profiles)
    alike: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for user_id, told in rows.items():
        written = {"user_id": user_id, **PROFILE_DEFAULTS, **told}
        alike.setdefault(tuple(sorted(told)), []).append(written)
    for names, profiles_alike in alike.items():
        statement = insert.on_conflict_do_update(
            index_elements=["user_id"], set_={name: insert.excluded[name] for name in names}
        )
        db.session.connection().execute(statement, profiles_alike)


def take_rights(table: sa.Table, user_ids: Collection[int]) -> None:
    """Take users out of all groups, or all permissions from them."""
    db.session.execute(sa.delete(table).where(_among(table.c.user_id, user_ids)))


def give_rights(table: sa.Table, pairs: Sequence[tuple[int, int]]) -> None:
    """Put users into groups, or give them permissions: pairs of a user's id and the other's."""
    other = next(column.name for column in table.c if column.name != "user_id")
    if is_postgresql():
        statement = sa.text(
            f"INSERT INTO {table.name} (user_id, {other}) "  # noqa: S608 - names of ours
            "SELECT * FROM unnest(CAST(:users AS bigint[]), CAST(:others AS bigint[])) ON CONFLICT DO NOTHING"
        )
        db.session.execute(statement, {"users": [pair[0] for pair in pairs], "others": [pair[1] for pair in pairs]})
    else:
        rows = [{"user_id": user_id, other: other_id} for user_id, other_id in pairs]
        db.session.execute(sqlite.insert(table).on_conflict_do_nothing(), rows)


# --- What an export reads ---------------------------------------------------------------------------------


@contextmanager
def snapshot() -> Iterator[sa.Connection]:
    """A connection whose statements all see the database as it was at the first; it keeps nobody from writing."""
    with db.engines[READING].connect() as connection:
        connection.exec_driver_sql("BEGIN ISOLATION LEVEL REPEATABLE READ" if is_postgresql() else "BEGIN")
        try:
            yield connection
        finally:
            connection.exec_driver_sql("ROLLBACK")


def page(connection: sa.Connection, filters: Mapping[str, Any], last_id: int, most: int) -> Sequence[sa.Row[Any]]:
    """All columns of the next users who match and of their profiles, by id.

    Args:
        filters: as `list_queries.conditions` has them.
        last_id: the users before have no higher one.
        most: how many at most.
    """
    conditions, parameters = list_queries.matching(filters)
    statement = (
        sa.select(*users.c, *(column.label(f"profile_{column.name}") for column in profiles.c))
        .select_from(users.outerjoin(profiles, profiles.c.user_id == users.c.id))
        .where(users.c.id > sa.bindparam("last_id"), *conditions)
        .order_by(users.c.id)
        .limit(most)
    )
    return connection.execute(statement, {**parameters, "last_id": last_id}).all()


def names_held(connection: sa.Connection, table: sa.Table, first: int, last: int) -> dict[int, list[str]]:
    """The groups, or the permissions, of the users from one id to another, by name."""
    named, name, key = (
        (Group, Group.name, table.c.group_id)
        if table is user_groups
        else (Permission, Permission.codename, table.c.permission_id)
    )
    statement = (
        sa.select(table.c.user_id, name.label("name"))
        .join(named, named.id == key)
        .where(table.c.user_id.between(first, last))
        .order_by(table.c.user_id, name)
    )
    held: dict[int, list[str]] = {}
    for row in connection.execute(statement):
        held.setdefault(row.user_id, []).append(row.name)
    return held


def groups(connection: sa.Connection) -> dict[str, list[str]]:
    """Every group and the codenames of its permissions."""
    statement = (
        sa.select(Group.name, Permission.codename)
        .select_from(Group)
        .outerjoin(group_permissions, group_permissions.c.group_id == Group.id)
        .outerjoin(Permission, Permission.id == group_permissions.c.permission_id)
        .order_by(Group.name, Permission.codename)
    )
    found: dict[str, list[str]] = {}
    for name, codename in connection.execute(statement):
        found.setdefault(name, []).extend([codename] if codename else [])
    return found
