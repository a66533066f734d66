"""The settings for clients of the service that this one replaces, a part of `userapi.settings`."""

from collections.abc import Mapping
from typing import Any

from environs import validate

from .environment import ConfigurationError, Settings
from .setting_checks import hmac_key_or_none

DAY = 86400


def read(env: Settings) -> dict[str, Any]:
    """The settings in an environment."""
    return {
        "LEGACY_CLIENTS": env.bool("LEGACY_CLIENTS", False),
        "LEGACY_REFRESH_LIFETIME": env.int("LEGACY_REFRESH_LIFETIME", 7 * DAY, validate=validate.Range(60, 90 * DAY)),
        "LEGACY_JWT_SECRET": env.str("LEGACY_JWT_SECRET", "", validate=hmac_key_or_none),
    }


def require_legacy_clients(settings: Mapping[str, Any]) -> None:
    """Accept tokens of the replaced service only together with its clients.

    Raises:
        ConfigurationError: there is a secret, and the clients are off.
    """
    if settings["LEGACY_JWT_SECRET"] and not settings["LEGACY_CLIENTS"]:
        raise ConfigurationError("LEGACY_JWT_SECRET: Has no effect without LEGACY_CLIENTS=true. Set that too.")
