"""Of whom a second step is required, as part of a statement; `requirements` says the same of a row."""

from typing import Any, NamedTuple

import sqlalchemy as sa

from userapi.core.db import read_all
from userapi.users.group_queries import GROUP_REQUIRES_SECOND_STEP
from userapi.users.queries import IS_ACTIVE_PERSON, IS_PERSON, users

from .queries import HAS_WAY, second_factors

#: Users, and what their second factors share if they have any.
WITH_FACTORS = users.outerjoin(second_factors, second_factors.c.user_id == users.c.id)

#: What every sign-in needs to know of an account in `WITH_FACTORS`, and what `requirements` reads.
SIGN_IN = (
    users.c.id,
    users.c.session_version,
    IS_ACTIVE_PERSON,
    users.c.email_verified_at,
    users.c.is_staff,
    users.c.is_superuser,
    GROUP_REQUIRES_SECOND_STEP,
    second_factors.c.active_since.is_not(None).label("needs_second_step"),
)

#: By value of SECOND_STEP_REQUIRED_FOR, written as the indexes of staff and superusers are, so that they are used.
ROLES: dict[str, sa.ColumnElement[bool]] = {
    "none": sa.false(),
    "superusers": users.c.is_superuser.is_(True),
    "staff": users.c.is_staff.is_(True) | users.c.is_superuser.is_(True),
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


def count_locked_out() -> int:
    """The active users whose second step is on and who have nothing to do it with, such as after an import."""
    statement: Any = (
        sa.select(sa.func.count())
        .select_from(users.join(second_factors, second_factors.c.user_id == users.c.id))
        .where(users.c.is_active, second_factors.c.active_since.is_not(None), ~sa.or_(*HAS_WAY))
    )
    row: Any = read_all(statement)[0]
    return int(row[0])


def _count(condition: sa.ColumnElement[bool]) -> Counted:
    statement: Any = (
        sa.select(sa.func.count(), sa.func.count().filter(second_factors.c.active_since.is_(None)))
        .select_from(WITH_FACTORS)
        .where(users.c.is_active, IS_PERSON, condition)
    )
    row: Any = read_all(statement)[0]
    return Counted(*row)
