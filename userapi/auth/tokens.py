"""JSON Web Tokens: issuing, verifying and rejecting them (RFC 7519, RFC 8725)."""

import hmac
import logging
import time
import uuid
from datetime import datetime, timedelta
from typing import Any

from flask import Flask, Response, current_app
from flask_babel import gettext as _
from flask_jwt_extended.exceptions import CSRFError, JWTExtendedException
from jwt import ExpiredSignatureError, InvalidTokenError
from jwt.exceptions import PyJWTError

from userapi.core import clock, problems
from userapi.http import errors
from userapi.security import key_folder, signing_keys, throttling

from . import account_claims, api_key_format, caller, queries, sessions, set_up_sessions
from .api_key_caller import KeyCaller
from .assurance import level_of
from .caller import Caller
from .claims import ACCESS, REFRESH, AccessClaims, Claims, RefreshClaims, parse, require_valid
from .models import Session
from .problems import CsrfFailed, InvalidToken, TokenExpired, TokenRevoked
from .token_manager import TokenManager, manager

log = logging.getLogger(__name__)


#: The claims of an access token that say nothing about its user.
OF_TOKEN = ("type", "jti", "iat", "nbf", "exp")


def configure(app: Flask) -> None:
    """Give Flask-JWT-Extended our keys, claims, callers and errors."""
    jwt = TokenManager()
    jwt.init_app(app)
    app.extensions["userapi-tokens"] = jwt
    jwt.decode_key_loader(_verifying_key)
    jwt.user_lookup_loader(_look_up)
    jwt.unauthorized_loader(lambda _reason: errors.problem_response(problems.NotSignedIn()))
    jwt.invalid_token_loader(lambda _reason: errors.problem_response(InvalidToken()))
    jwt.expired_token_loader(lambda _header, _claims: errors.problem_response(TokenExpired()))
    jwt.revoked_token_loader(lambda _header, _claims: errors.problem_response(TokenRevoked()))
    jwt.user_lookup_error_loader(lambda _header, _claims: errors.problem_response(TokenRevoked()))
    app.register_error_handler(CSRFError, lambda _error: errors.problem_response(CsrfFailed()))
    app.register_error_handler(key_folder.KeyFolderError, _report_key_problem)


def _report_key_problem(problem: key_folder.KeyFolderError) -> Response:
    log.error("a key folder is unusable", extra={"error": str(problem)})
    return errors.problem_response(problems.Unavailable())


def _verifying_key(header: dict[str, Any], document: dict[str, Any]) -> Any:
    """The public key of a token's `kid`. Rejects a token with other headers or claims than ours.

    Called before the signature is checked, and before Flask-JWT-Extended fills in missing claims.
    """
    key = signing_keys.get_key_ring().find(header.get("kid"))
    if key is None or {"crit", "jwk", "jku", "x5u", "x5c"} & set(header):
        raise InvalidTokenError("not issued by this service")
    require_valid(document)
    return key.public


def _look_up(_header: dict[str, Any], document: dict[str, Any]) -> Caller | KeyCaller | RefreshClaims | None:
    """What a verified token gives: the caller for an access token, the claims for a refresh token."""
    claims = parse(document)
    return claims if isinstance(claims, RefreshClaims) else caller.load_caller(claims)


def issue_pair(session: sessions.Refreshed, *, web: bool = False) -> dict[str, Any]:
    """Issue an access token and a refresh token for a session.

    Args:
        session: as it was begun or refreshed.
        web: for cookies. They have their own audience, so that they cannot be used as bearer tokens. The access token
            is valid as long as the session, which every request reads anyway, so pages never need to refresh.

    The access tokens of a session that only allows to set up a second factor have other audiences again, so that no
    other service accepts them.

    Returns:
        `access_token, refresh_token, token_type, expires_in` (seconds).
    """
    config = current_app.config
    lifetime = session.expires_at - clock.now()
    if not web:
        lifetime = min(lifetime, timedelta(seconds=config["ACCESS_TOKEN_LIFETIME"]))
    common = {
        "sub": str(session.user_id),
        "sid": str(session.id),
        "iss": config["JWT_ISSUER"],
        "aud": config["JWT_WEB_AUDIENCE" if web else "JWT_AUDIENCE"],
        "csrf": csrf_value(session.id),
        "fresh": False,
    }
    access = {**account_claims.read_claims(session), **common, **_access_claims(session, lifetime)}
    if session.for_set_up:
        access["aud"] = config["JWT_WEB_SET_UP_AUDIENCE" if web else "JWT_SET_UP_AUDIENCE"]
    refresh = {**common, **_refresh_claims(session)}
    return {
        "access_token": manager().sign(AccessClaims.parse(access)),
        "refresh_token": manager().sign(RefreshClaims.parse(refresh)),
        "token_type": "Bearer",
        "expires_in": int(lifetime.total_seconds()),
    }


def issue_for_key(session: sessions.Refreshed, key_id: uuid.UUID, scopes: str) -> dict[str, Any]:
    """Issue an access token for the session of an API key (RFC 9068, section 2.2.3).

    It says nothing about proofs of identity, because no user gave one, and grants no permissions to other services.

    Args:
        session: of the key.
        key_id: the key, which becomes the claim `client_id`.
        scopes: separated by spaces, which become the claim `scope`.

    Returns:
        `access_token, token_type, expires_in` (seconds), `scope` and `client_id`.
    """
    config = current_app.config
    lifetime = min(session.expires_at - clock.now(), timedelta(seconds=config["ACCESS_TOKEN_LIFETIME"]))
    of_session, of_key = _access_claims(session, lifetime), {"client_id": str(key_id), "scope": scopes}
    access = {
        **account_claims.without_permissions(account_claims.read_claims(session)),
        "sub": str(session.user_id),
        "sid": str(session.id),
        "iss": config["JWT_ISSUER"],
        "aud": config["JWT_AUDIENCE"],
        "csrf": csrf_value(session.id),
        "fresh": False,
        **{name: of_session[name] for name in OF_TOKEN},
        **of_key,
    }
    token = manager().sign(AccessClaims.parse(access))
    seconds = int(lifetime.total_seconds())
    return {"access_token": token, "token_type": "Bearer", "expires_in": seconds, **of_key}


def issue_for_impersonation(session: Session) -> str:
    """Issue the access token of an impersonation, which is accepted in cookies of this service only.

    It names the member of staff as the actor (RFC 8693, section 4.1) and no proof of identity, because the user gave
    none. There is no refresh token.
    """
    of_session = _access_claims(session, session.expires_at - clock.now())
    access = {
        **{name: of_session[name] for name in OF_TOKEN},
        "sub": str(session.user_id),
        "sid": str(session.id),
        "iss": current_app.config["JWT_ISSUER"],
        "aud": current_app.config["JWT_IMPERSONATION_AUDIENCE"],
        "csrf": csrf_value(session.id),
        "fresh": False,
        "act": {"sub": str(session.impersonator_id)},
    }
    return manager().sign(AccessClaims.parse(access))


def csrf_value(session_id: uuid.UUID) -> str:
    """The CSRF value of a session, the same in every tab."""
    return hmac.digest(signing_keys.derive_key("csrf"), session_id.bytes, "sha256").hex()[:32]


def _access_claims(session: sessions.Refreshed, lifetime: timedelta) -> dict[str, Any]:
    issued = time.time()
    return {
        "type": ACCESS,
        "jti": str(uuid.uuid4()),
        "iat": int(issued),
        "nbf": int(issued),
        "exp": int(issued + lifetime.total_seconds()),
        "acr": level_of(session.amr).value,
        "amr": session.amr.split(),
        "auth_time": _seconds(session.proved_at),
    }


def _refresh_claims(session: sessions.Refreshed) -> dict[str, Any]:
    """The claims of a session's one valid refresh token: the same however often it is issued."""
    issued = session.refreshed_at
    return {
        "type": REFRESH,
        "jti": str(session.refresh_jti),
        "iat": _seconds(issued),
        "nbf": _seconds(issued),
        "exp": _seconds(min(sessions.idle_from(issued), session.expires_at)),
    }


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())


def recall_bearer(token: str) -> AccessClaims | None:
    """The claims of a bearer token that was verified before and is still valid; None if it must be verified."""
    claims = manager().recall(token)
    return claims if isinstance(claims, AccessClaims) and not claims.is_for_web else None


def verify(token: str, *, web: bool = False) -> Claims:
    """The claims of a token whose signature, times, issuer and audience are valid.

    Args:
        token: as it was sent.
        web: whether it was sent in a cookie.

    Raises:
        TokenExpired, InvalidToken: the token is expired, or invalid for another reason.
    """
    try:
        claims = manager().verify(token)
    except ExpiredSignatureError as error:
        raise TokenExpired from error
    except (PyJWTError, JWTExtendedException, ValueError) as error:
        raise InvalidToken from error
    if claims.is_for_web != web:
        raise InvalidToken
    return claims


def verify_access(token: str, *, web: bool = False) -> AccessClaims:
    """Like `verify`, for access tokens only.

    Raises:
        TokenExpired, InvalidToken: it is not valid, or is a refresh token.
    """
    claims = verify(token, web=web)
    if not isinstance(claims, AccessClaims):
        raise InvalidToken
    return claims


def verify_active(token: str) -> AccessClaims:
    """The claims of an access token that would be accepted now: session and account are active too.

    Raises:
        TokenExpired, InvalidToken, TokenRevoked: the token would not be accepted.
        SecondStepRequired: it would be accepted only to set up a second factor.
        TooManyRequests: the client sent too many invalid tokens.
    """
    with throttling.count_failures("TOKEN_VERIFY", throttling.get_client_subject()):
        if api_key_format.looks_like_key(token):
            raise InvalidToken(
                _("This is an API key. Exchange it for an access token at /api-token-auth/, and check that instead.")
            )
        claims, now = verify_access(token), clock.now()
        holder = queries.read_holder(claims.session_id, claims.user_id, now, sessions.idle_since(now))
        if holder is None:
            raise TokenRevoked
    proved = claims if claims.key_id is None else None
    set_up_sessions.require_full(set_up_sessions.is_for_set_up(holder, proved))
    return claims


def key_set() -> dict[str, Any]:
    """The public keys as a JSON Web Key Set (RFC 7517, section 5); RSA keys only sign ID tokens of some clients."""
    elliptic, of_clients = signing_keys.get_key_ring().all(), signing_keys.get_rsa_key_ring().all()
    return {"keys": [*(key.jwk for key in elliptic), *(key.jwk for key in of_clients)]}
