"""Who must use a second step: everyone or some roles by a setting, and the members of groups (decision 0060).

Nothing is looked up here: the row of every caller says what role it has, and whether a group of it requires a second
step.
"""

from datetime import date
from typing import Protocol

from flask import current_app

from userapi.core import clock, context


class Account(Protocol):
    """A row with the role of a user, and whether a group of the user requires a second step of its members."""

    is_staff: bool
    is_superuser: bool
    group_requires_second_step: bool


def is_required(of: Account) -> bool:
    """Whether a user can only sign in with a second step, today."""
    return is_in_force() and is_demanded(of)


def is_required_for_everything(of: Account) -> bool:
    """Whether a user can do nothing without a second step, today.

    Where it is required of a role, staff keep their own account without it, and lack their permissions.
    """
    return is_in_force() and (_required_for() == "everyone" or of.group_requires_second_step)


def is_demanded(of: Account) -> bool:
    """Whether a user needs a second step, today or from `SECOND_STEP_REQUIRED_FROM`."""
    required_for = _required_for()
    return (
        required_for == "everyone"
        or (required_for == "staff" and (of.is_staff or of.is_superuser))
        or (required_for == "superusers" and of.is_superuser)
        or of.group_requires_second_step
    )


def is_in_force() -> bool:
    """Whether the day has come from which second steps are required."""
    first = context.current_application().config["SECOND_STEP_REQUIRED_FROM"]
    return first is None or clock.today() >= first


def find_first_day(of: Account) -> date | None:
    """The day from which a user needs a second step, if that is in the future."""
    return current_app.config["SECOND_STEP_REQUIRED_FROM"] if not is_in_force() and is_demanded(of) else None


def _required_for() -> str:
    required_for: str = context.current_application().config["SECOND_STEP_REQUIRED_FOR"]
    return required_for
