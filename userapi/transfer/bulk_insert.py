"""Inserts many users with few statements: COPY on PostgreSQL, one prepared statement on SQLite."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, cast

import psycopg
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from userapi.core.db import db
from userapi.http.responses import dump_json
from userapi.users import field_keys, group_queries
from userapi.users.declaration import get_declaration
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
        profile: its columns, own fields together in `extra`; or None for a user without a profile.
    """

    columns: dict[str, Any]
    profile: Mapping[str, Any] | None

    @property
    def id(self) -> int:
        """The id, which must be given."""
        return int(self.columns["id"])


class Inserted(NamedTuple):
    """The result of an insert.

    Attributes:
        ids: of the users who were inserted.
        taken: by id, the fields whose value another user has; these users were not inserted.
    """

    ids: set[int]
    taken: dict[int, set[str]]


#: Every column of users, with the value that a new user gets if `columns` has none.
USER_DEFAULTS: dict[str, Any] = {c.name: c.default.arg if c.default is not None else None for c in users.c}
#: What a profile has in the columns that are not given: empty texts without a declaration (decision 0024).
EMPTY_TEXTS: dict[str, Any] = {field.name: field.empty for field in PROFILE_FIELDS} | {"extra": None}
NO_VALUES: dict[str, Any] = dict.fromkeys(EMPTY_TEXTS)

#: The values in `incoming` for a user without a profile, and the column that says so.
NO_PROFILE = (None,) * (len(EMPTY_TEXTS) + 1)
MARK = "profile_user_id"

_USER_COLUMNS, _PROFILE_COLUMNS = ", ".join(USER_DEFAULTS), ", ".join(EMPTY_TEXTS)
_ALL_COLUMNS = f"{_USER_COLUMNS}, {_PROFILE_COLUMNS}"

COPY_USERS = f"COPY users ({_USER_COLUMNS}) FROM STDIN"
COPY_PROFILES = f"COPY user_profiles ({_PROFILE_COLUMNS}, user_id) FROM STDIN"

#: A temporary table of this transaction, with the types of the real tables.
INCOMING = f"""
    CREATE TEMPORARY TABLE IF NOT EXISTS incoming ON COMMIT DROP AS
    SELECT {_ALL_COLUMNS}, user_id AS {MARK} FROM users, user_profiles WITH NO DATA
"""  # noqa: S608 - made of names of columns
COPY_INCOMING = f"COPY incoming ({_ALL_COLUMNS}, {MARK}) FROM STDIN"
MOVE = f"""
    WITH inserted AS (
        INSERT INTO users ({_USER_COLUMNS}) SELECT {_USER_COLUMNS} FROM incoming
        ON CONFLICT DO NOTHING RETURNING id
    ), with_profile AS (
        INSERT INTO user_profiles (user_id, {_PROFILE_COLUMNS})
        SELECT id, {_PROFILE_COLUMNS} FROM incoming JOIN inserted USING (id) WHERE {MARK} IS NOT NULL
    )
    SELECT id FROM inserted
"""  # noqa: S608


def profile_defaults() -> Mapping[str, Any]:
    """What a profile has in the columns that are not given."""
    return EMPTY_TEXTS if get_declaration().is_default else NO_VALUES


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


def highest_used_id() -> int:
    """An id above which no user has one, also if users were inserted without the sequence."""
    highest = db.session.scalar(sa.select(sa.func.max(users.c.id)))
    return max(last_id(), highest or 0)


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
            draw = "SELECT count(nextval('users_id_seq')) FROM generate_series(1, :number)"
            db.session.execute(sa.text(draw), {"number": further})
    else:
        written = sa.text("UPDATE sqlite_sequence SET seq = :seq WHERE name = 'users'")
        if not cast("sa.CursorResult[Any]", db.session.execute(written, {"seq": highest})).rowcount:
            db.session.execute(sa.text("INSERT INTO sqlite_sequence VALUES ('users', :seq)"), {"seq": highest})


def insert_users(
    rows: Sequence[NewUser], without_staff_group: Collection[int] = (), between_rows: Callable[[], None] = lambda: None
) -> Inserted:
    """Insert the users whose ids, email addresses and unique fields are free, with their profiles.

    If another transaction is inserting the same email address or unique value, this waits for it.

    Args:
        rows: the users.
        without_staff_group: ids of staff members who do not join the built-in group.
        between_rows: called up to twice for each user while PostgreSQL stores them; it must not use this session.
    """
    inserted = _copy(rows, between_rows) if is_postgresql() else _insert(rows)
    taken = _write_keys(rows, inserted) if get_declaration().keyed else {}
    inserted -= taken.keys()
    joining = inserted.difference(without_staff_group)
    staff = [row.id for row in rows if row.columns.get("is_staff") and row.id in joining]
    if staff:
        group_queries.add_to_staff_group(staff)
    return Inserted(inserted, taken)


def _write_keys(rows: Iterable[NewUser], inserted: Collection[int]) -> dict[int, set[str]]:
    """Write the search keys of users, and delete those again whose unique values are taken."""
    own_values = {row.id: row.profile.get("extra") or {} for row in rows if row.profile and row.id in inserted}
    taken = field_keys.write_keys_in_bulk(own_values, are_new=True)
    if taken:
        db.session.execute(sa.delete(users).where(users.c.id.in_(taken)))
    return taken


def _copy(rows: Sequence[NewUser], between_rows: Callable[[], None]) -> set[int]:
    """Stream the rows to PostgreSQL. Only if some are not free does this need a statement that can skip them."""
    connection = db.session.connection()
    driver: Any = connection.connection.driver_connection
    try:
        with connection.begin_nested(), driver.cursor() as cursor:
            return _copy_all(cursor, rows, between_rows)
    except psycopg.errors.UniqueViolation:
        connection.exec_driver_sql(INCOMING)
        with driver.cursor() as cursor:
            return _copy_free(cursor, rows)


def _copy_all(cursor: Any, rows: Sequence[NewUser], between_rows: Callable[[], None]) -> set[int]:
    """Stream the rows into the tables."""
    with cursor.copy(COPY_USERS) as copy:
        for row in rows:
            copy.write_row(_user_values(row))
            between_rows()
    with cursor.copy(COPY_PROFILES) as copy:
        defaults = profile_defaults()
        for row in rows:
            if row.profile is not None:
                copy.write_row((*_profile_values(row.profile, defaults), row.id))
                between_rows()
    return {row.id for row in rows}


def _copy_free(cursor: Any, rows: Sequence[NewUser]) -> set[int]:
    """Stream the rows into a temporary table, and insert those that are free with one statement."""
    defaults = profile_defaults()
    with cursor.copy(COPY_INCOMING) as copy:
        for row in rows:
            profile = NO_PROFILE if row.profile is None else (*_profile_values(row.profile, defaults), row.id)
            copy.write_row((*_user_values(row), *profile))
    inserted = {user_id for (user_id,) in cursor.execute(MOVE)}
    cursor.execute("TRUNCATE incoming")
    return inserted


def _user_values(row: NewUser) -> Collection[Any]:
    """All columns of a user, in order."""
    return {**USER_DEFAULTS, **row.columns}.values()


def _profile_values(profile: Mapping[str, Any], defaults: Mapping[str, Any]) -> Collection[Any]:
    """All columns of a profile but `user_id`, in order."""
    values = {**defaults, **profile}
    if values["extra"] is not None:
        values["extra"] = dump_json(values["extra"]).decode()
    return values.values()


def _insert(rows: Sequence[NewUser]) -> set[int]:
    """Insert into SQLite, which has one writer at a time."""
    insert_users = sqlite.insert(users).on_conflict_do_nothing().returning(users.c.id)
    inserted = set(db.session.scalars(insert_users, [{**USER_DEFAULTS, **row.columns} for row in rows]))
    defaults = profile_defaults()
    profile_rows = [
        {"user_id": row.id, **defaults, **row.profile} for row in rows if row.profile is not None and row.id in inserted
    ]
    if profile_rows:
        db.session.execute(sa.insert(profiles), profile_rows)
    return inserted
