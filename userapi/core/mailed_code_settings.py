"""The settings of codes by email, a part of `userapi.settings`."""

from typing import Any

from environs import validate

from . import setting_checks as checks
from .environment import Settings

#: What a sign-in email contains. By default, `code` if there is a mail server and `none` otherwise.
KINDS = ("none", "code", "link")


def read(env: Settings) -> dict[str, Any]:
    """The settings in an environment."""
    return {
        "SIGN_IN_BY_MAIL": env.str("SIGN_IN_BY_MAIL", "", validate=validate.OneOf(("", *KINDS))),
        "SIGN_IN_BY_MAIL_STAFF": env.bool("SIGN_IN_BY_MAIL_STAFF", False),
        "RATELIMIT_CODE": env.str("RATELIMIT_CODE", "30 per hour", validate=checks.limit),
        "RATELIMIT_CODE_RECIPIENT": env.str("RATELIMIT_CODE_RECIPIENT", "5 per hour", validate=checks.limit),
        "RATELIMIT_CODE_TRY": env.str("RATELIMIT_CODE_TRY", "20 per 10 minutes", validate=checks.limit),
        "RATELIMIT_CODE_ACCOUNT": env.str("RATELIMIT_CODE_ACCOUNT", "25 per hour", validate=checks.limit),
    }
