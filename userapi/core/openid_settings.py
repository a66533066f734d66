"""The settings of the OpenID provider, a part of `userapi.settings`. Lifetimes are in seconds."""

from typing import Any

from environs import validate

from .environment import Settings
from .setting_checks import limit

DAY = 86_400


def read(env: Settings) -> dict[str, Any]:
    """The settings in an environment."""
    days = validate.Range(60, 3650 * DAY)
    return {
        "OPENID_PROVIDER": env.bool("OPENID_PROVIDER", True),
        "OPENID_CODE_LIFETIME": env.int("OPENID_CODE_LIFETIME", 60, validate=validate.Range(10, 600)),
        "OPENID_ACCESS_TOKEN_LIFETIME": env.int("OPENID_ACCESS_TOKEN_LIFETIME", 900, validate=validate.Range(30, 3600)),
        "OPENID_REFRESH_IDLE": env.int("OPENID_REFRESH_IDLE", 7 * DAY, validate=days),
        "OPENID_REFRESH_LIFETIME": env.int("OPENID_REFRESH_LIFETIME", 30 * DAY, validate=days),
        "OPENID_OFFLINE_LIFETIME": env.int("OPENID_OFFLINE_LIFETIME", 90 * DAY, validate=days),
        "OPENID_DEVICE_LIFETIME": env.int("OPENID_DEVICE_LIFETIME", 600, validate=validate.Range(60, 3600)),
        "RATELIMIT_AUTHORIZATION": env.str("RATELIMIT_AUTHORIZATION", "300 per 10 minutes", validate=limit),
        "RATELIMIT_CLIENT_AUTH": env.str("RATELIMIT_CLIENT_AUTH", "20 per 10 minutes", validate=limit),
        "RATELIMIT_USER_CODE": env.str("RATELIMIT_USER_CODE", "10 per 10 minutes", validate=limit),
        "RATELIMIT_DEVICE": env.str("RATELIMIT_DEVICE", "60 per hour", validate=limit),
    }
