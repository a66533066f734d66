"""What providers publish about themselves (OpenID Connect Discovery 1.0) and their keys (RFC 7517), cached.

Each process has its own cache. A key that was withdrawn is accepted until the cached keys are fetched again. A new key
is fetched when the first token names it, at most once a minute, so that invented key ids cause no requests.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, current_app

from userapi.core import clock
from userapi.core.loopback import is_loopback
from userapi.core.provider_settings import Provider

from . import requests_to_providers
from .problems import ProviderAnswerInvalid, ProviderUnavailable

#: How long metadata and keys are used before they are fetched again.
LIFETIME = timedelta(hours=1)

#: How much longer metadata are used while the provider cannot be reached. Keys are not.
GRACE = timedelta(hours=23)

#: The time between two requests for keys because of a key id that is not known.
MIN_TIME_BETWEEN_KEYS = timedelta(minutes=1)

#: The maximum number of keys of a provider.
MAX_KEYS = 50


@dataclass(frozen=True)
class Metadata:
    """The parts of a provider's metadata that are used.

    Attributes:
        issuer: as the provider writes it.
        sends_issuer: whether its answers contain `iss` (RFC 9207).
    """

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None = None
    sends_issuer: bool = False


@dataclass
class _Entry:
    """What is known of a provider."""

    metadata: Metadata | None = None
    metadata_at: datetime | None = None
    keys: Sequence[dict[str, Any]] = ()
    keys_at: datetime | None = None
    keys_requested_at: datetime | None = None


class Cache:
    """The metadata and keys of all providers of an application."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.entries: dict[str, _Entry] = {}

    def entry(self, provider: Provider) -> _Entry:
        """What is known of a provider."""
        with self.lock:
            return self.entries.setdefault(provider.id, _Entry())


def get_cache(app: Flask) -> Cache:
    """The cache of an application, which begins with its first use."""
    cache: Cache = app.extensions.setdefault("userapi-provider-metadata", Cache())
    return cache


def read(provider: Provider, url: str, is_issuer: Callable[[str], bool]) -> Metadata:
    """The metadata of a provider.

    Args:
        provider: the provider.
        url: where it publishes them.
        is_issuer: whether an issuer is the one that the settings name.

    Raises:
        ProviderUnavailable: they cannot be fetched, and none are cached.
        ProviderAnswerInvalid: they are another issuer's, or unusable.
    """
    entry, now = get_cache(current_app).entry(provider), clock.now()
    if entry.metadata is not None and entry.metadata_at is not None and now - entry.metadata_at < LIFETIME:
        return entry.metadata
    try:
        metadata = parse(requests_to_providers.get_json(provider, url, "metadata"), provider, is_issuer)
    except ProviderUnavailable:
        if entry.metadata is not None and entry.metadata_at is not None and now - entry.metadata_at < LIFETIME + GRACE:
            return entry.metadata
        raise
    entry.metadata, entry.metadata_at = metadata, now
    return metadata


def read_keys(provider: Provider, metadata: Metadata) -> Sequence[dict[str, Any]]:
    """The public keys of a provider.

    Raises:
        ProviderUnavailable: they cannot be fetched.
        ProviderAnswerInvalid: they are unusable.
    """
    entry = get_cache(current_app).entry(provider)
    if entry.keys_at is not None and clock.now() - entry.keys_at < LIFETIME:
        return entry.keys
    return _fetch_keys(provider, metadata, entry)


def read_newer_keys(provider: Provider, metadata: Metadata) -> Sequence[dict[str, Any]] | None:
    """The public keys of a provider, fetched again; None if that was done within the last minute."""
    cache = get_cache(current_app)
    entry, now = cache.entry(provider), clock.now()
    with cache.lock:  # of several requests, one fetches
        if entry.keys_requested_at is not None and now - entry.keys_requested_at < MIN_TIME_BETWEEN_KEYS:
            return None
        entry.keys_requested_at = now
    return _fetch_keys(provider, metadata, entry)


def _fetch_keys(provider: Provider, metadata: Metadata, entry: _Entry) -> Sequence[dict[str, Any]]:
    entry.keys_requested_at = clock.now()
    content = requests_to_providers.get_json(provider, metadata.jwks_uri, "keys")
    keys = content.get("keys")
    if not isinstance(keys, list):
        raise ProviderAnswerInvalid("keys")
    entry.keys = [key for key in keys[:MAX_KEYS] if isinstance(key, dict)]
    entry.keys_at = clock.now()
    return entry.keys


def parse(content: dict[str, Any], provider: Provider, is_issuer: Callable[[str], bool]) -> Metadata:
    """Check metadata.

    Raises:
        ProviderAnswerInvalid: they are another issuer's, or unusable.
    """
    issuer = content.get("issuer")
    if not isinstance(issuer, str) or not is_issuer(issuer):
        raise ProviderAnswerInvalid("metadata of another issuer")
    may_be_http = provider.issuer.startswith("http://")
    endpoints = [content.get(name) for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")]
    userinfo = content.get("userinfo_endpoint")
    for endpoint in (*endpoints, *([] if userinfo is None else [userinfo])):
        if not _is_endpoint(endpoint, may_be_http=may_be_http):
            raise ProviderAnswerInvalid("metadata")
    authorization, token, keys = map(str, endpoints)
    sends_issuer = content.get("authorization_response_iss_parameter_supported") is True
    return Metadata(issuer, authorization, token, keys, userinfo, sends_issuer)


def _is_endpoint(url: object, *, may_be_http: bool) -> bool:
    """Whether a URL is https without a fragment (RFC 6749, section 3.1); http only on this machine, for tests."""
    if not isinstance(url, str) or len(url) > 1000 or not url.isascii() or not url.isprintable() or "#" in url:
        return False
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    is_http = parts.scheme == "http" and may_be_http and is_loopback(parts.hostname)
    return (parts.scheme == "https" or is_http) and bool(parts.hostname) and "@" not in parts.netloc
