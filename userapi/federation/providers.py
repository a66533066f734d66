"""The providers that the settings name."""

from typing import Any
from urllib.parse import urlsplit

from flask import current_app

from userapi.core.loopback import is_loopback
from userapi.core.provider_settings import Provider

from .problems import UnknownProvider


def configured() -> tuple[Provider, ...]:
    """The providers, in the order of the settings; empty if there are none."""
    providers: tuple[Provider, ...] = current_app.config["PROVIDERS"]
    return providers


def find(provider_id: str) -> Provider:
    """A provider.

    Raises:
        UnknownProvider: the settings do not name it.
    """
    for provider in configured():
        if provider.id == provider_id:
            return provider
    raise UnknownProvider


def can_sign_in(identity: Any) -> bool:
    """Whether the settings still name the provider of an identity: a row with provider and issuer.

    The issuers of presets are not compared: one provider may have several.
    """
    return any(
        provider.id == identity.provider and (provider.preset or provider.issuer == identity.issuer)
        for provider in configured()
    )


def callback_url(provider: Provider) -> str:
    """Where the provider sends browsers back to; it must be registered there."""
    return f"{current_app.config['SITE_URL']}/auth/callback/{provider.id}/"


def is_return_url(url: str) -> bool:
    """Whether a browser may return to this URL of an app: exactly one of `PROVIDER_RETURN_URLS`.

    A URL on this machine may have any port (RFC 8252, section 7.3).
    """
    allowed: list[str] = current_app.config["PROVIDER_RETURN_URLS"]
    return url in allowed or (_without_port(url) is not None and _without_port(url) in map(_without_port, allowed))


def _without_port(url: str) -> str | None:
    """A URL on this machine without its port; None for every other URL."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme != "http" or not is_loopback(parts.hostname) or not url.isascii() or not url.isprintable():
        return None
    end = "" if port is None else f":{port}"
    if not parts.netloc.endswith(end):
        return None
    return url.replace(parts.netloc, parts.netloc.removesuffix(end), 1)
