"""The statements about the search keys of own profile fields, and the writes that only one user can win."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from userapi.core import clock
from userapi.core.db import db, read_all
from userapi.core.writes import count_rows, insert

from .field_models import FieldKeyState, UserFieldKey
from .models import User, UserProfile

#: Profiles that are read at a time.
PAGE_SIZE = 2000

keys: Any = UserFieldKey.__table__
states: Any = FieldKeyState.__table__
users: Any = User.__table__
profiles: Any = UserProfile.__table__


class Key(NamedTuple):
    """A row of `user_field_keys`."""

    field: str
    key: str
    user_id: int
    is_unique: bool


class Place(NamedTuple):
    """A field of a user."""

    user_id: int
    field: str


def insert_keys(rows: Iterable[Key]) -> list[Key]:
    """Insert keys, and return those that could not be inserted because other users have them.

    For a unique key that another transaction is inserting, this waits for that transaction. All transactions insert in
    the same order, so that no two wait for each other.
    """
    ordered = sorted(rows)
    if not ordered:
        return []
    statement = insert(keys).on_conflict_do_nothing().returning(keys.c.field, keys.c.key, keys.c.user_id)
    inserted = {tuple(row) for row in db.session.execute(statement, [row._asdict() for row in ordered])}
    return [row for row in ordered if row[:3] not in inserted]


def delete_keys(rows: Iterable[Key]) -> None:
    """Delete keys."""
    parameters = [{"field_": row.field, "key_": row.key, "user_id_": row.user_id} for row in rows]
    if parameters:
        db.session.connection().execute(
            sa.delete(keys).where(*(keys.c[name] == sa.bindparam(f"{name}_") for name in ("field", "key", "user_id"))),
            parameters,
        )


def list_keys(places: Collection[Place]) -> list[Key]:
    """The keys that users have for some fields, as this transaction sees them."""
    found = db.session.execute(
        sa.select(keys.c.field, keys.c.key, keys.c.user_id, keys.c.is_unique).where(
            keys.c.user_id.in_({place.user_id for place in places}), keys.c.field.in_({place.field for place in places})
        )
    )
    return [Key(*row) for row in found]


def find_owners(wanted: Collection[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """The users who have unique keys, by field and key, as this transaction sees them."""
    if not wanted:
        return {}
    found = db.session.execute(
        sa.select(keys.c.field, keys.c.key, keys.c.user_id).where(
            keys.c.is_unique, sa.tuple_(keys.c.field, keys.c.key).in_(list(wanted))
        )
    )
    return {(row.field, row.key): row.user_id for row in found}


def list_complete(fields: Collection[str]) -> set[str]:
    """Those of some fields whose keys are complete, read outside any transaction."""
    return {row.field for row in read_all(sa.select(states.c.field).where(states.c.field.in_(fields)))}


def mark_complete(fields: Collection[str]) -> None:
    """Record that every user with a value of these fields has its keys."""
    if fields:
        rows = [{"field": name, "built_at": clock.now()} for name in fields]
        db.session.execute(insert(states).on_conflict_do_nothing(), rows)


def mark_incomplete(condition: Any) -> None:
    """Forget that the keys of fields are complete, for the states that meet a condition."""
    count_rows(sa.delete(FieldKeyState).where(condition))


def delete_some_keys(field: str, most: int) -> int:
    """Delete at most so many keys of a field, of any users; the number deleted."""
    some = sa.select(keys.c.key, keys.c.user_id).where(keys.c.field == field).limit(most)
    return count_rows(
        sa.delete(UserFieldKey).where(keys.c.field == field, sa.tuple_(keys.c.key, keys.c.user_id).in_(some))
    )


def read_keys(field: str, first: int, last: int) -> list[Key]:
    """The keys of a field of the users with ids from `first` to `last`, read outside any transaction."""
    found: Sequence[Any] = read_all(
        sa.select(keys.c.field, keys.c.key, keys.c.user_id, keys.c.is_unique).where(
            keys.c.field == field, keys.c.user_id >= first, keys.c.user_id <= last
        )
    )
    return [Key(*row) for row in found]


def read_values(field: str, after: int) -> Sequence[sa.Row[Any]]:
    """The values of a field of the next profiles after that of a user (`value`, None without one), by user id.

    They are read outside any transaction.
    """
    return read_all(
        sa.select(profiles.c.user_id, profiles.c.extra[field].label("value"))
        .where(profiles.c.user_id > after)
        .order_by(profiles.c.user_id)
        .limit(PAGE_SIZE)
    )


def lock_values(field: str, user_ids: Collection[int]) -> dict[int, Any]:
    """Lock users until the transaction ends, and return the values of a field of those who have one."""
    db.session.execute(sa.select(users.c.id).where(users.c.id.in_(user_ids)).order_by(users.c.id).with_for_update())
    found = db.session.execute(
        sa.select(profiles.c.user_id, profiles.c.extra[field]).where(profiles.c.user_id.in_(user_ids))
    )
    return {user_id: value for user_id, value in found if value is not None}
