"""The scopes that clients can request, and the claims about a user they give (OpenID Connect Core, 5.4)."""

from collections.abc import Collection, Iterable
from typing import Any

from flask_babel import lazy_gettext

OPENID, OFFLINE = "openid", "offline_access"

#: What users read of each scope; `openid` alone gives no more than the number of the account.
TEXTS = {
    OPENID: lazy_gettext("Know that it is you"),
    "profile": lazy_gettext("See your name, date of birth and language"),
    "email": lazy_gettext("See your email address"),
    "address": lazy_gettext("See your postal address"),
    "groups": lazy_gettext("See your groups"),
    OFFLINE: lazy_gettext("Keep this access when you sign out"),
}

#: The claims of each scope, in the order in which the discovery document lists them.
CLAIMS = {
    OPENID: ("sub",),
    "profile": ("name", "given_name", "family_name", "preferred_username", "birthdate", "locale"),
    "email": ("email", "email_verified"),
    "address": ("address",),
    "groups": ("groups",),
    OFFLINE: (),
}

#: The scopes of a client that registers none.
DEFAULT = (OPENID, "profile", "email")


def split(text: str) -> tuple[str, ...]:
    """Scopes that are separated by spaces, each once, in order."""
    return tuple(dict.fromkeys(text.split()))


def join(names: Iterable[str]) -> str:
    """The same as one text."""
    return " ".join(dict.fromkeys(names))


def make_claims(user: Any, scopes: Collection[str]) -> dict[str, Any]:
    """The claims about a user that some scopes give. What is not known is left out.

    Args:
        user: a `User` with profile and groups.
        scopes: those of the access token.
    """
    claims: dict[str, Any] = {"sub": str(user.id)}
    profile = user.profile
    if "profile" in scopes:
        claims |= {
            "name": f"{user.first_name} {user.last_name}".strip(),
            "given_name": user.first_name,
            "family_name": user.last_name,
            "preferred_username": user.username,
            "birthdate": profile.dob.isoformat() if profile is not None and profile.dob else None,
            "locale": user.language,
        }
    if "email" in scopes:
        claims |= {"email": user.email, "email_verified": user.email_verified_at is not None}
    if "address" in scopes and profile is not None:
        claims["address"] = _make_address(profile)
    if "groups" in scopes:
        claims["groups"] = [group.name for group in user.groups]
    return {name: value for name, value in claims.items() if value not in (None, "", {})}


def _make_address(profile: Any) -> dict[str, str]:
    """The postal address (OpenID Connect Core, section 5.1.1)."""
    parts = {
        "street_address": profile.address,
        "locality": profile.city,
        "postal_code": profile.zip,
        "country": profile.country,
    }
    known = {name: value for name, value in parts.items() if value}
    place = " ".join(known[name] for name in ("postal_code", "locality") if name in known)
    lines = [line for line in (known.get("street_address"), place, known.get("country")) if line]
    return known and {**known, "formatted": "\n".join(lines)}
