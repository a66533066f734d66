"""ID tokens that apps get from a provider by themselves, as with the SDKs of Apple and Google.

The issuer comes from the settings, never from the token: a token that names another one is not looked at any further.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from userapi.core import clock
from userapi.core.provider_settings import Provider
from userapi.security import throttling

from . import exchange, presets, queries, visits
from .assertions import Assertion, clean_name
from .id_tokens import Expected
from .problems import ProviderAnswerInvalid, UnknownProvider


@dataclass(frozen=True)
class Nonce:
    """A nonce for one ID token."""

    nonce: str
    expires_at: datetime


def issue_nonce(provider: Provider) -> Nonce:
    """Issue a nonce, which an app passes to the provider's SDK, as it is or as its SHA-256 in hexadecimal.

    Raises:
        UnknownProvider: the provider accepts no ID tokens of apps.
        TooManyRequests: the client has requested too many.
    """
    _require_apps(provider)
    throttling.count_attempt("PROVIDER_START", throttling.get_client_subject())
    nonce = secrets.token_urlsafe(32)
    return Nonce(nonce, visits.store_nonce(provider, nonce, clock.now()))


def prove_id_token(
    provider: Provider,
    id_token: str,
    nonce: str,
    access_token: str | None = None,
    first_name: str = "",
    last_name: str = "",
) -> tuple[Any, Assertion]:
    """Verify the ID token that an app has got. The nonce is used up first, which commits; no transaction may be open.

    Args:
        provider: the provider.
        id_token: as it came from the SDK.
        nonce: from `issue_nonce`.
        access_token: that came with the token, if its hash is to be checked.
        first_name, last_name: to fill in a form with.

    Returns:
        All columns of the visit, for `tickets.issue`, and what the provider says.

    Raises:
        UnknownProvider: the provider accepts no ID tokens of apps.
        ProviderAnswerInvalid, ProviderDeclined, ProviderUnavailable: as for `exchange.prove`.
        TooManyRequests: the client has sent too many that were not valid.
    """
    _require_apps(provider)
    with exchange.recorded_failures(provider):
        is_short = len(nonce) <= visits.MAX_LENGTH
        visit = queries.spend_nonce(visits.digest(nonce), provider.id, clock.now()) if is_short else None
        if visit is None:
            raise ProviderAnswerInvalid("nonce not issued")
        preset = presets.load(provider)
        claims = exchange.verify_id_token(
            preset,
            preset.read_metadata(),
            id_token,
            Expected(
                is_issuer=preset.is_issuer,
                client_ids=provider.native_client_ids,
                nonces=(nonce, hashlib.sha256(nonce.encode()).hexdigest()),
                now=clock.now(),
                access_token=access_token,
            ),
        )
        assertion = exchange.check_domain(provider, preset.to_assertion(claims))
    return visit, Assertion(
        assertion.issuer,
        assertion.subject,
        assertion.email,
        assertion.email_trusted,
        assertion.domain,
        assertion.first_name or clean_name(first_name),
        assertion.last_name or clean_name(last_name),
    )


def _require_apps(provider: Provider) -> None:
    if not provider.native_client_ids:
        raise UnknownProvider
