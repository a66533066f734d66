"""Users, as extensions see them."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from userapi.core.db import db
from userapi.users import email_address, queries
from userapi.users.models import User as UserRow


@dataclass(frozen=True, slots=True)
class User:
    """A user, as it was when it was read.

    Attributes:
        id: never used again for another user.
        email: the email address.
        first_name, last_name: may be empty.
        username: or None.
        language: a BCP 47 tag, or None.
        is_active: whether the user can sign in.
        is_staff: whether the user may use the staff site.
        is_superuser: whether the user has every permission.
        email_verified: whether the email address is confirmed.
    """

    id: int
    email: str
    first_name: str
    last_name: str
    username: str | None
    language: str | None
    is_active: bool
    is_staff: bool
    is_superuser: bool
    email_verified: bool


USERS = UserRow.__table__

#: The columns that the attributes are read from.
COLUMNS = tuple(
    USERS.c[name] if name in USERS.c else USERS.c.email_verified_at.is_not(None).label(name)
    for name in User.__dataclass_fields__
)


#: Checks an email address: returns it as typed, and in its normal form, by which two spellings are the same. Raises a
#: problem that names the field.
check_email = email_address.checked


def to_user(row: Any) -> User:
    """A user, from a row that has the columns."""
    return User(**{name: getattr(row, name) for name in User.__dataclass_fields__})


def find_user(user_id: int) -> User | None:
    """The user with an id, as the current transaction sees it; None if there is none."""
    return list_users([user_id]).get(user_id)


def find_user_by_email(email: str) -> User | None:
    """The user with an email address, in any spelling that a sign-in accepts; None if there is none."""
    key = email_address.key_or_none(email)
    user_id = queries.find_id(key) if key else None
    return None if user_id is None else find_user(user_id)


def list_users(user_ids: Collection[int]) -> dict[int, User]:
    """The users with these ids, by id; those that do not exist are left out."""
    rows = db.session.execute(sa.select(*COLUMNS).where(USERS.c.id.in_(user_ids)))
    return {row.id: to_user(row) for row in rows}
