"""Users to be edited as plain values: an entity of the ORM costs a multiple (decision 0108)."""

from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from userapi.core.db import db
from userapi.core.prepared import Write

from .fields import PROFILE_FIELD_NAMES, USER
from .models import AccountKind, ProfileValues, User
from .queries import SHOWN_OF_USERS, document_columns, profiles, users

OF_PROFILE = (*PROFILE_FIELD_NAMES, "extra")

LOCK = Write(sa.select(users.c.id).where(users.c.id == sa.bindparam("user_id")).with_for_update())
READ_LOCKED = Write(
    sa.select(*document_columns(), users.c.password_hash.is_not(None).label("has_password"), users.c.kind)
    .select_from(users.outerjoin(profiles, profiles.c.user_id == users.c.id))
    .where(users.c.id == sa.bindparam("user_id"))
)


class ProfileOfRow(ProfileValues):
    """A profile, with the columns as attributes."""

    def __init__(self, user_id: int, values: Mapping[str, Any]) -> None:
        self.user_id = user_id
        self.__dict__.update(values)


class UserValues:
    """A user, with the columns of the JSON document as attributes.

    Args:
        row: begins with `queries.document_columns()`, and has `has_password`.
        kind: a value of `AccountKind`.

    Attributes:
        profile: None if the user has none.
        is_locked: whether the row is locked until the transaction ends.
    """

    id: int
    email: str
    is_staff: bool
    is_superuser: bool

    def __init__(self, row: Any, kind: str, *, is_locked: bool) -> None:
        self._before = dict(zip(SHOWN_OF_USERS, row, strict=False))
        self.__dict__.update(self._before)
        self.kind, self.has_password, self.is_locked = kind, row.has_password, is_locked
        self._profile_before: dict[str, Any] = {}
        self.profile: ProfileOfRow | None = None
        if row.profile_user_id is not None:
            start = len(SHOWN_OF_USERS) + 1
            self._profile_before = dict(zip(OF_PROFILE, row[start : start + len(OF_PROFILE)], strict=True))
            self.profile = ProfileOfRow(row.profile_user_id, self._profile_before)

    def list_changes(self, sent: Collection[str] = ()) -> list[tuple[Any, dict[str, Any], dict[str, Any]]]:
        """What differs from the row: each table with its columns before, without search keys, and now.

        Args:
            sent: columns to list even if they do not differ.
        """
        changes = [(users, self._before, self.__dict__)]
        if self.profile is not None:
            changes.append((profiles, self._profile_before, self.profile.__dict__))
        compared = [(table, *_compare(before, now, sent)) for table, before, now in changes]
        return [each for each in compared if each[1]]

    def write(self) -> None:
        """Store what changed of a locked user: one UPDATE for each table in which something did."""
        for table, _before, now in self.list_changes():
            values = {f"new_{name}": value for name, value in now.items()}
            _statement(table, tuple(now)).all(user_id=self.id, **values)


#: A user, for what needs no more than the values of columns.
Editable = User | UserValues


def lock(user_id: int) -> UserValues | None:
    """A user and profile, locked until the transaction ends.

    PostgreSQL reads the profile in a second statement. A statement that waits for the lock of the user does not see the
    profile that the transaction before it has written. On SQLite, the transaction has the only write lock already.
    """
    if db.engine.dialect.name == "postgresql" and LOCK.one(user_id=user_id) is None:
        return None
    row = READ_LOCKED.one(user_id=user_id)
    return None if row is None else UserValues(row, row.kind, is_locked=True)


def from_caller(row: Any) -> UserValues:
    """The signed-in user with a profile, as the request has read it; only people have profiles."""
    return UserValues(row, AccountKind.PERSON, is_locked=False)


def update_of(table: Any, names: tuple[str, ...]) -> Any:
    """The UPDATE of some columns to the parameters `new_…`; the caller adds which rows."""
    return sa.update(table).values({name: sa.bindparam(f"new_{name}", type_=table.c[name].type) for name in names})


def key_of(table: Any) -> Any:
    """The column with the id of the user."""
    return table.c.id if table is users else table.c.user_id


def _compare(
    before: Mapping[str, Any], now: Mapping[str, Any], sent: Collection[str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    changed = [name for name, value in before.items() if now[name] != value or name in sent]
    keys = [f"{name}_key" for name in changed if name in USER and USER[name].has_key]
    return {name: before[name] for name in changed}, {name: now[name] for name in (*changed, *keys)}


@lru_cache(maxsize=256)
def _statement(table: Any, names: tuple[str, ...]) -> Write:
    """The UPDATE of a locked user, which is compiled once."""
    key = key_of(table)
    return Write(update_of(table, names).where(key == sa.bindparam("user_id")).returning(key))
