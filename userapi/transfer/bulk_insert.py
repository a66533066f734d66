"""Inserts many users with few statements: COPY on PostgreSQL, one prepared statement on SQLite."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, cast

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from userapi.core.db import db
from userapi.users import group_queries
from userapi.users.fields import PROFILE_FIELDS
from userapi.users.models import User, UserProfile

users: Any = User.__table__
profiles: Any = UserProfile.__table__

#: With more ids than this to skip, no other transaction can be drawing ids in that range, and `setval` is safe.
MAX_DRAWN_IDS = 1_000_000


class NewUser(NamedTuple):
    """A user to insert.

    Attributes:
        columns: of `users`; what is missing gets the column's default.
        profile: its columns, or None for a user without a profile.
    """

    columns: dict[str, Any]
    profile: Mapping[str, Any] | None

    @property
    def id(self) -> int:
        """The id, which must be given."""
        return int(self.columns["id"])


#: Every column of users, with the value that a new user gets if `columns` has none.
USER_DEFAULTS: dict[str, Any] = {c.name: c.default.arg if c.default is not None else None for c in users.c}
PROFILE_DEFAULTS = {field.name: field.empty for field in PROFILE_FIELDS}
NO_PROFILE = (None,) * len(PROFILE_DEFAULTS)

_USER_COLUMNS, _PROFILE_COLUMNS = ", ".join(USER_DEFAULTS), ", ".join(PROFILE_DEFAULTS)
_ALL_COLUMNS = f"{_USER_COLUMNS}, {_PROFILE_COLUMNS}"

#: A temporary table of this transaction, with the types of the real tables.
INCOMING = f"""
    CREATE TEMPORARY TABLE IF NOT EXISTS incoming ON COMMIT DROP AS
    SELECT {_ALL_COLUMNS} FROM users, user_profiles WITH NO DATA
"""  # noqa: S608 - made of names of columns
COPY = f"COPY incoming ({_ALL_COLUMNS}) FROM STDIN"
MOVE = f"""
    WITH inserted AS (
        INSERT INTO users ({_USER_COLUMNS}) SELECT {_USER_COLUMNS} FROM incoming
        ON CONFLICT DO NOTHING RETURNING id
    ), with_profile AS (
        INSERT INTO user_profiles (user_id, {_PROFILE_COLUMNS})
        SELECT id, {_PROFILE_COLUMNS} FROM incoming JOIN inserted USING (id) WHERE dob IS NOT NULL
    )
    SELECT id FROM inserted
"""  # noqa: S608


def is_postgresql() -> bool:
    """Whether the database is PostgreSQL, not SQLite."""
    return db.engine.dialect.name == "postgresql"


def new_ids(count: int) -> list[int]:
    """Ids for new users, which no user ever had and no other transaction gets."""
    if is_postgresql():
        series = sa.func.generate_series(1, count).table_valued("number")
        return list(db.session.scalars(sa.select(sa.func.nextval("users_id_seq")).select_from(series)))
    last = last_id()
    return list(range(last + 1, last + count + 1))


def last_id() -> int:
    """The highest id that any user ever had."""
    if is_postgresql():
        last = "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM users_id_seq"
    else:
        last = "SELECT seq FROM sqlite_sequence WHERE name = 'users'"
    return int(db.session.scalar(sa.text(last)) or 0)


def reserve_ids(highest: int) -> None:
    """Make sure that `new_ids` returns no id up to this one."""
    further = highest - last_id()
    if further <= 0:
        return
    if is_postgresql():
        # setval can move the sequence back if another transaction draws from it at the same time; nextval cannot.
        if further > MAX_DRAWN_IDS:
            db.session.execute(sa.select(sa.func.setval("users_id_seq", highest)))
        else:
            new_ids(further)
    else:
        written = sa.text("UPDATE sqlite_sequence SET seq = :seq WHERE name = 'users'")
        if not cast("sa.CursorResult[Any]", db.session.execute(written, {"seq": highest})).rowcount:
            db.session.execute(sa.text("INSERT INTO sqlite_sequence VALUES ('users', :seq)"), {"seq": highest})


def insert_users(rows: Sequence[NewUser], without_staff_group: Collection[int] = ()) -> set[int]:
    """Insert the users whose ids and email addresses are free, with their profiles.

    If another transaction is inserting the same email address, this waits for it.

    Args:
        rows: the users.
        without_staff_group: ids of staff members who do not join the built-in group.

    Returns:
        The ids of the users who were inserted.
    """
    inserted = _copy(rows) if is_postgresql() else _insert(rows)
    joining = inserted.difference(without_staff_group)
    staff = [row.id for row in rows if row.columns.get("is_staff") and row.id in joining]
    if staff:
        group_queries.add_to_staff_group(staff)
    return inserted


def _copy(rows: Iterable[NewUser]) -> set[int]:
    """Stream the rows to PostgreSQL, and insert those that are free with one statement."""
    connection = db.session.connection()
    connection.exec_driver_sql(INCOMING)
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor:
        with cursor.copy(COPY) as copy:
            for row in rows:
                copy.write_row(_values(row))
        inserted = {user_id for (user_id,) in cursor.execute(MOVE)}
        cursor.execute("TRUNCATE incoming")
    return inserted


def _values(row: NewUser) -> list[Any]:
    """All columns of a user and of the profile, in order."""
    profile = NO_PROFILE if row.profile is None else {**PROFILE_DEFAULTS, **row.profile}.values()
    return [*{**USER_DEFAULTS, **row.columns}.values(), *profile]


def _insert(rows: Sequence[NewUser]) -> set[int]:
    """Insert into SQLite, which has one writer at a time."""
    insert_users = sqlite.insert(users).on_conflict_do_nothing().returning(users.c.id)
    inserted = set(db.session.scalars(insert_users, [{**USER_DEFAULTS, **row.columns} for row in rows]))
    profile_rows = [
        {"user_id": row.id, **PROFILE_DEFAULTS, **row.profile}
        for row in rows
        if row.profile is not None and row.id in inserted
    ]
    if profile_rows:
        db.session.execute(sa.insert(profiles), profile_rows)
    return inserted
