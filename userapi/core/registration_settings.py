"""The settings of registration and invitations, a part of `userapi.settings`."""

import re
from collections.abc import Mapping
from typing import Any

from environs import Env, validate
from marshmallow import ValidationError

from . import setting_checks as checks
from .environment import ConfigurationError

#: Any page, also with a query or a fragment.
PAGE_URL = re.compile(r"https?://[!-~]+")


def read(env: Env) -> dict[str, Any]:
    """Who may open an account, what they accept, and how long invitations are valid."""
    days = 86400
    return {
        "REGISTRATION": env.str("REGISTRATION", "open", validate=validate.OneOf(("open", "invited", "closed"))),
        "REGISTRATION_EMAIL_DOMAINS": env.list("REGISTRATION_EMAIL_DOMAINS", [], subcast=str, validate=checks.domains),
        "TERMS_VERSION": env.str("TERMS_VERSION", "", validate=validate.Length(max=50)),
        "TERMS_URL": env.str("TERMS_URL", "", validate=_page_url),
        "INVITATION_LIFETIME": env.int("INVITATION_LIFETIME", 7 * days, validate=validate.Range(3600, 90 * days)),
        "INVITES_PER_USER": env.int("INVITES_PER_USER", 0, validate=validate.Range(0, 1000)),
    }


def _page_url(value: str) -> None:
    if value and not PAGE_URL.fullmatch(value):
        raise ValidationError("Not a URL such as https://example.com/terms.")


def require_consistent(settings: Mapping[str, Any]) -> None:
    """Check the settings that need each other.

    Raises:
        ConfigurationError: a list of domains would be no protection, or terms have no text or no version.
    """
    if settings["REGISTRATION_EMAIL_DOMAINS"] and settings["EMAIL_VERIFICATION"] != "mandatory":
        raise ConfigurationError(
            "REGISTRATION_EMAIL_DOMAINS: Anyone can enter an email address of these domains. "
            "Set EMAIL_VERIFICATION=mandatory."
        )
    if bool(settings["TERMS_VERSION"]) != bool(settings["TERMS_URL"]):
        raise ConfigurationError("TERMS_VERSION, TERMS_URL: Set both or neither.")
