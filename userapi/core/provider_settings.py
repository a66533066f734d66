"""The settings of sign-in with other services. `PROVIDERS` names them; each has settings of its own."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from environs import validate
from marshmallow import ValidationError

from .environment import ConfigurationError, Settings
from .loopback import is_loopback
from .setting_checks import domains, limit

#: The id of a provider: a part of names of settings and of paths.
PROVIDER_ID = re.compile(r"[a-z][a-z0-9_]{0,39}", re.ASCII)

#: What follows `/login/` and `/register/` in the paths of other pages.
RESERVED_IDS = ("code", "passkey", "profile")

#: The scheme of an app (RFC 8252, section 7.1): a domain of its maker, reversed.
APP_SCHEME = re.compile(r"[a-z][a-z0-9+-]*(\.[a-z0-9+-]+)+", re.ASCII)

#: A tenant of Microsoft: a UUID, or a word for several.
TENANT = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|common|organizations|consumers", re.ASCII)

TOKEN_AUTH = ("client_secret_basic", "client_secret_post", "private_key_jwt")


class Preset(NamedTuple):
    """What the settings of a known provider are, if they are not set."""

    name: str
    issuer: str
    scopes: tuple[str, ...] = ("openid", "email", "profile")
    trusts_email: bool = False
    client_auth: str = "client_secret_basic"


PRESETS = {
    "google": Preset("Google", "https://accounts.google.com", trusts_email=True),
    "microsoft": Preset("Microsoft", "https://login.microsoftonline.com", client_auth="client_secret_post"),
    "apple": Preset(
        "Apple", "https://appleid.apple.com", ("openid", "email", "name"), True, client_auth="client_secret_post"
    ),
    "github": Preset(
        "GitHub", "https://github.com", ("read:user", "user:email"), True, client_auth="client_secret_post"
    ),
    "gitlab": Preset("GitLab", "https://gitlab.com"),
}

#: An OpenID provider without a preset.
PLAIN = Preset("", "")


@dataclass(frozen=True, slots=True)
class Provider:
    """A service whose users can sign in here.

    Attributes:
        id: names it in paths and settings.
        preset: a key of `PRESETS`, or empty.
        name: what users call it.
        issuer: its issuer identifier (OpenID Connect Discovery, section 3).
        client_secret: empty if the key is used instead.
        registers: whether its users may register.
        trusts_email: whether an email that it calls verified counts as confirmed.
        links_verified: whether a confirmed email is enough to link an identity to the account that has it.
        matches_staff: whether accounts of staff are found by email too.
        domains: the email domains that its users must have; any if empty.
        native_client_ids: the client ids of apps that send ID tokens.
        client_auth: how this service authenticates at the token endpoint, one of `TOKEN_AUTH`.
        tenants: whose users are accepted (Microsoft).
        team_id: of the developer (Apple).
        key_id: names the key.
        private_key: a private key as PEM.
    """

    id: str
    preset: str
    name: str
    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    scopes: tuple[str, ...]
    registers: bool
    trusts_email: bool
    links_verified: bool
    matches_staff: bool
    domains: tuple[str, ...]
    native_client_ids: tuple[str, ...]
    client_auth: str
    tenants: tuple[str, ...]
    team_id: str
    key_id: str
    private_key: str = field(repr=False)

    def __str__(self) -> str:
        return self.id

    @property
    def uses_form_post(self) -> bool:
        """Whether the browser comes back with a form instead of a query string."""
        return self.preset == "apple"


def read(env: Settings) -> dict[str, Any]:
    """Read the settings; `resolve` makes providers of them."""
    ids = env.list("PROVIDERS", [], subcast=str.strip, validate=_provider_ids) or []
    return {
        "PROVIDERS": [{"id": each, **_read_provider(env, each, f"PROVIDER_{each.upper()}_")} for each in ids],
        "PROVIDER_RETURN_URLS": env.list("PROVIDER_RETURN_URLS", [], subcast=str.strip, validate=_return_urls),
        "RATELIMIT_PROVIDER_START": env.str("RATELIMIT_PROVIDER_START", "60 per hour", validate=limit),
        "RATELIMIT_PROVIDER_ANSWER": env.str("RATELIMIT_PROVIDER_ANSWER", "20 per 10 minutes", validate=limit),
    }


def _read_provider(env: Settings, provider_id: str, prefix: str) -> dict[str, Any]:
    preset = env.str(f"{prefix}PRESET", provider_id if provider_id in PRESETS else "", validate=_preset_or_none)
    usual = PRESETS.get(preset, PLAIN)
    return {
        "preset": preset,
        "name": env.str(f"{prefix}NAME", usual.name or provider_id.replace("_", " ").title(), validate=_name),
        "issuer": env.str(f"{prefix}ISSUER", usual.issuer, validate=issuer),
        "client_id": env.str(f"{prefix}CLIENT_ID", ""),
        "client_secret": env.str(f"{prefix}CLIENT_SECRET", ""),
        "scopes": env.str(f"{prefix}SCOPES", " ".join(usual.scopes)).split(),
        "registers": env.bool(f"{prefix}REGISTERS", True),
        "trusts_email": env.bool(f"{prefix}TRUSTS_EMAIL", usual.trusts_email),
        "links_verified": env.str(f"{prefix}LINKS", "ask", validate=validate.OneOf(("ask", "verified"))) == "verified",
        "matches_staff": env.bool(f"{prefix}STAFF", False),
        "domains": env.list(f"{prefix}DOMAINS", [], subcast=str.strip, validate=domains),
        "native_client_ids": env.list(f"{prefix}NATIVE_CLIENT_IDS", [], subcast=str.strip),
        "client_auth": env.str(f"{prefix}TOKEN_AUTH", usual.client_auth, validate=validate.OneOf(TOKEN_AUTH)),
        "tenants": env.list(f"{prefix}TENANT", [], subcast=str.strip, validate=_tenants),
        "team_id": env.str(f"{prefix}TEAM_ID", ""),
        "key_id": env.str(f"{prefix}KEY_ID", ""),
        "private_key": env.str(f"{prefix}KEY", ""),
    }


def resolve(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The providers, in the order of `PROVIDERS`.

    Raises:
        ConfigurationError: naming the setting that is wrong.
    """
    return {"PROVIDERS": tuple(_build(values, settings["SITE_URL"]) for values in settings["PROVIDERS"])}


def _build(values: Mapping[str, Any], site_url: str) -> Provider:
    fields: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in {**values, "domains": domains(values["domains"])}.items()
    }
    provider = Provider(**fields)
    for setting, error in _find_errors(provider, site_url):
        raise ConfigurationError(f"PROVIDER_{provider.id.upper()}_{setting}: {error}")
    return provider


def _find_errors(provider: Provider, site_url: str) -> Any:
    """What is wrong with a provider's settings together: the end of a setting's name, and the error."""
    is_github, is_apple = provider.preset == "github", provider.preset == "apple"
    if not provider.issuer:
        yield "ISSUER", "Set the issuer of the provider, such as https://login.example.com."
    if not provider.client_id:
        yield "CLIENT_ID", "Set the client id that the provider gave you."
    if urlsplit(provider.issuer).scheme == "http" and not is_loopback(urlsplit(site_url).hostname):
        yield "ISSUER", "Must begin with https://. http:// is only for tests, while SITE_URL is on this machine too."
    if not is_github and "openid" not in provider.scopes:
        yield "SCOPES", "Must contain openid."
    if is_github and provider.native_client_ids:
        yield "NATIVE_CLIENT_IDS", "GitHub has no ID tokens. Unset it."
    if provider.tenants and provider.preset != "microsoft":
        yield "TENANT", "Only Microsoft has tenants. Unset it."
    if is_apple:
        yield from (
            (setting, "Is required for Apple, whose client secret is made of it.")
            for setting, value in (("TEAM_ID", provider.team_id), ("KEY_ID", provider.key_id))
            if not value
        )
    if is_apple or provider.client_auth == "private_key_jwt":
        if not _is_private_key(provider.private_key, only_p256=is_apple):
            kind = "a P-256 key" if is_apple else "an RSA key or a P-256 key"
            yield "KEY", f"Must be {kind} as unencrypted PEM. Put it into a file, and set its path with _KEY_FILE."
    elif not provider.client_secret:
        yield "CLIENT_SECRET", "Set the client secret that the provider gave you."


def _is_private_key(pem: str, *, only_p256: bool) -> bool:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return False
    is_p256 = isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name == "secp256r1"
    return is_p256 or (not only_p256 and isinstance(key, rsa.RSAPrivateKey))


def issuer(value: str) -> str:
    """The URL of an issuer, exactly as the provider writes it."""
    parts = urlsplit(value)
    try:
        is_valid = parts.port is None or parts.port > 0
    except ValueError:
        is_valid = False
    if not is_valid or parts.scheme not in ("https", "http") or not parts.hostname or "@" in parts.netloc:
        raise ValidationError("Must be a URL such as https://login.example.com.")
    if "?" in value or "#" in value or not value.isascii() or not value.isprintable() or " " in value:
        raise ValidationError("Must be a URL without spaces, ? and #.")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ValidationError("Must begin with https://.")
    if len(value) > 200:
        raise ValidationError("Must have at most 200 characters.")
    return value


def _provider_ids(values: list[str]) -> None:
    for value in values:
        if not PROVIDER_ID.fullmatch(value) or value in RESERVED_IDS:
            raise ValidationError(
                f"{value} is not an id: use lowercase characters a to z, digits and _, such as google or acme."
            )
    if len(set(values)) < len(values):
        raise ValidationError("Names a provider twice.")


def _preset_or_none(value: str) -> None:
    if value and value not in PRESETS:
        raise ValidationError(f"Must be one of {', '.join(PRESETS)}, or not set.")


def _name(value: str) -> None:
    if not value.isprintable() or len(value) > 40:
        raise ValidationError("Must have at most 40 characters in one line.")


def _tenants(values: list[str]) -> None:
    if any(not TENANT.fullmatch(value) for value in values):
        raise ValidationError("Must be UUIDs in lower case, or common, organizations or consumers.")
    if len(values) > 1 and any("-" not in value for value in values):
        raise ValidationError("Use common, organizations or consumers alone.")


def _return_urls(values: list[str]) -> None:
    for value in values:
        parts = urlsplit(value)
        is_web = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname))
        is_url = is_web and bool(parts.hostname) and "@" not in parts.netloc
        is_app = bool(APP_SCHEME.fullmatch(parts.scheme))
        if not (is_url or is_app) or "#" in value or "\\" in value or not value.isascii() or not value.isprintable():
            raise ValidationError(
                f"{value} is not a URL such as https://app.example.com/signed-in, http://127.0.0.1/signed-in or "
                "com.example.app:/signed-in."
            )
