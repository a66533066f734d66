"""The settings of second factors, a part of `userapi.settings`."""

from typing import Any

from environs import validate

from . import setting_checks as checks
from .environment import Settings

#: Kinds of second factors that users may be offered.
KINDS = ("totp", "passkey")

#: Of whom a second step can be required.
REQUIRED_FOR = ("none", "superusers", "staff", "everyone")


def read(env: Settings) -> dict[str, Any]:
    """The settings in an environment."""
    return {
        "SECOND_STEP_LIFETIME": env.int("SECOND_STEP_LIFETIME", 600, validate=validate.Range(60, 3600)),
        "SECOND_FACTORS": env.list("SECOND_FACTORS", KINDS, subcast=str, validate=validate.ContainsOnly(KINDS)),
        "TOTP_ISSUER": env.str("TOTP_ISSUER", "", validate=checks.issuer_or_none),
        "TOTP_TOLERANCE": env.int("TOTP_TOLERANCE", 1, validate=validate.Range(0, 2)),
        "RECOVERY_CODES": env.int("RECOVERY_CODES", 10, validate=validate.Range(5, 20)),
        "REMEMBER_DEVICE_DAYS": env.int("REMEMBER_DEVICE_DAYS", 30, validate=validate.Range(0, 90)),
        "SECOND_STEP_REQUIRED_FOR": env.str("SECOND_STEP_REQUIRED_FOR", "none", validate=validate.OneOf(REQUIRED_FOR)),
        "SECOND_STEP_REQUIRED_FROM": env.str("SECOND_STEP_REQUIRED_FROM", "", validate=checks.date_or_none),
    }
