"""The settings of closed accounts and of what is deleted, a part of `userapi.settings`."""

from collections.abc import Callable, Mapping
from typing import Any

from environs import validate
from marshmallow import ValidationError

from .environment import ConfigurationError, Settings

MAX_DAYS = 36500


def read(env: Settings) -> dict[str, Any]:
    """The settings in an environment."""
    return {
        "CLOSING_DAYS": env.int("CLOSING_DAYS", 14, validate=validate.Range(0, 365)),
        "INACTIVE_DAYS": env.int("INACTIVE_DAYS", 0, validate=_zero_or_at_least(60)),
        "UNVERIFIED_DAYS": env.int("UNVERIFIED_DAYS", 0, validate=_zero_or_at_least(7)),
    }


def _zero_or_at_least(days: int) -> Callable[[int], None]:
    """A check that a number of days is 0, or not so small that owners would be surprised."""

    def check(value: int) -> None:
        if value and not days <= value <= MAX_DAYS:
            raise ValidationError(f"Must be 0, or from {days} to {MAX_DAYS}.")

    return check


def require_confirmation(settings: Mapping[str, Any]) -> None:
    """Check that email addresses are confirmed at all, if accounts are deleted because theirs is not.

    Raises:
        ConfigurationError: they are not.
    """
    if settings["UNVERIFIED_DAYS"] and settings["EMAIL_VERIFICATION"] == "none":
        raise ConfigurationError("UNVERIFIED_DAYS: Must be 0 with EMAIL_VERIFICATION=none, which confirms no address.")
