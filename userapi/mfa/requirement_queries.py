"""Of whom a second step is required, as part of a statement; `requirements` says the same of a row."""

from typing import Any, NamedTuple

import sqlalchemy as sa

from userapi.core.db import read_all
from userapi.users.group_queries import GROUP_REQUIRES_SECOND_STEP
from userapi.users.queries import users

from .queries import second_factors

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


class Counted(NamedTuple):
    """Numbers of active users.

    Attributes:
        all: every one of them.
        without: those who sign in without a second step.
    """

    all: int
    without: int


def count_staff() -> Counted:
    """The active staff, superusers among them."""
    return _count(ROLES["staff"])


def count_demanded(required_for: str) -> Counted:
    """The active users of whom a second step is required.

    Args:
        required_for: the value of SECOND_STEP_REQUIRED_FOR.
    """
    return _count(is_demanded(required_for))


def _count(condition: sa.ColumnElement[bool]) -> Counted:
    statement: Any = (
        sa.select(sa.func.count(), sa.func.count().filter(second_factors.c.active_since.is_(None)))
        .select_from(users.outerjoin(second_factors, second_factors.c.user_id == users.c.id))
        .where(users.c.is_active, condition)
    )
    row: Any = read_all(statement)[0]
    return Counted(*row)
