"""Many users written at once: COPY on PostgreSQL, one prepared statement on SQLite."""

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

#: So many ids are passed over one by one; with more, the numbers are too far apart for anybody to be in between.
FEW = 1_000_000


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


#: Every column of users, and what it holds where a new user does not say.
USER_DEFAULTS: dict[str, Any] = {c.name: c.default.arg if c.default is not None else None for c in users.c}
PROFILE_DEFAULTS = {field.name: field.empty for field in PROFILE_FIELDS}
NO_PROFILE = (None,) * len(PROFILE_DEFAULTS)

_OF_USERS, _OF_PROFILES = ", ".join(USER_DEFAULTS), ", ".join(PROFILE_DEFAULTS)
_BOTH = f"{_OF_USERS}, {_OF_PROFILES}"

#: A table of this transaction alone, with the types of the real ones.
INCOMING = f"""
    CREATE TEMPORARY TABLE IF NOT EXISTS incoming ON COMMIT DROP AS
    SELECT {_BOTH} FROM users, user_profiles WITH NO DATA
"""  # noqa: S608 - made of names in this file
COPY = f"COPY incoming ({_BOTH}) FROM STDIN"
MOVE = f"""
    WITH made AS (
        INSERT INTO users ({_OF_USERS}) SELECT {_OF_USERS} FROM incoming
        ON CONFLICT DO NOTHING RETURNING id
    ), described AS (
        INSERT INTO user_profiles (user_id, {_OF_PROFILES})
        SELECT id, {_OF_PROFILES} FROM incoming JOIN made USING (id) WHERE dob IS NOT NULL
    )
    SELECT id FROM made
"""  # noqa: S608


def is_postgresql() -> bool:
    """Whether the database is PostgreSQL, not SQLite."""
    return db.engine.dialect.name == "postgresql"


def new_ids(count: int) -> list[int]:
    """Ids that no user ever had, and nobody else gets."""
    if is_postgresql():
        series = sa.func.generate_series(1, count).table_valued("number")
        return list(db.session.scalars(sa.select(sa.func.nextval("users_id_seq")).select_from(series)))
    last = last_id()
    return list(range(last + 1, last + count + 1))


def last_id() -> int:
    """The highest id that was ever given."""
    if is_postgresql():
        last = "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM users_id_seq"
    else:
        last = "SELECT seq FROM sqlite_sequence WHERE name = 'users'"
    return int(db.session.scalar(sa.text(last)) or 0)


def reserve_ids(highest: int) -> None:
    """Let no user get an id up to this one who does not ask for it by number."""
    further = highest - last_id()
    if further <= 0:
        return
    if is_postgresql():
        # Setting a sequence that others draw from could set it back; drawing from it cannot.
        if further > FEW:
            db.session.execute(sa.select(sa.func.setval("users_id_seq", highest)))
        else:
            new_ids(further)
    else:
        written = sa.text("UPDATE sqlite_sequence SET seq = :seq WHERE name = 'users'")
        if not cast("sa.CursorResult[Any]", db.session.execute(written, {"seq": highest})).rowcount:
            db.session.execute(sa.text("INSERT INTO sqlite_sequence VALUES ('users', :seq)"), {"seq": highest})


def insert(rows: Sequence[NewUser], without_staff_group: Collection[int] = ()) -> set[int]:
    """Insert users with their profiles whose ids and emails are free; the ids of those who were.

    Somebody who takes an email at the same moment is waited for, and then has it.

    Args:
        rows: the users.
        without_staff_group: ids of staff who do not join the built-in group.
    """
    made = _copy(rows) if is_postgresql() else _insert(rows)
    joining = made.difference(without_staff_group)
    staff = [row.id for row in rows if row.columns.get("is_staff") and row.id in joining]
    if staff:
        group_queries.put_into_staff(staff)
    return made


def _copy(rows: Iterable[NewUser]) -> set[int]:
    """Let PostgreSQL read the rows as a stream, and sort out what is free by one statement."""
    connection = db.session.connection()
    connection.exec_driver_sql(INCOMING)
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor:
        with cursor.copy(COPY) as copy:
            for row in rows:
                copy.write_row(_values(row))
        made = {user_id for (user_id,) in cursor.execute(MOVE)}
        cursor.execute("TRUNCATE incoming")
    return made


def _values(row: NewUser) -> list[Any]:
    """All columns of a user and of the profile, in order."""
    profile = NO_PROFILE if row.profile is None else {**PROFILE_DEFAULTS, **row.profile}.values()
    return [*{**USER_DEFAULTS, **row.columns}.values(), *profile]


def _insert(rows: Sequence[NewUser]) -> set[int]:
    """Write to SQLite, where whoever writes is alone."""
    insert_users = sqlite.insert(users).on_conflict_do_nothing().returning(users.c.id)
    made = set(db.session.scalars(insert_users, [{**USER_DEFAULTS, **row.columns} for row in rows]))
    described = [
        {"user_id": row.id, **PROFILE_DEFAULTS, **row.profile}
        for row in rows
        if row.profile is not None and row.id in made
    ]
    if described:
        db.session.execute(sa.insert(profiles), described)
    return made
