"""What a provider says when the browser has come back: the code is exchanged, and everything is checked.

No transaction may be open: requests to a provider can take seconds. `visits.spend` has committed before.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from userapi.audit import audit_log
from userapi.core import clock
from userapi.core.provider_settings import Provider
from userapi.observability import metrics
from userapi.security import throttling

from . import id_tokens, presets, providers, requests_to_providers, visits
from . import metadata as published
from .assertions import Assertion
from .id_tokens import Expected, InvalidIdToken, UnknownKey
from .metadata import Metadata
from .presets.standard import Standard
from .problems import ProviderAnswerInvalid, ProviderDeclined, ProviderUnavailable

log = logging.getLogger(__name__)

#: Errors of an authorization response that mean that the user did not want to, or could not, sign in there.
CANCELLED = frozenset(
    {"access_denied", "login_required", "consent_required", "interaction_required", "account_selection_required"}
    | {"user_cancelled_authorize", "user_cancelled_login"}
)

#: Errors of a token endpoint that may be logged as they came.
TOKEN_ERRORS = frozenset(
    {"invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type"}
    | {"invalid_scope", "bad_verification_code", "incorrect_client_credentials", "redirect_uri_mismatch"}
)

#: The maximum length of an authorization code.
MAX_CODE = 4096


def prove(provider: Provider, visit: Any, state: str, answer: Mapping[str, str]) -> Assertion:
    """Exchange the code of an answer, and verify what the provider says.

    Args:
        provider: the provider.
        visit: as `visits.spend` returned it.
        state: that of the visit.
        answer: the query string of the callback.

    Raises:
        ProviderDeclined: the user cancelled, or is of another domain.
        ProviderAnswerInvalid: a check fails.
        ProviderUnavailable: the provider does not answer.
        TooManyRequests: the client has sent too many that were not valid.
            After all but the last, an audit event was written, which the caller must commit.
    """
    with recorded_failures(provider):
        preset = presets.load(provider)
        metadata = preset.read_metadata()
        code = _read_code(preset, metadata, answer)
        tokens = _exchange_code(preset, metadata, code, visits.verifier_of(state))
        access_token = tokens.get("access_token")
        if access_token is not None and not isinstance(access_token, str):
            raise ProviderAnswerInvalid("token: access token")
        claims = _read_claims(preset, metadata, tokens, state)
        assertion = check_domain(provider, preset.to_assertion(claims))
    return replace(
        assertion,
        first_name=assertion.first_name or visit.first_name or "",
        last_name=assertion.last_name or visit.last_name or "",
    )


def check_domain(provider: Provider, assertion: Assertion) -> Assertion:
    """An assertion about a user of a domain that may sign in.

    Raises:
        ProviderDeclined: the provider vouches for no domain, or for another one.
    """
    if provider.domains and assertion.domain not in provider.domains:
        raise ProviderDeclined("domain")
    return assertion


@contextmanager
def recorded_failures(provider: Provider) -> Iterator[None]:
    """Record why an answer was not accepted, and count the failures of the client.

    A visit whose answer was accepted no longer counts: many users may share the IP address of an office.
    """
    try:
        with throttling.count_failures("PROVIDER_ANSWER", throttling.get_client_subject()):
            yield
        throttling.take_back("PROVIDER_START", throttling.get_client_subject())
    except ProviderDeclined as error:
        record_failure(provider, "declined", error.reason)
        raise
    except ProviderAnswerInvalid as error:
        record_failure(provider, "invalid", error.reason)
        raise
    except ProviderUnavailable:
        record_failure(provider, "unavailable", "unavailable")
        raise


def count(provider: Provider, outcome: str) -> None:
    """Count what the answer of a provider has led to."""
    metrics.get_current_metrics().provider_sign_ins.labels(provider.id, outcome).inc()


def record_failure(provider: Provider, outcome: str, reason: str, user_id: int | None = None) -> None:
    """Record that a sign-in with a provider failed, and why."""
    count(provider, outcome)
    log.warning("provider sign-in failed", extra={"provider": provider.id, "reason": reason})
    audit_log.record(
        "provider_sign_in.failed",
        None if user_id is None else "user",
        user_id,
        {"provider": (None, provider.id), "reason": (None, reason)},
        actor_id=None,
    )


def verify_id_token(preset: Standard, metadata: Metadata, token: object, expected: Expected) -> dict[str, Any]:
    """The claims of a valid ID token. If no key fits, the provider's keys are fetched again.

    Raises:
        ProviderAnswerInvalid: it is not valid.
        ProviderUnavailable: the keys cannot be fetched.
    """
    provider = preset.provider
    try:
        try:
            return id_tokens.verify(token, published.read_keys(provider, metadata), expected)
        except UnknownKey:
            newer: Sequence[dict[str, Any]] | None = published.read_newer_keys(provider, metadata)
            if newer is None:
                raise
            return id_tokens.verify(token, newer, expected)
    except InvalidIdToken as error:
        raise ProviderAnswerInvalid(f"ID token: {error.reason}") from error


def _read_code(preset: Standard, metadata: Metadata, answer: Mapping[str, str]) -> str:
    issuer = answer.get("iss")  # RFC 9207: another provider must not get the code of this one
    if issuer is None and metadata.sends_issuer:
        raise ProviderAnswerInvalid("no issuer")
    if issuer is not None and not preset.is_metadata_issuer(issuer):
        raise ProviderAnswerInvalid("another issuer")
    error = answer.get("error")
    if error is not None:
        if error in CANCELLED:
            raise ProviderDeclined("cancelled")
        raise ProviderAnswerInvalid("error")
    code = answer.get("code", "")
    if not 0 < len(code) <= MAX_CODE:
        raise ProviderAnswerInvalid("no code")
    return code


def _exchange_code(preset: Standard, metadata: Metadata, code: str, verifier: str) -> dict[str, Any]:
    fields = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": providers.callback_url(preset.provider),
        "code_verifier": verifier,
    }
    basic_auth = preset.authenticate(fields, metadata.token_endpoint)
    status, content = requests_to_providers.post_form(preset.provider, metadata.token_endpoint, fields, basic_auth)
    if "error" in content or status != 200:  # GitHub sends errors with the status 200
        error = content.get("error")
        known = error if isinstance(error, str) and error in TOKEN_ERRORS else f"status {status}"
        raise ProviderAnswerInvalid(f"token: {known}")
    return content


def _read_claims(preset: Standard, metadata: Metadata, tokens: Mapping[str, Any], state: str) -> dict[str, Any]:
    access_token = tokens.get("access_token")
    if not preset.has_id_tokens:
        if not access_token:
            raise ProviderAnswerInvalid("token: no access token")
        return preset.read_claims(access_token)
    claims = verify_id_token(
        preset,
        metadata,
        tokens.get("id_token"),
        Expected(
            is_issuer=preset.is_issuer,
            client_ids=(preset.provider.client_id,),
            nonces=(visits.nonce_of(state),),
            now=clock.now(),
            access_token=access_token,
        ),
    )
    if "email" not in claims and "email" in preset.provider.scopes and metadata.userinfo_endpoint and access_token:
        return claims | _read_userinfo(preset.provider, metadata.userinfo_endpoint, access_token, claims["sub"])
    return claims


def _read_userinfo(provider: Provider, url: str, access_token: str, subject: str) -> dict[str, Any]:
    """Email and names, where the ID token has no email; nothing if they are another user's (section 5.3.2)."""
    try:
        content = requests_to_providers.get_json(provider, url, "userinfo", access_token)
    except ProviderAnswerInvalid as error:
        log.warning("userinfo not used", extra={"provider": provider.id, "reason": error.reason})
        return {}
    if content.get("sub") != subject:
        log.warning("userinfo not used", extra={"provider": provider.id, "reason": "another subject"})
        return {}
    return {name: content[name] for name in ("email", "email_verified", "given_name", "family_name") if name in content}
