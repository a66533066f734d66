"""JSON Web Tokens: what is in them, who signed them, and when one is refused (RFC 7519, RFC 8725)."""

import hashlib
import hmac
import logging
import threading
import time
import uuid
from base64 import urlsafe_b64decode
from datetime import datetime, timedelta
from typing import Any

import orjson
from flask import Flask, Response, current_app
from flask_jwt_extended import create_access_token, create_refresh_token, decode_token
from flask_jwt_extended.exceptions import JWTExtendedException
from jwt import ExpiredSignatureError, InvalidTokenError, get_unverified_header
from jwt.exceptions import PyJWTError

from userapi.core import clock, context, problems
from userapi.core.extensions import jwt
from userapi.http import errors
from userapi.security import signing_keys, throttling

from . import queries, sessions
from .problems import InvalidToken, TokenExpired, TokenRevoked

log = logging.getLogger(__name__)

#: Longer texts are no tokens of ours, and not worth decoding.
MAXIMUM_LENGTH = 4096

TIMES = ("exp", "iat", "nbf")
TEXTS = ("iss", "aud", "sub", "sid", "jti")
KINDS = ("access", "refresh")

#: The last second that a date can name.
LAST_SECOND = 253_402_300_799


def configure(app: Flask) -> None:
    """Tell Flask-JWT-Extended our keys, claims, callers and refusals."""
    jwt.init_app(app)
    app.extensions["userapi-remembered-tokens"] = Remembered()
    jwt.user_identity_loader(str)
    jwt.encode_key_loader(lambda _identity: signing_keys.keys().newest().private)
    jwt.additional_headers_loader(lambda _identity: {"kid": signing_keys.keys().newest().kid})
    jwt.decode_key_loader(_verifying_key)
    jwt.user_lookup_loader(load_caller)
    jwt.unauthorized_loader(lambda _reason: errors.answer(problems.NotSignedIn()))
    jwt.invalid_token_loader(lambda _reason: errors.answer(InvalidToken()))
    jwt.expired_token_loader(lambda _header, _claims: errors.answer(TokenExpired()))
    jwt.revoked_token_loader(lambda _header, _claims: errors.answer(TokenRevoked()))
    jwt.user_lookup_error_loader(lambda _header, _claims: errors.answer(TokenRevoked()))
    app.register_error_handler(signing_keys.KeyProblem, _report_key_problem)


def _report_key_problem(problem: signing_keys.KeyProblem) -> Response:
    log.error("no usable signing key", extra={"error": str(problem)})
    return errors.answer(problems.Unavailable())


def _verifying_key(header: dict[str, Any], claims: dict[str, Any]) -> Any:
    """The key that a token names, if the token is built as ours are.

    Asked before the signature is checked, and before Flask-JWT-Extended fills in the claims that are missing.
    """
    key = signing_keys.keys().find(header.get("kid"))
    if key is None or not _is_built_as_ours(header, claims):
        raise InvalidTokenError("not a token of ours")
    if claims["exp"] <= time.time():  # PyJWT's clock, without the leeway: that is for tokens that begin
        raise TokenExpired
    return key.public


def _is_built_as_ours(header: dict[str, Any], claims: dict[str, Any]) -> bool:
    """Hold every claim to its exact type, which PyJWT takes more loosely."""
    return (
        not {"crit", "jwk", "jku", "x5u", "x5c"} & set(header)
        and all(type(claims.get(name)) is int and 0 <= claims[name] <= LAST_SECOND for name in TIMES)
        and all(isinstance(claims.get(name), str) for name in TEXTS)
        and claims.get("type") in KINDS
        and parse_uuid(claims["sid"]) is not None
        and parse_uuid(claims["jti"]) is not None
        and parse_id(claims["sub"]) is not None
    )


def load_caller(_header: dict[str, Any], claims: dict[str, Any]) -> Any:
    """The session, account and profile behind a token, or None unless the session is active.

    The caller's permissions come along where the request is about somebody else: `g.owner_id` is then set.
    """
    owner_id = context.current_g().get("owner_id")
    with_permissions = owner_id is not None and owner_id != int(claims["sub"])
    return queries.caller(*_asked_of(claims), with_permissions=with_permissions)


def _asked_of(claims: dict[str, Any]) -> tuple[uuid.UUID, int, datetime, datetime]:
    """The session and user that a token names, now, and since when a session idle is over."""
    now = clock.now()
    return uuid.UUID(claims["sid"]), int(claims["sub"]), now, sessions.idle_since(now)


class Remembered:
    """Tokens whose signature was checked or made here, until they expire: the newest two thousand.

    Only what never changes about a token is remembered. Its session and account are asked on every request, and its key
    must still be in the folder.
    """

    def __init__(self, most: int = 2048) -> None:
        self.most = most
        self._claims: dict[str, tuple[str, dict[str, Any]]] = {}
        self._lock = threading.Lock()

    def add(self, token: str, kid: str, claims: dict[str, Any]) -> None:
        """Remember a good token; the oldest makes room."""
        with self._lock:
            while len(self._claims) >= self.most:
                del self._claims[next(iter(self._claims))]
            self._claims[token] = (kid, claims)

    def find(self, token: str, kind: str, audiences: tuple[str, ...]) -> dict[str, Any] | None:
        """The claims of a remembered token, if it would still be good as one of this kind and audience."""
        kid, claims = self._claims.get(token, ("", {}))
        if not claims or claims["exp"] <= clock.now().timestamp() or signing_keys.keys().find(kid) is None:
            return None
        return claims if claims["type"] == kind and claims["aud"] in audiences else None


def remembered() -> Remembered:
    """The remembered tokens of the present application."""
    found: Remembered = current_app.extensions["userapi-remembered-tokens"]
    return found


def parse_uuid(text: object) -> uuid.UUID | None:
    """A UUID in its canonical spelling."""
    try:
        value = uuid.UUID(str(text))
    except ValueError:
        return None
    return value if str(value) == text else None


def parse_id(text: str) -> int | None:
    """A row id in its one spelling."""
    if not (text.isascii() and text.isdigit() and len(text) < 19 and not text.startswith("0")):
        return None
    return int(text)


def pair(session: sessions.Refreshed, *, web: bool = False) -> dict[str, Any]:
    """The access and refresh token of a session.

    Args:
        session: begun or refreshed.
        web: for cookies. Their audience is their own, so that they are no use as bearer tokens, and the access token
            lives as long as the session, which is asked on every request anyway: a page needs no refresh.

    Returns:
        `access_token, refresh_token, token_type, expires_in` (seconds).
    """
    audience = current_app.config["JWT_WEB_AUDIENCE" if web else "JWT_AUDIENCE"]
    common = {"sid": str(session.id), "aud": audience, "csrf": csrf_value(session.id)}
    lifetime = session.expires_at - clock.now()
    if not web:
        lifetime = min(lifetime, timedelta(seconds=current_app.config["ACCESS_TOKEN_LIFETIME"]))
    access = create_access_token(
        session.user_id, expires_delta=lifetime, additional_claims={**_extra_claims(session.user_id), **common}
    )
    refresh = create_refresh_token(session.user_id, additional_claims={**common, **_refresh_claims(session)})
    for token in (access, refresh):
        remembered().add(token, *_parts(token))
    return {
        "access_token": access,
        "refresh_token": refresh,
        "token_type": "Bearer",
        "expires_in": int(lifetime.total_seconds()),
    }


def _parts(token: str) -> tuple[str, dict[str, Any]]:
    """The key id and the claims in a token that we made."""
    header, claims, _signature = (urlsafe_b64decode(part + "==") for part in token.split("."))
    return orjson.loads(header)["kid"], orjson.loads(claims)


def csrf_value(session_id: uuid.UUID) -> str:
    """What a page sends along to prove that it is ours: the same all session long, in every tab."""
    return hmac.new(signing_keys.derived_key("csrf"), session_id.bytes, hashlib.sha256).hexdigest()[:32]


def _refresh_claims(session: sessions.Refreshed) -> dict[str, Any]:
    """The claims of a session's one refresh token: the same however often it is written out."""
    idle = timedelta(seconds=current_app.config["SESSION_IDLE_LIFETIME"])
    issued = session.refreshed_at
    return {
        "jti": str(session.refresh_jti),
        "iat": _seconds(issued),
        "nbf": _seconds(issued),
        "exp": _seconds(min(issued + idle, session.expires_at)),
    }


def _extra_claims(user_id: int) -> dict[str, Any]:
    """What the deployer wants other services to read. This service never trusts it."""
    wanted = current_app.config["ACCESS_TOKEN_CLAIMS"]
    if not wanted:
        return {}
    user = queries.user(user_id)
    return {name: [group.name for group in user.groups] if name == "groups" else getattr(user, name) for name in wanted}


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())


def read(token: str, kind: str, audiences: tuple[str, ...]) -> dict[str, Any]:
    """The claims of a token whose signature, times, issuer, audience and type are good; it is remembered.

    Args:
        token: as it came.
        kind: `access` or `refresh`.
        audiences: those it may be for.

    Raises:
        TokenExpired, InvalidToken: it is not.
    """
    if len(token) > MAXIMUM_LENGTH:
        raise InvalidToken
    if (known := remembered().find(token, kind, audiences)) is not None:
        return known
    try:
        claims: dict[str, Any] = decode_token(token)
    except ExpiredSignatureError as error:
        raise TokenExpired from error
    except (PyJWTError, JWTExtendedException, ValueError) as error:
        raise InvalidToken from error
    if claims["type"] != kind or claims["aud"] not in audiences:
        raise InvalidToken
    remembered().add(token, get_unverified_header(token)["kid"], claims)
    return claims


def verify(token: str) -> dict[str, Any]:
    """The claims of an access token that would be accepted now: session and account are asked too.

    Raises:
        TokenExpired, InvalidToken, TokenRevoked: it would not.
        TooManyRequests: the client has come with too many bad tokens.
    """
    with throttling.failures("TOKEN_VERIFY", throttling.client()):
        claims = read(token, "access", (current_app.config["JWT_AUDIENCE"],))
        if not queries.is_active(*_asked_of(claims)):
            raise TokenRevoked
        return claims


def key_set() -> dict[str, Any]:
    """The public keys as a JSON Web Key Set (RFC 7517, section 5)."""
    return {"keys": [key.jwk for key in signing_keys.keys().all()]}
