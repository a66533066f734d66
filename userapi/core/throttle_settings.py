"""The settings of throttles, a part of `userapi.settings`."""

from typing import Any

from environs import Env

from .setting_checks import limit, redis_url_or_none


def read(env: Env) -> dict[str, Any]:
    """Limits on attempts, which `userapi.security.throttling` counts."""
    return {
        "REDIS_URL": env.str("REDIS_URL", "", validate=redis_url_or_none),
        "RATELIMIT_ENABLED": env.bool("RATELIMIT_ENABLED", True),
        "RATELIMIT_SIGN_IN_IP": env.str("RATELIMIT_SIGN_IN_IP", "100 per 10 minutes", validate=limit),
        "RATELIMIT_SIGN_IN_PAIR": env.str("RATELIMIT_SIGN_IN_PAIR", "10 per 20 minutes", validate=limit),
        "RATELIMIT_SIGN_IN_ACCOUNT": env.str("RATELIMIT_SIGN_IN_ACCOUNT", "50 per hour", validate=limit),
        "RATELIMIT_SECOND_STEP": env.str("RATELIMIT_SECOND_STEP", "50 per 10 minutes", validate=limit),
        "RATELIMIT_API_KEY": env.str("RATELIMIT_API_KEY", "100 per 10 minutes", validate=limit),
        "RATELIMIT_TOKEN_VERIFY": env.str("RATELIMIT_TOKEN_VERIFY", "600 per minute", validate=limit),
        "RATELIMIT_REFRESH_IP": env.str("RATELIMIT_REFRESH_IP", "600 per minute", validate=limit),
        "RATELIMIT_REFRESH_SESSION": env.str("RATELIMIT_REFRESH_SESSION", "30 per minute", validate=limit),
        "RATELIMIT_REGISTRATION": env.str("RATELIMIT_REGISTRATION", "60 per hour", validate=limit),
        "RATELIMIT_PASSWORD_FEEDBACK": env.str("RATELIMIT_PASSWORD_FEEDBACK", "60 per hour", validate=limit),
        "RATELIMIT_PASSWORD_STRENGTH": env.str("RATELIMIT_PASSWORD_STRENGTH", "300 per 10 minutes", validate=limit),
        "RATELIMIT_PASSWORD_CHECK": env.str("RATELIMIT_PASSWORD_CHECK", "10 per 20 minutes", validate=limit),
        "RATELIMIT_PASSWORD_RESET": env.str("RATELIMIT_PASSWORD_RESET", "30 per hour", validate=limit),
        "RATELIMIT_PASSWORD_RESET_RECIPIENT": env.str(
            "RATELIMIT_PASSWORD_RESET_RECIPIENT", "5 per hour", validate=limit
        ),
        "RATELIMIT_EMAIL_CHANGE": env.str("RATELIMIT_EMAIL_CHANGE", "10 per hour", validate=limit),
        "RATELIMIT_EMAIL_RESEND": env.str("RATELIMIT_EMAIL_RESEND", "30 per hour", validate=limit),
        "RATELIMIT_EMAIL_RECIPIENT": env.str("RATELIMIT_EMAIL_RECIPIENT", "5 per hour", validate=limit),
        "RATELIMIT_INVITATION": env.str("RATELIMIT_INVITATION", "100 per hour", validate=limit),
        "RATELIMIT_LINK": env.str("RATELIMIT_LINK", "20 per 10 minutes", validate=limit),
    }
