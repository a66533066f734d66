"""The token endpoint: what a client gets for a code, a refresh token, a device code or itself."""

import hmac
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from userapi.core import clock
from userapi.core.db import db

from . import (
    authorization_queries,
    authorization_requests,
    client_secrets,
    devices,
    families,
    family_queries,
    openid_tokens,
    scopes,
)
from .authorization_requests import AuthorizationRequest
from .client_checks import Grant
from .client_secrets import Use
from .models import TokenFamily
from .problems import OAuthError

Form = Mapping[str, str]


def exchange(client: Any, form: Form) -> dict[str, Any]:
    """Give a client the tokens that it requests.

    Args:
        client: its row; it is authenticated.
        form: the parameters.

    Raises:
        OAuthError: the client gets none. What was written must be committed: a used code, the end of a family.
        TooManyRequests: a family was refreshed too often.
    """
    grant = form.get("grant_type", "")
    if grant not in GRANTS:
        error = "unsupported_grant_type" if grant else "invalid_request"
        raise OAuthError(error, f"grant_type must be one of {', '.join(GRANTS)}.")
    if grant not in client.grants.split():
        raise OAuthError("unauthorized_client", "The client is not registered for this grant type.")
    return GRANTS[Grant(grant)](client, form)


def _exchange_code(client: Any, form: Form) -> dict[str, Any]:
    code, now = form.get("code", ""), clock.now()
    if not code or len(code) > client_secrets.MAX_LENGTH:
        raise OAuthError("invalid_request" if not code else "invalid_grant", "code is missing or not valid.")
    digest, family_id = client_secrets.digest(Use.CODE, code), uuid.uuid4()
    found = authorization_queries.spend_code(digest, client.id, family_id, now)
    if found is None:
        if (used_for := authorization_queries.find_family_of_code(digest, client.id)) is not None:
            families.end_of_code(client, used_for)
        raise OAuthError("invalid_grant", "The code is not valid, has expired or was used.")
    request = AuthorizationRequest.from_json(found.request)
    is_registered = authorization_requests.is_registered(client, request.redirect_uri)
    if form.get("redirect_uri") != request.redirect_uri or not is_registered:
        raise OAuthError("invalid_grant", "redirect_uri differs from that of the authorization request.")
    _check_verifier(request.code_challenge, form.get("code_verifier"))
    family = families.begin(
        client,
        family_id,
        found.session_id,
        found.user_id,
        version=found.session_version,
        granted=found.scopes,
        resource=request.resource,
    )
    _check_resource(form, family)
    return _respond(client, family, _narrow(form, family), nonce=request.nonce)


def _check_verifier(challenge: str | None, verifier: str | None) -> None:
    """Check that the client that exchanges a code is the one that began (RFC 7636, section 4.6)."""
    if challenge is None:
        if verifier is not None:
            raise OAuthError("invalid_grant", "There was no code_challenge.")
        return
    is_well_formed = verifier is not None and 43 <= len(verifier) <= 128 and verifier.isascii()
    expected = openid_tokens.compute_challenge(verifier) if verifier is not None and is_well_formed else ""
    if not hmac.compare_digest(expected, challenge):
        raise OAuthError("invalid_grant", "code_verifier does not belong to the code_challenge.")


def _exchange_refresh_token(client: Any, form: Form) -> dict[str, Any]:
    token = form.get("refresh_token", "")
    if not token:
        raise OAuthError("invalid_request", "refresh_token is missing.")
    family = families.refresh(client, token)
    _check_resource(form, family)
    return _respond(client, family, _narrow(form, family))


def _exchange_device_code(client: Any, form: Form) -> dict[str, Any]:
    device_code = form.get("device_code", "")
    if not device_code:
        raise OAuthError("invalid_request", "device_code is missing.")
    family = devices.exchange(client, device_code)
    return _respond(client, family, family.scopes)


def _issue_to_machine(client: Any, form: Form) -> dict[str, Any]:
    registered = [name for name in scopes.split(client.scopes) if name not in scopes.TEXTS]
    wanted = scopes.split(form.get("scope", "")) or tuple(registered)
    if any(name not in registered for name in wanted):
        raise OAuthError("invalid_scope", "The client is not registered for this scope.")
    resource = form.get("resource")
    if resource is not None and resource not in client.resources:
        raise OAuthError("invalid_target", "resource is not registered for the client.")
    family = families.begin_of_machine(client, scopes.join(wanted), resource)
    return _respond(client, family, family.scopes)


def _check_resource(form: Form, family: Any) -> None:
    """Accept the audience of the authorization request only, which may be named again (RFC 8707, section 2.2)."""
    if form.get("resource", family.resource) != family.resource:
        raise OAuthError("invalid_target", "resource differs from that of the authorization request.")


def _narrow(form: Form, family: Any) -> str:
    """The scopes of the access token: those that were granted, or fewer for this one token."""
    wanted, granted = scopes.split(form.get("scope", "")), scopes.split(family.scopes)
    if any(name not in granted for name in wanted):
        raise OAuthError("invalid_scope", "scope exceeds what was granted.")
    return scopes.join(wanted or granted)


def _respond(client: Any, family: Any, granted: str, nonce: str | None = None) -> dict[str, Any]:
    """The tokens of a family as they are now (RFC 6749, section 5.1; OpenID Connect Core, 3.1.3.3)."""
    access_token = openid_tokens.make_access_token(client, family, granted)
    document = {
        "access_token": access_token,
        "token_type": "Bearer",
        "expires_in": openid_tokens.access_token_ends_at(family) - int(time.time()),
        "scope": granted,
    }
    if family.refresh_jti is not None:
        expires_at = families.refresh_expires_at(family)
        document["refresh_token"] = openid_tokens.make_refresh_token(client.id, family, expires_at)
    if family.user_id is not None and scopes.OPENID in granted.split():
        claims = _read_claims(client, family, granted)
        document["id_token"] = openid_tokens.make_id_token(client, family, nonce, access_token, claims)
    return document


def _read_claims(client: Any, family: TokenFamily, granted: str) -> dict[str, Any]:
    if not client.claims_in_id_token or family.user_id is None:
        return {}
    user = family_queries.read_user(family.user_id)
    return {} if user is None else scopes.make_claims(user, scopes.split(granted))


GRANTS: Mapping[Grant, Callable[[Any, Form], dict[str, Any]]] = {
    Grant.CODE: _exchange_code,
    Grant.REFRESH: _exchange_refresh_token,
    Grant.DEVICE: _exchange_device_code,
    Grant.MACHINE: _issue_to_machine,
}

#: Errors that leave something behind: a used code, a family that has ended, or when a device polled.
COMMITTED = ("invalid_grant", "authorization_pending", "slow_down", "access_denied", "expired_token")


def commit_after(error: OAuthError) -> None:
    """Commit what an error leaves behind, or undo what was written for tokens that no one gets."""
    if error.error in COMMITTED:
        db.session.commit()
    else:
        db.session.rollback()
