"""Of whom a second step is required, as part of a statement; `requirements` says the same of a row."""

from typing import Any

import sqlalchemy as sa

from userapi.users.group_queries import GROUP_REQUIRES_SECOND_STEP
from userapi.users.queries import users

ROLES: dict[str, sa.ColumnElement[bool]] = {
    "none": sa.false(),
    "superusers": users.c.is_superuser,
    "staff": users.c.is_staff | users.c.is_superuser,
    "everyone": sa.true(),
}


def is_demanded(required_for: str) -> sa.ColumnElement[bool]:
    """Whether a second step is required of the user `users` of the enclosing statement.

    Args:
        required_for: the value of SECOND_STEP_REQUIRED_FOR.
    """
    return sa.or_(ROLES[required_for], GROUP_REQUIRES_SECOND_STEP.element)


def select_is_demanded(user_id: int, required_for: str) -> sa.ScalarSelect[Any]:
    """The same of one user, as a value in a write."""
    return sa.select(is_demanded(required_for)).where(users.c.id == user_id).scalar_subquery()
