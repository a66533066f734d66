"""The filter of user lists by second step, for the staff site and the command line."""

from typing import Any

import sqlalchemy as sa

from userapi.users import list_queries

from .queries import HAS_APP, HAS_PASSKEY, HAS_WAY, is_locked, second_factors

#: The name of the filter in `list_queries`, and its values: a second step that is off, on with an app or a passkey, or
#: on and locked, because of too many wrong codes or because there is nothing to do it with.
NAME = "second_step"
NONE, APP, PASSKEY, LOCKED = VALUES = ("none", "app", "passkey", "locked")

IS_ON = second_factors.c.active_since.is_not(None)

CONDITIONS = {
    APP: HAS_APP,
    PASSKEY: HAS_PASSKEY,
    LOCKED: sa.or_(is_locked(second_factors.c.failures), ~sa.or_(*HAS_WAY)),
}


def build_condition(value: str, source: Any) -> Any:
    """The condition for a value.

    Args:
        value: one of `VALUES`.
        source: `users`, or a subquery with its columns.
    """
    if value == NONE:
        return ~sa.exists().where(second_factors.c.user_id == source.c.id, IS_ON)
    return source.c.id.in_(sa.select(second_factors.c.user_id).where(IS_ON, CONDITIONS[value]))


list_queries.ADDED[NAME] = build_condition
