"""Profiles of made-up users for an application that declares its fields."""

import random
from collections.abc import Callable
from typing import Any

from userapi.users.declaration import Declaration
from userapi.users.fields import PROFILE

#: Makes the columns of a profile from the built-in fields, the number of the user in the crowd, and the id.
DrawProfile = Callable[[dict[str, Any], int, int], dict[str, Any]]


def choose_profile(declaration: Declaration, seed: str) -> DrawProfile:
    """What makes the profiles for a declaration; unique values contain the id, which no other crowd has.

    Args:
        declaration: the fields of profiles.
        seed: chooses the values.
    """
    if declaration.is_default:
        return lambda profile, _number, _user_id: profile
    left_out = PROFILE.keys() - declaration.by_name.keys()
    draw_own = _choose_own_values(declaration, seed)

    def draw(profile: dict[str, Any], number: int, user_id: int) -> dict[str, Any]:
        columns = {name: value for name, value in profile.items() if name not in left_out}
        own = draw_own(number, user_id)
        return {**columns, "extra": own} if own else columns

    return draw


def _choose_own_values(declaration: Declaration, seed: str) -> Callable[[int, int], dict[str, Any]]:
    if not declaration.own:
        return lambda _number, _user_id: {}
    from userapi.users.own_fields.kinds import draw_value  # only for applications with own fields

    chance = random.Random(seed)  # noqa: S311 - nothing secret comes from it
    return lambda number, user_id: {
        field.name: draw_value(field, chance, user_id if field.is_unique else number) for field in declaration.own
    }
