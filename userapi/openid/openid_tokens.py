"""The tokens that clients get: ID tokens, access tokens, refresh tokens and logout tokens.

Each kind has its own `typ` in the header, so none can be used as another (RFC 8725, section 3.11). None is a token of
`/userapi/`: those have a `type` claim and other audiences.
"""

import base64
import hashlib
import time
import uuid
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

import jwt
from flask import current_app
from jwt.exceptions import PyJWTError

from userapi.auth.assurance import level_of
from userapi.auth.keys import get_ring

from .models import Client, TokenFamily

#: How long an ID token and a logout token are valid, in seconds: the client checks them when it gets them.
ID_TOKEN_LIFETIME, LOGOUT_TOKEN_LIFETIME = 300, 120

#: The member of `events` in a logout token (OpenID Connect Back-Channel Logout, section 2.4).
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"


class Algorithm(StrEnum):
    """How ID tokens are signed."""

    ES256 = "ES256"
    RS256 = "RS256"


class Kind(StrEnum):
    """The `typ` of each kind of token."""

    ID = "JWT"
    ACCESS = "at+jwt"
    REFRESH = "rt+jwt"
    LOGOUT = "logout+jwt"


class NotValid(Exception):
    """A token was not issued here, is of another kind, or has expired."""


def issuer() -> str:
    """The issuer identifier of the provider: the URL below which its discovery document is."""
    url: str = current_app.config["SITE_URL"]
    return url


def make_access_token(client: Client, family: TokenFamily, scopes: str) -> str:
    """An access token for userinfo and introspection, or for the resource of the family (RFC 9068)."""
    now = int(time.time())
    claims = {
        "sub": client.id if family.user_id is None else str(family.user_id),
        "aud": family.resource or issuer(),
        "client_id": client.id,
        "scope": scopes,
        "jti": str(uuid.uuid4()),
        "iat": now,
        "exp": access_token_ends_at(family),
        "fam": str(family.id),
        **({"sid": family.sid} if family.sid else {}),
    }
    return _sign(claims, Kind.ACCESS)


def access_token_ends_at(family: TokenFamily) -> int:
    """When an access token that is issued now expires, in seconds since 1970: with the family at the latest."""
    lifetime: int = current_app.config["OPENID_ACCESS_TOKEN_LIFETIME"]
    return min(int(time.time()) + lifetime, _seconds(family.expires_at))


def make_refresh_token(client_id: str, family: TokenFamily, expires_at: datetime) -> str:
    """The one valid refresh token of a family: the same claims however often it is issued."""
    claims = {
        "client_id": client_id,
        "fam": str(family.id),
        "jti": str(family.refresh_jti),
        "iat": _seconds(family.refreshed_at),
        "exp": _seconds(expires_at),
    }
    return _sign(claims, Kind.REFRESH)


def make_id_token(
    client: Client, family: TokenFamily, nonce: str | None, access_token: str, claims: Mapping[str, Any]
) -> str:
    """An ID token (OpenID Connect Core, section 2). It has no `nbf`, because clocks of clients differ.

    Args:
        client: for whom.
        family: whose sign-in.
        nonce: of the authorization request; None after a refresh.
        access_token: that is issued with it.
        claims: about the user, besides `sub`.
    """
    now, amr = int(time.time()), (family.amr or "").split()
    registered = {
        "sub": str(family.user_id),
        "aud": client.id,
        "azp": client.id,
        "iat": now,
        "exp": now + ID_TOKEN_LIFETIME,
        "auth_time": _seconds(family.auth_time or family.created_at),
        "amr": amr,
        "acr": level_of(family.amr or "").value,
        "sid": family.sid,
        "at_hash": _half_hash(access_token),
        **({"nonce": nonce} if nonce is not None else {}),
    }
    return _sign({**claims, **registered}, Kind.ID, Algorithm(client.id_token_alg))


def make_logout_token(client_id: str, subject: str, sid: str, algorithm: str) -> str:
    """A logout token, with an id of its own each time it is sent (Back-Channel Logout, section 2.4)."""
    now = int(time.time())
    claims = {
        "aud": client_id,
        "sub": subject,
        "sid": sid,
        "iat": now,
        "exp": now + LOGOUT_TOKEN_LIFETIME,
        "jti": str(uuid.uuid4()),
        "events": {LOGOUT_EVENT: {}},
    }
    return _sign(claims, Kind.LOGOUT, Algorithm(algorithm))


def verify(token: str, kind: Kind, *, allow_expired: bool = False) -> dict[str, Any]:
    """The claims of a token that was issued here.

    Args:
        token: as it was sent.
        kind: what it must be.
        allow_expired: for a hint, which identifies a session however old it is.

    Raises:
        NotValid: it is not such a token, or has expired.
    """
    try:
        header = jwt.get_unverified_header(token)
        algorithm = Algorithm(header.get("alg", ""))
        key = get_ring(is_rsa=algorithm is Algorithm.RS256).find(header.get("kid"))
        if key is None or header.get("typ") != kind.value:
            raise NotValid
        claims: dict[str, Any] = jwt.decode(
            token,
            key.public,
            algorithms=[algorithm.value],
            issuer=issuer(),
            options={"require": ["exp", "iat", "iss"], "verify_aud": False, "verify_exp": not allow_expired},
        )
    except (PyJWTError, ValueError) as error:
        raise NotValid from error
    if kind is Kind.ID and ("sid" not in claims or "type" in claims):  # our own tokens have the same `typ`
        raise NotValid
    return claims


def _sign(claims: Mapping[str, Any], kind: Kind, algorithm: Algorithm = Algorithm.ES256) -> str:
    key = get_ring(is_rsa=algorithm is Algorithm.RS256).newest()
    return jwt.encode(
        {"iss": issuer(), **claims}, key.private, algorithm=algorithm.value, headers={"typ": kind.value, "kid": key.kid}
    )


def compute_challenge(verifier: str) -> str:
    """The S256 challenge of a code verifier (RFC 7636, section 4.2)."""
    return encode(hashlib.sha256(verifier.encode()).digest())


def encode(value: bytes) -> str:
    """Bytes as base64url without padding (RFC 7515, section 2)."""
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _half_hash(token: str) -> str:
    """What binds an ID token to an access token (OpenID Connect Core, section 3.1.3.6)."""
    return encode(hashlib.sha256(token.encode()).digest()[:16])


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())
