"""Every statement of imports and exports."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from userapi.audit.models import AuditEvent
from userapi.auth.api_key_models import ApiKey
from userapi.core.db import connect_for_reading, db
from userapi.privacy.queries import IS_CLOSED
from userapi.transfer.bulk_insert import is_postgresql, profile_defaults, profiles, users
from userapi.users import list_queries
from userapi.users.group_models import Group, Permission, group_permissions, user_groups, user_permissions
from userapi.users.models import OneTimeToken, User
from userapi.users.queries import has_other_superuser

#: The number of users that an export reads at a time.
PAGE_SIZE = 2000

MEMBERSHIP_TABLES: dict[str, sa.Table] = {"groups": user_groups, "permissions": user_permissions}

# --- What exists -------------------------------------------------------------------------------------------


def users_by_email(email_keys: Collection[str]) -> dict[str, sa.Row[Any]]:
    """The users who have these email addresses: rows of the columns below, by email key."""
    names = ("email_key", "id", "password_hash", "is_active", "is_staff")
    columns = [users.c[name] for name in names]
    found = db.session.execute(sa.select(*columns).where(_among(users.c.email_key, email_keys)))
    return {row.email_key: row for row in found}


def used_ids(ids: Collection[int]) -> set[int]:
    """Those of these ids that a user has, or had according to the audit log."""
    former = sa.select(AuditEvent.target_id).where(
        AuditEvent.target_kind == "user", _among(AuditEvent.target_id, [str(number) for number in ids])
    )
    present = sa.select(users.c.id).where(_among(users.c.id, ids))
    return {*db.session.scalars(present), *(int(number) for number in db.session.scalars(former) if number)}


def group_ids() -> dict[str, int]:
    """The ids of all groups by name."""
    return {row.name: row.id for row in db.session.execute(sa.select(Group.id, Group.name))}


def permission_ids() -> dict[str, int]:
    """The ids of all permissions by codename, also by the one that they have in files of earlier versions."""
    found = db.session.scalars(sa.select(Permission)).all()
    older = {permission.older_codename: permission.id for permission in found}
    return older | {permission.codename: permission.id for permission in found}


def has_superuser() -> bool:
    """Whether there is an active superuser."""
    return has_other_superuser(0)


def _among(column: Any, values: Collection[Any]) -> sa.ColumnElement[bool]:
    """`column IN values` for thousands of values: on PostgreSQL they are one parameter."""
    if is_postgresql():
        found: sa.ColumnElement[bool] = column == sa.any_(sa.cast(list(values), postgresql.ARRAY(column.type)))
        return found
    listed: sa.ColumnElement[bool] = column.in_(values)
    return listed


def list_owners_of_keys(user_ids: Collection[int]) -> Sequence[int]:
    """Those of some users who have API keys that were not revoked."""
    found = sa.select(ApiKey.user_id).where(_among(ApiKey.user_id, user_ids), ApiKey.revoked_at.is_(None)).distinct()
    return db.session.scalars(found.order_by(ApiKey.user_id)).all()


# --- Writes of an import ----------------------------------------------------------------------------------


def lock_users(user_ids: Collection[int]) -> None:
    """Lock users in the order of their ids until the transaction ends."""
    statement = sa.select(users.c.id).where(_among(users.c.id, user_ids)).order_by(users.c.id).with_for_update()
    db.session.execute(statement)


def update_users(rows: Sequence[Mapping[str, Any]]) -> None:
    """Update users; every row has the same columns, including `id`.

    Closed accounts stay closed: that was the owner's decision, perhaps a moment ago.
    """
    columns = [name for name in rows[0] if name != "id"]
    values: dict[str, Any] = {name: sa.bindparam(f"new_{name}") for name in columns}
    if "is_active" in values:
        is_closed = sa.and_(*IS_CLOSED)
        values["is_active"] = sa.case((is_closed, users.c.is_active), else_=values["is_active"])
        # An older version of the service may have left it in active accounts.
        values["closes_at"] = sa.case((is_closed, users.c.closes_at), else_=sa.null())
    statement = sa.update(users).where(users.c.id == sa.bindparam("row_id")).values(values)
    parameters = [{"row_id": row["id"], **{f"new_{name}": row[name] for name in columns}} for row in rows]
    db.session.connection().execute(statement, parameters)


def end_sessions(user_ids: Collection[int]) -> None:
    """End all sessions of users, and delete the links in emails to them."""
    for statement in (
        sa.update(User)
        .where(_among(User.id, user_ids))
        .values(session_version=User.session_version + 1, pending_email=None),
        sa.delete(OneTimeToken).where(_among(OneTimeToken.user_id, user_ids)),
    ):
        db.session.execute(statement.execution_options(synchronize_session=False))


def upsert_profiles(rows: Mapping[int, Mapping[str, Any]]) -> None:
    """Insert or update profiles, by user id. Other columns keep their values; in new profiles they are empty.

    Own fields are added to those that the profile has.
    """
    insert = (postgresql.insert if is_postgresql() else sqlite.insert)(profiles)
    defaults = profile_defaults()
    rows_by_columns: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for user_id, profile in rows.items():
        written = {"user_id": user_id, **defaults, **profile}
        rows_by_columns.setdefault(tuple(sorted(profile)), []).append(written)
    for names, profile_rows in rows_by_columns.items():
        new: dict[str, sa.ColumnElement[Any]] = {name: insert.excluded[name] for name in names}
        if "extra" in new:
            new["extra"] = _merge(profiles.c.extra, new["extra"])
        statement = insert.on_conflict_do_update(index_elements=["user_id"], set_=new)
        db.session.connection().execute(statement, profile_rows)


def _merge(stored: Any, new: Any) -> sa.ColumnElement[Any]:
    """The members of two JSON objects; of equal names, the new value. No member is null."""
    if is_postgresql():
        nothing = sa.cast(sa.literal("{}", sa.Text), postgresql.JSONB)
        merged: sa.ColumnElement[Any] = sa.func.coalesce(stored, nothing).op("||")(new)
        return merged
    return sa.func.json_patch(sa.func.coalesce(stored, "{}"), new)


def delete_memberships(table: sa.Table, user_ids: Collection[int]) -> None:
    """Remove users from all groups, or all their permissions."""
    db.session.execute(sa.delete(table).where(_among(table.c.user_id, user_ids)))


def insert_memberships(table: sa.Table, pairs: Sequence[tuple[int, int]]) -> None:
    """Add users to groups or permissions to users: pairs of a user id and the id of the group or permission."""
    other = next(column.name for column in table.c if column.name != "user_id")
    if is_postgresql():
        statement = sa.text(
            f"INSERT INTO {table.name} (user_id, {other}) "  # noqa: S608 - names of tables and columns
            "SELECT * FROM unnest(CAST(:users AS bigint[]), CAST(:others AS bigint[])) ON CONFLICT DO NOTHING"
        )
        db.session.execute(statement, {"users": [pair[0] for pair in pairs], "others": [pair[1] for pair in pairs]})
    else:
        rows = [{"user_id": user_id, other: other_id} for user_id, other_id in pairs]
        db.session.execute(sqlite.insert(table).on_conflict_do_nothing(), rows)


# --- Reads of an export -----------------------------------------------------------------------------------


@contextmanager
def snapshot() -> Iterator[sa.Connection]:
    """A connection whose statements all see the database as of the first one. It blocks no writes."""
    with connect_for_reading() as connection:
        connection.exec_driver_sql("BEGIN ISOLATION LEVEL REPEATABLE READ" if is_postgresql() else "BEGIN")
        try:
            yield connection
        finally:
            connection.exec_driver_sql("ROLLBACK")


def page(connection: sa.Connection, filters: Mapping[str, Any], last_id: int, limit: int) -> Sequence[sa.Row[Any]]:
    """All columns of the next users who match and of their profiles (`profile_…`), ordered by id.

    Args:
        connection: from `snapshot`.
        filters: as for `list_queries.build_conditions`.
        last_id: the last id of the previous page, or 0.
        limit: the maximum number of users.
    """
    conditions, parameters = list_queries.build_conditions(filters)
    statement = (
        sa.select(*users.c, *(column.label(f"profile_{column.name}") for column in profiles.c))
        .select_from(users.outerjoin(profiles, profiles.c.user_id == users.c.id))
        .where(users.c.id > sa.bindparam("last_id"), *conditions)
        .order_by(users.c.id)
        .limit(limit)
    )
    return connection.execute(statement, {**parameters, "last_id": last_id}).all()


def member_names(connection: sa.Connection, table: sa.Table, first: int, last: int) -> dict[int, list[str]]:
    """The names of the groups or permissions of users with ids from `first` to `last`, by user id."""
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
    """The codenames of the permissions of all groups, by name of the group."""
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
