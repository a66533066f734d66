"""Verification of ID tokens (OpenID Connect Core 1.0, section 3.1.3.7), as a pure function of what came.

The signature is checked by the library joserfc with our own list of algorithms. What the metadata of a provider lists
is not consulted: a provider that lists `none` would switch the check off.
"""

import base64
import hashlib
import hmac
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from .models import MAX_SUBJECT

#: The hash that belongs to each algorithm that is accepted (RFC 7518, section 3.1; for `at_hash`).
ALGORITHMS = {"RS256": "sha256", "PS256": "sha256", "ES256": "sha256", "EdDSA": "sha512", "Ed25519": "sha512"}

#: How far the clock of a provider may differ from ours, in seconds.
MAX_CLOCK_SKEW = 60

#: The maximum age of a token when it arrives, in seconds.
MAX_AGE = 600

#: The maximum length of a token.
MAX_LENGTH = 16_000

#: Header parameters with which a token would bring or name its own key, or ask for extensions.
FORBIDDEN_HEADERS = frozenset({"jku", "jwk", "x5u", "x5c", "crit", "b64"})


class InvalidIdToken(Exception):
    """The token fails a check.

    Args:
        reason: which, for the log.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class UnknownKey(InvalidIdToken):
    """No key of the provider has the key id of the token; the provider may have a new one."""


@dataclass(frozen=True)
class Expected:
    """What a token must contain.

    Attributes:
        is_issuer: whether the claims name the issuer that the token must come from.
        client_ids: one of them must be the audience.
        nonces: one of them must be the nonce.
        now: the current time.
        access_token: that came with the token, if any.
    """

    is_issuer: Callable[[Mapping[str, Any]], bool]
    client_ids: Collection[str]
    nonces: Collection[str]
    now: datetime
    access_token: str | None = None


def verify(token: object, keys: Sequence[Mapping[str, Any]], expected: Expected) -> dict[str, Any]:
    """The claims of a valid token.

    Args:
        token: as it came.
        keys: the provider's JSON Web Keys.
        expected: what it must contain.

    Raises:
        UnknownKey: none of the keys has its key id.
        InvalidIdToken: it fails a check.
    """
    if not isinstance(token, str) or not token:
        raise InvalidIdToken("no ID token")
    if len(token) > MAX_LENGTH or not token.isascii():
        raise InvalidIdToken("ID token malformed")
    header = _read_header(token)
    claims = _verify_signature(token, _choose_key(header, keys), header["alg"])
    _check_origin(claims, expected)
    _check_times(claims, expected.now.timestamp())
    nonce = claims.get("nonce")
    if not isinstance(nonce, str) or not any(
        hmac.compare_digest(nonce.encode(), one.encode()) for one in expected.nonces
    ):
        raise InvalidIdToken("nonce")
    if "at_hash" in claims and expected.access_token is not None:
        _check_access_token(claims["at_hash"], expected.access_token, header["alg"])
    return claims


def _read_header(token: str) -> dict[str, Any]:
    first, _dot, rest = token.partition(".")
    if rest.count(".") != 1:
        raise InvalidIdToken("ID token malformed")
    try:
        header = orjson.loads(base64.urlsafe_b64decode(first + "=" * (-len(first) % 4)))
    except ValueError:
        raise InvalidIdToken("ID token malformed") from None
    if not isinstance(header, dict):
        raise InvalidIdToken("ID token malformed")
    if header.get("alg") not in ALGORITHMS or not isinstance(header["alg"], str):
        raise InvalidIdToken("algorithm")
    if FORBIDDEN_HEADERS & header.keys():
        raise InvalidIdToken("header names a key")
    return header


def _choose_key(header: Mapping[str, Any], keys: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The key with the token's key id; without one, the only key."""
    signing = [key for key in keys if key.get("use", "sig") == "sig" and key.get("alg", header["alg"]) == header["alg"]]
    if "kid" in header:
        signing = [key for key in signing if key.get("kid") == header["kid"]]
    if len(signing) != 1:
        raise UnknownKey("unknown key")
    return signing[0]


def _verify_signature(token: str, key: Mapping[str, Any], algorithm: str) -> dict[str, Any]:
    from . import signatures  # which loads a library that only providers need

    try:
        claims = orjson.loads(signatures.verify(token, key, algorithm))
    except (signatures.InvalidSignature, ValueError) as error:
        raise InvalidIdToken("signature") from error
    if not isinstance(claims, dict):
        raise InvalidIdToken("ID token malformed")
    return claims


def _check_origin(claims: Mapping[str, Any], expected: Expected) -> None:
    if not isinstance(claims.get("iss"), str) or not expected.is_issuer(claims):
        raise InvalidIdToken("issuer")
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= MAX_SUBJECT or not subject.isprintable():
        raise InvalidIdToken("subject")
    audience, authorized = claims.get("aud"), claims.get("azp")
    audiences = audience if isinstance(audience, list) else [audience]
    if not all(isinstance(each, str) for each in audiences) or not set(audiences) & set(expected.client_ids):
        raise InvalidIdToken("audience")
    if (len(audiences) > 1 and authorized is None) or (
        authorized is not None and authorized not in expected.client_ids
    ):
        raise InvalidIdToken("authorized party")


def _check_times(claims: Mapping[str, Any], now: float) -> None:
    expires, issued, not_before = map(_to_moment, (claims.get("exp"), claims.get("iat"), claims.get("nbf", 0)))
    if expires < now - MAX_CLOCK_SKEW:
        raise InvalidIdToken("expired")
    if not now - MAX_AGE - MAX_CLOCK_SKEW < issued < now + MAX_CLOCK_SKEW or not_before > now + MAX_CLOCK_SKEW:
        raise InvalidIdToken("issued at another time")


def _to_moment(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InvalidIdToken("times")
    return value


def _check_access_token(at_hash: object, access_token: str, algorithm: str) -> None:
    """Check that the token was issued together with the access token (section 3.1.3.6)."""
    digest = hashlib.new(ALGORITHMS[algorithm], access_token.encode()).digest()
    half = base64.urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=").decode()
    if not isinstance(at_hash, str) or not hmac.compare_digest(half.encode(), at_hash.encode()):
        raise InvalidIdToken("access token")
