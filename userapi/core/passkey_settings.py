"""The settings of passkeys, and what follows from SITE_URL where they are not set.

Passkeys belong to a host name, the RP ID (WebAuthn Level 3, section 5.1.2). An IP address cannot be one.
"""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from environs import Env
from marshmallow import ValidationError

from .environment import ConfigurationError
from .setting_checks import host, is_ip_address, limit, origin

#: How Android names an app that acts for a site, by the hash of its certificate.
ANDROID_APP = re.compile(r"android:apk-key-hash:[A-Za-z0-9_-]{43}")


def read(env: Env) -> dict[str, Any]:
    """Read the settings; empty ones follow from SITE_URL."""
    return {
        "PASSKEY_SIGN_IN": env.bool("PASSKEY_SIGN_IN", True),
        "PASSKEY_RP_ID": env.str("PASSKEY_RP_ID", "", validate=_rp_id_or_none),
        "RATELIMIT_PASSKEY": env.str("RATELIMIT_PASSKEY", "30 per 10 minutes", validate=limit),
        "PASSKEY_ORIGINS": env.list("PASSKEY_ORIGINS", [], subcast=str, validate=_origins),
    }


def resolve(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The RP ID and the origins that the service uses; both are empty if there can be no passkeys.

    Raises:
        ConfigurationError: no page at one of the origins can use the RP ID.
    """
    rp_id = settings["PASSKEY_RP_ID"] or _host_of(settings["SITE_URL"])
    if is_ip_address(rp_id):
        return {"PASSKEY_RP_ID": "", "PASSKEY_ORIGINS": []}
    own = [settings["SITE_URL"], *([_origin_of(settings["FRONTEND_URL"])] if settings["FRONTEND_URL"] else [])]
    origins = _origins(settings["PASSKEY_ORIGINS"]) or [origin for origin in own if fits(rp_id, origin)]
    if not any(fits(rp_id, origin) for origin in origins):
        raise ConfigurationError(
            f"PASSKEY_RP_ID, PASSKEY_ORIGINS: {rp_id} must be the host of an origin, or a domain above it such as "
            "example.com for https://accounts.example.com."
        )
    return {"PASSKEY_RP_ID": rp_id, "PASSKEY_ORIGINS": list(dict.fromkeys(origins))}


def fits(rp_id: str, origin: str) -> bool:
    """Whether a page at an origin may use an RP ID: its own host, or a domain above it that is not a top-level one."""
    name = _host_of(origin)
    return name == rp_id or ("." in rp_id and name.endswith(f".{rp_id}"))


def _rp_id_or_none(value: str) -> None:
    if value and (host(value) != value or value != value.lower()):
        raise ValidationError("Must be a host name in lower case and ASCII, such as accounts.example.com.")


def _origins(values: list[str]) -> list[str]:
    return [value if ANDROID_APP.fullmatch(value) else origin(value) for value in values]


def _host_of(url: str) -> str:
    return urlsplit(url).hostname or ""


def _origin_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
