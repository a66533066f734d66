"""The statements of the export of a user's own data."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from userapi.core.db import Model, read_all
from userapi.users.group_models import Group, Permission, user_groups, user_permissions
from userapi.users.models import User

from .personal_tables import PARTS, Part

users: Any = User.__table__

#: What the document of a user does not have.
FURTHER_COLUMNS = (users.c.email_verified_at, users.c.terms_version, users.c.terms_accepted_at)


def read_part(part: Part, user_id: int) -> Sequence[sa.Row[Any]]:
    """The rows of one table about a user."""
    table = Model.metadata.tables[part.table]
    statement = sa.select(*(table.c[name] for name in part.columns)).where(table.c[part.owner] == user_id)
    return read_all(statement.order_by(*table.primary_key))


def list_parts() -> list[Part]:
    """The parts whose tables this installation has."""
    return [part for part in PARTS if part.table in Model.metadata.tables]


def read_further_columns(user_id: int) -> dict[str, Any]:
    """What the document of a user does not have."""
    (row,) = read_all(sa.select(*FURTHER_COLUMNS).where(users.c.id == user_id))
    return dict(row._mapping)


def list_groups(user_id: int) -> list[str]:
    """The names of a user's groups."""
    named = sa.select(Group.name).join(user_groups, user_groups.c.group_id == Group.id)
    return [row.name for row in read_all(named.where(user_groups.c.user_id == user_id).order_by(Group.name))]


def list_permissions(user_id: int) -> list[str]:
    """The permissions that a user has without any group."""
    named = sa.select(Permission.codename).join(user_permissions, user_permissions.c.permission_id == Permission.id)
    rows = read_all(named.where(user_permissions.c.user_id == user_id).order_by(Permission.codename))
    return [row.code for row in rows]
