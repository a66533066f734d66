"""Reading the parameters of authorization requests (OpenID Connect Core, section 3.1.2.1), one by one."""

import re
from collections.abc import Mapping
from typing import Any

from flask import current_app

from . import openid_tokens, scopes
from .client_checks import Grant
from .openid_tokens import Kind, NotValid
from .problems import OAuthError

#: The maximum length of each parameter that is stored.
MAX_LENGTH = 1000

#: The longest `max_age`, in seconds: what a longer one requires is always met.
MAX_AGE = 10**9

#: A code challenge: the digest of a verifier, base64url-encoded (RFC 7636, section 4.2).
CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)

PROMPTS = ("none", "login", "consent", "select_account")
RESPONSE_MODES = ("query", "form_post")
RESPONSE_TYPES = ("code",)
CHALLENGE_METHODS = ("S256",)

#: Parameters that are not supported, and the errors that say so (OpenID Connect Core, section 3.1.2.6).
NOT_SUPPORTED = {
    "request": "request_not_supported",
    "request_uri": "request_uri_not_supported",
    "registration": "registration_not_supported",
}

#: Parameters that are not stored: a hint is verified, and `claims` has no effect (OpenID Connect Core, section 5.5).
UNLIMITED = ("id_token_hint", "claims")


def check(parameters: Mapping[str, str]) -> None:
    """Check that a request has no parameters that are not supported or too long, and what it wants is a code.

    Raises:
        OAuthError: the first thing that is wrong.
    """
    for name, error in NOT_SUPPORTED.items():
        if name in parameters:
            raise OAuthError(error, f"The parameter {name} is not supported.")
    if too_long := [name for name, value in parameters.items() if len(value) > MAX_LENGTH and name not in UNLIMITED]:
        raise OAuthError("invalid_request", f"The parameter {too_long[0][:50]} is too long.")
    response_type = parameters.get("response_type")
    if response_type not in RESPONSE_TYPES:
        raise OAuthError(
            "invalid_request" if response_type is None else "unsupported_response_type", "response_type must be code."
        )
    if parameters.get("response_mode", "query") not in RESPONSE_MODES:
        raise OAuthError("invalid_request", "response_mode must be query or form_post.")


def read_prompts(text: str) -> tuple[str, ...]:
    """Some of `PROMPTS`.

    Raises:
        OAuthError: another one, or `none` with others.
    """
    prompts = scopes.split(text)
    if any(prompt not in PROMPTS for prompt in prompts) or ("none" in prompts and len(prompts) > 1):
        raise OAuthError("invalid_request", f"prompt must be some of {', '.join(PROMPTS)}, and none only alone.")
    return prompts


def read_scopes(client: Any, text: str) -> str:
    """The requested scopes that the client may request; others are left out (OpenID Connect Core, 3.1.2.1).

    Raises:
        OAuthError: `openid` is not among them.
    """
    allowed = scopes.split(client.scopes)
    found = [name for name in scopes.split(text) if name in allowed]
    if scopes.OPENID not in found:
        raise OAuthError("invalid_scope", "scope must contain openid, which the client must be registered for.")
    if Grant.REFRESH not in client.grants.split():
        found = [name for name in found if name != scopes.OFFLINE]
    return scopes.join(found)


def read_challenge(client: Any, parameters: Mapping[str, str]) -> str | None:
    challenge, method = parameters.get("code_challenge"), parameters.get("code_challenge_method")
    if challenge is None:
        if client.requires_pkce or method is not None:
            raise OAuthError("invalid_request", "code_challenge is missing (RFC 7636).")
        return None
    if method not in CHALLENGE_METHODS:
        raise OAuthError("invalid_request", "code_challenge_method must be S256.")
    if not CHALLENGE.fullmatch(challenge):
        raise OAuthError("invalid_request", "code_challenge must be 43 characters of base64url.")
    return challenge


def read_resource(client: Any, resource: str | None) -> str | None:
    if resource is not None and resource not in client.resources:
        raise OAuthError("invalid_target", "resource is not registered for the client.")
    return resource


def read_max_age(text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()) or len(text) > 20:
        raise OAuthError("invalid_request", "max_age must be a number of seconds.")
    return min(int(text), MAX_AGE)


def read_hint(client: Any, hint: str | None) -> int | None:
    """The user whom an ID token of this client names, however old it is."""
    if hint is None:
        return None
    try:
        claims = openid_tokens.verify(hint, Kind.ID, allow_expired=True)
    except NotValid as error:
        raise OAuthError("invalid_request", "id_token_hint is not an ID token of this provider.") from error
    if claims.get("aud") != client.id:
        raise OAuthError("invalid_request", "id_token_hint is for another client.")
    return int(claims["sub"])


def read_language(locales: str) -> str | None:
    offered: dict[str, str] = {name.lower(): name for name in current_app.config["LANGUAGES"]}
    for locale in locales.split():
        for candidate in (locale.lower(), locale.lower().partition("-")[0]):
            if candidate in offered:
                return offered[candidate]
    return None
