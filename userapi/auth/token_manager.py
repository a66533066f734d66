"""Flask-JWT-Extended's manager, which does not verify the same signature twice (decision 0038)."""

import hmac
import json
import threading
from functools import cached_property
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from flask_jwt_extended import JWTManager
from flask_jwt_extended.config import config
from flask_jwt_extended.exceptions import CSRFError

from userapi.core import clock, context
from userapi.security import signing_keys

from . import claims
from .claims import Claims
from .problems import InvalidToken

#: The service issues no longer tokens, so a longer text is not decoded.
MAX_TOKEN_LENGTH = 4096

#: How many verified tokens an application remembers.
MAX_REMEMBERED = 2048


class TokenManager(JWTManager):
    """Remembers the tokens that it verified or signed, until they expire.

    Only what never changes is remembered: that the signature is valid, and the claims. Every request still reads the
    session and the account from the database, and the signing key must still be in the folder.
    """

    def __init__(self) -> None:
        super().__init__()
        self._remembered: dict[str, tuple[str, Claims]] = {}
        self._lock = threading.Lock()

    @cached_property
    def _encoder(self) -> json.JSONEncoder:
        """The library's encoder of claims, which it would make for each token."""
        encoder: json.JSONEncoder = config.json_encoder(separators=(",", ":"))
        return encoder

    def remember(self, token: str, kid: str, found: Claims) -> None:
        """Remember a valid token and the id of its key; if there are too many, the oldest is forgotten."""
        with self._lock:
            while len(self._remembered) >= MAX_REMEMBERED:
                del self._remembered[next(iter(self._remembered))]
            self._remembered[token] = (kid, found)

    def sign(self, new: Claims) -> str:
        """A token with exactly these claims, signed with the newest key.

        The library's functions add claims, which are all given, and look up settings that are fixed.
        """
        key = signing_keys.get_key_ring().newest()
        token = key.sign(self._encoder.encode(new.document).encode())
        self.remember(token, key.kid, new)
        return token

    def recall(self, token: str) -> Claims | None:
        """The claims of a remembered token; None if it is unknown or expired, or its key is gone."""
        kid, found = self._remembered.get(token, ("", None))
        if (
            found is None
            or found.expires_at <= clock.now().timestamp()
            or signing_keys.get_key_ring().find(kid) is None
        ):
            return None
        return found

    def verify(self, token: str) -> Claims:
        """The claims of a token whose signature, times, issuer and audience are valid.

        Raises:
            InvalidToken: the token is too long.
            PyJWTError, JWTExtendedException, TokenExpired: as Flask-JWT-Extended and its loaders do.
        """
        if (found := self.recall(token)) is not None:
            return found
        if len(token) > MAX_TOKEN_LENGTH:
            raise InvalidToken
        signer = signing_keys.get_key_ring().find_signer(token)
        if signer is not None:
            verified = claims.parse(_decode(token, signer.public))
            self.remember(token, signer.kid, verified)
        else:  # from an earlier version, or not ours
            verified = claims.parse(super()._decode_jwt_from_config(token))
            self.remember(token, jwt.get_unverified_header(token)["kid"], verified)
        return verified

    def _decode_jwt_from_config(
        self, encoded_token: str, csrf_value: str | None = None, allow_expired: bool = False
    ) -> dict[str, Any]:
        """What `jwt_required`, `verify_jwt_in_request` and `decode_token` verify a token with.

        Raises:
            CSRFError: the CSRF value that came with a cookie is not that of its token.
        """
        if allow_expired:
            expired: dict[str, Any] = super()._decode_jwt_from_config(encoded_token, csrf_value, allow_expired=True)
            return expired
        verified = self.verify(encoded_token)
        if csrf_value and not hmac.compare_digest(verified.csrf.encode(), csrf_value.encode()):
            raise CSRFError("CSRF double submit tokens do not match")
        return verified.document


def _decode(token: str, key: EllipticCurvePublicKey) -> dict[str, Any]:
    """The claims of a token with a header of this service. The library's way decodes a token three times.

    Raises:
        PyJWTError, TokenExpired: it is not valid.
    """
    document: dict[str, Any] = jwt.decode(
        token,
        key,
        algorithms=config.decode_algorithms,
        audience=config.decode_audience,
        issuer=config.decode_issuer,
        leeway=config.leeway,
    )
    claims.require_valid(document)
    return document


def manager() -> TokenManager:
    """The manager of the current application."""
    found: TokenManager = context.current_application().extensions["userapi-tokens"]
    return found
