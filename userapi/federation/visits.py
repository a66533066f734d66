"""Visits to providers: begun here, bound to one browser, one provider and one purpose, and answered once.

Who began a visit must be who ends it: otherwise an attacker could let others finish a sign-in or link of the attacker.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from urllib.parse import urlencode, urlsplit

from userapi.core import clock
from userapi.core.db import db
from userapi.core.provider_settings import Provider
from userapi.security import signing_keys, throttling

from . import presets, providers, queries
from .assertions import clean_name
from .metadata import Metadata
from .models import Visit
from .presets.standard import Standard
from .problems import VisitExpired

#: How long a visit to a provider may take.
LIFETIME = timedelta(minutes=10)

#: The maximum length of a state, a ticket or a secret of a browser that is looked up.
MAX_LENGTH = 200


class Purpose(StrEnum):
    """What a visit is for."""

    SIGN_IN = "sign_in"
    LINK = "link"
    NONCE = "nonce"


@dataclass(frozen=True)
class Started:
    """A visit that has begun.

    Attributes:
        url: of the provider, where the browser goes.
        state: names the visit; only the browser and the provider learn it.
    """

    url: str
    state: str


def begin(
    provider: Provider,
    purpose: Purpose,
    *,
    browser_secret: str | None,
    next: str = "",
    return_to: str | None = None,
    client_challenge: str | None = None,
    client_state: str | None = None,
    user_id: int | None = None,
    session_version: int | None = None,
) -> Started:
    """Begin a visit to a provider.

    Args:
        provider: the provider.
        purpose: what the visit is for.
        browser_secret: a random cookie of the browser; None if an app begins it for a browser, which `adopt` binds.
        next: the page to show in the end.
        return_to: the URL of an app that the browser returns to; `providers.is_return_url` must have accepted it.
        client_challenge: the app's PKCE challenge (S256).
        client_state: what the app gets back.
        user_id: whose account an identity is to be linked to.
        session_version: that of the user.

    Raises:
        ProviderUnavailable: its metadata cannot be fetched.
        ProviderAnswerInvalid: its metadata are unusable.
        TooManyRequests: the client has begun too many.
    """
    throttling.count_attempt("PROVIDER_START", throttling.get_client_subject())
    state, preset = secrets.token_urlsafe(32), presets.load(provider)
    url = build_authorization_url(preset, preset.read_metadata(), state)
    now = clock.now()
    db.session.add(
        Visit(
            state_digest=digest(state),
            provider=provider.id,
            purpose=purpose.value,
            browser_digest=None if browser_secret is None else digest(browser_secret),
            next=next or None,
            return_to=return_to,
            client_challenge=client_challenge,
            client_state=client_state,
            user_id=user_id,
            session_version=session_version,
            created_at=now,
            expires_at=now + LIFETIME,
        )
    )
    db.session.flush()
    return Started(url, state)


def adopt(provider: Provider, state: str, browser_secret: str) -> Started:
    """Bind a visit that an app has begun to the first browser that comes with it.

    Raises:
        VisitExpired: it has expired, or another browser came first.
        ProviderUnavailable, ProviderAnswerInvalid: as for `begin`.
        TooManyRequests: the client has sent too many that were not valid.
    """
    with throttling.count_failures("PROVIDER_ANSWER", throttling.get_client_subject()):
        preset = presets.load(provider)
        url = build_authorization_url(preset, preset.read_metadata(), state)
        is_new = _is_lookup_safe(state, browser_secret)
        if not is_new or not queries.adopt_visit(digest(state), provider.id, digest(browser_secret), clock.now()):
            raise VisitExpired
    return Started(url, state)


def keep_name(provider: Provider, state: str, first_name: str, last_name: str) -> None:
    """Store the names that came with an answer, to fill in a form with; anyone may have written them. It commits."""
    first, last = clean_name(first_name), clean_name(last_name)
    if (first or last) and _is_lookup_safe(state):
        queries.keep_name(digest(state), provider.id, first, last, clock.now())


def spend(provider_id: str, state: str, browser_secret: str) -> Any:
    """Use up the state of a visit whose browser has come back. It commits; only one request can win.

    Returns:
        All columns of the visit.

    Raises:
        VisitExpired: there is none for this provider and browser, it was used, or it has expired.
        TooManyRequests: the client has sent too many that were not valid.
    """
    if not state or not browser_secret:  # the browser has no cookie: no one has guessed
        raise VisitExpired
    with throttling.count_failures("PROVIDER_ANSWER", throttling.get_client_subject()):
        visit = None
        if _is_lookup_safe(state, browser_secret):
            visit = queries.spend_visit(digest(state), provider_id, digest(browser_secret), clock.now())
        if visit is None:
            raise VisitExpired
        return visit


def store_nonce(provider: Provider, nonce: str, now: datetime) -> datetime:
    """Store a nonce that an app has requested; when it expires."""
    expires_at = now + LIFETIME
    db.session.add(
        Visit(
            state_digest=digest(nonce),
            provider=provider.id,
            purpose=Purpose.NONCE.value,
            created_at=now,
            expires_at=expires_at,
        )
    )
    db.session.flush()
    return expires_at


def nonce_of(state: str) -> str:
    """The nonce that the ID token must contain."""
    return _derive("provider-nonces", state)


def verifier_of(state: str) -> str:
    """The PKCE code verifier that the provider gets with the code (RFC 7636)."""
    return _derive("provider-code-verifiers", state)


def compute_challenge(verifier: str) -> str:
    """The S256 challenge of a code verifier (RFC 7636, section 4.2)."""
    return _encode(hashlib.sha256(verifier.encode("utf-8", "replace")).digest())


def digest(secret: str) -> str:
    """What is stored of a state, a ticket or a secret of a browser."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def build_authorization_url(preset: Standard, metadata: Metadata, state: str) -> str:
    """The URL of a provider that a browser is sent to."""
    provider = preset.provider
    parameters: Mapping[str, str] = {
        "response_type": "code",
        "client_id": provider.client_id,
        "redirect_uri": providers.callback_url(provider),
        "scope": " ".join(provider.scopes),
        "state": state,
        **({"nonce": nonce_of(state)} if preset.has_id_tokens else {}),
        "code_challenge": compute_challenge(verifier_of(state)),
        "code_challenge_method": "S256",
        **preset.authorization_parameters(),
    }
    endpoint = metadata.authorization_endpoint
    return f"{endpoint}{'&' if urlsplit(endpoint).query else '?'}{urlencode(parameters)}"


def _derive(purpose: str, state: str) -> str:
    """A secret of a visit. The database has only the digest of the state, so neither it nor this can be read there."""
    return _encode(hmac.digest(signing_keys.derive_key(purpose), state.encode("utf-8", "replace"), "sha256"))


def _encode(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _is_lookup_safe(*secrets_of_clients: str) -> bool:
    return all(len(secret) <= MAX_LENGTH for secret in secrets_of_clients)
