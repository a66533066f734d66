"""Settings of libraries, which follow from ours."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from .setting_checks import default_sender

#: The maximum difference between the clocks of two machines, in seconds: tokens from the near future are accepted.
MAX_CLOCK_SKEW = 60

#: How the audiences of tokens end. Tokens without a suffix are for other services, `-web` tokens for cookies.
AUDIENCES = ("", "-web", "-set-up", "-web-set-up", "-web-impersonation")


def derive(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of the libraries, computed from ours."""
    issuer = settings["JWT_ISSUER"] or settings["SITE_URL"]
    audience = settings["JWT_AUDIENCE"]
    secure = settings["SITE_URL"].startswith("https://")
    mail_port = 465 if settings["MAIL_USE_SSL"] else 587 if settings["MAIL_USE_TLS"] else 25
    return {
        "DEBUG": False,
        "MAX_CONTENT_LENGTH": 1024 * 1024,
        "MAX_FORM_MEMORY_SIZE": 512 * 1024,
        "MAX_FORM_PARTS": 100,
        "JWT_ISSUER": issuer,
        "JWT_ALGORITHM": "ES256",
        "JWT_DECODE_ALGORITHMS": ["ES256"],
        "JWT_ENCODE_ISSUER": issuer,
        "JWT_DECODE_ISSUER": issuer,
        "JWT_WEB_AUDIENCE": f"{audience}-web",
        "JWT_SET_UP_AUDIENCE": f"{audience}-set-up",
        "JWT_WEB_SET_UP_AUDIENCE": f"{audience}-web-set-up",
        "JWT_IMPERSONATION_AUDIENCE": f"{audience}-web-impersonation",
        "JWT_DECODE_AUDIENCE": [f"{audience}{suffix}" for suffix in AUDIENCES],
        "JWT_ENCODE_AUDIENCE": audience,
        "JWT_TOKEN_LOCATION": ["headers", "cookies"],
        "JWT_ACCESS_TOKEN_EXPIRES": timedelta(seconds=settings["ACCESS_TOKEN_LIFETIME"]),
        "JWT_DECODE_LEEWAY": MAX_CLOCK_SKEW,
        "JWT_COOKIE_SECURE": secure,
        "JWT_COOKIE_SAMESITE": "Lax",
        "JWT_SESSION_COOKIE": False,
        "JWT_ACCESS_COOKIE_NAME": "__Host-access_token" if secure else "access_token",
        "JWT_REFRESH_COOKIE_NAME": "__Host-refresh_token" if secure else "refresh_token",
        "JWT_ACCESS_CSRF_COOKIE_NAME": "csrf_token",
        "JWT_REFRESH_CSRF_COOKIE_NAME": "csrf_refresh_token",
        "JWT_CSRF_CHECK_FORM": True,
        "USERS_MAY_INVITE": settings["INVITES_PER_USER"] > 0 and settings["REGISTRATION"] != "closed",
        "TOTP_ISSUER": settings["TOTP_ISSUER"] or urlsplit(settings["SITE_URL"]).hostname,
        "MAIL_PORT": settings["MAIL_PORT"] or mail_port,
        "SIGN_IN_BY_MAIL": settings["SIGN_IN_BY_MAIL"] or ("code" if settings["MAIL_SERVER"] else "none"),
        "MAIL_DEFAULT_SENDER": settings["MAIL_DEFAULT_SENDER"]
        or default_sender(settings["SITE_URL"], settings["SITE_NAME"]),
    }
