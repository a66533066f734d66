"""Verifying access tokens without a request to the account service."""

import logging
import re
import time
from collections.abc import Callable, Iterable
from typing import Any

import jwt

from .claims import LEVELS, Claims, parse
from .ended_sessions import EndedSessions
from .errors import (
    InsufficientProof,
    InsufficientScope,
    InvalidToken,
    KeysUnavailable,
    NotSignedIn,
    TokenExpired,
    TokenRevoked,
)
from .key_set import ALGORITHM, KeySet

log = logging.getLogger(__name__)

#: Seconds that the clocks of two machines may differ.
LEEWAY = 60

#: The maximum length of a token.
MAX_LENGTH = 16_384

#: What a token looks like; PyJWT also accepts other spellings of the same token.
FORM = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")

#: Headers of a token that point to another key or change what the signature means.
FORBIDDEN_HEADERS = frozenset({"crit", "jwk", "jku", "x5u", "x5c", "b64"})

#: How PyJWT checks the claims; `exp` is checked below, because it gets no leeway.
OPTIONS: Any = {"require": ["iss", "aud", "sub", "sid", "jti", "iat", "nbf", "exp"], "verify_exp": False}


class Verifier:
    """Verifies access tokens of one account service. Create one for each process; threads can share it.

    Args:
        issuer: exactly the `JWT_ISSUER` of the account service, or its `SITE_URL` if that is not set.
        audience: its `JWT_AUDIENCE`.
        ended: the sessions that have ended, if webhooks or the event feed say which.
        keys: where the public keys are, if not at `/.well-known/jwks.json` of the issuer.
        clock: the time in seconds since 1970.
    """

    def __init__(
        self,
        issuer: str,
        audience: str = "userapi",
        *,
        ended: EndedSessions | None = None,
        keys: KeySet | str | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.issuer, self.audience, self.ended = issuer, audience, ended
        url = keys if isinstance(keys, str) else f"{issuer.rstrip('/')}/.well-known/jwks.json"
        self.keys = keys if isinstance(keys, KeySet) else KeySet(url)
        self._clock = clock

    def verify(self, token: str) -> Claims:
        """The claims of a valid access token.

        Raises:
            InvalidToken: the account service did not issue it, or not for this service.
            TokenExpired: it has expired.
            TokenRevoked: its session has ended.
            KeysUnavailable: the account service does not respond, and no key is known.
        """
        if not isinstance(token, str) or len(token) > MAX_LENGTH or not FORM.fullmatch(token):
            raise InvalidToken("not a token")
        try:
            key = self._find_key(token)
            document = jwt.decode(
                token, key, algorithms=[ALGORITHM], issuer=self.issuer, audience=self.audience,
                leeway=LEEWAY, options=OPTIONS,
            )  # fmt: skip
        except (jwt.PyJWTError, ValueError, RecursionError) as error:
            raise InvalidToken(str(error)) from error
        if document["aud"] != self.audience:  # PyJWT also accepts a list that contains it
            raise InvalidToken("aud is not one audience")
        claims = parse(document)
        if claims.expires_at <= self._clock():
            raise TokenExpired
        if self.ended is not None and self.ended.is_ended(claims):
            raise TokenRevoked
        return claims

    def verify_header(self, values: Iterable[str]) -> Claims | None:
        """The claims of a request; None if it has no token.

        Args:
            values: of its `Authorization` headers. Other schemes than Bearer are not looked at.

        Raises:
            Rejected: as `verify` does; also if there are several headers.
        """
        given = list(values)
        if not given:
            return None
        if len(given) > 1:
            raise InvalidToken("more than one Authorization header")
        scheme, _, token = given[0].partition(" ")
        if scheme.lower() != "bearer":
            return None
        try:
            return self.verify(token.strip(" "))
        except InvalidToken as error:
            log.info("a token was rejected", extra={"code": error.code, "reason": str(error)})
            raise

    def require(
        self, claims: Claims | None, scopes: Iterable[str] = (), level: str = LEVELS[0], max_age: int | None = None
    ) -> Claims:
        """The same claims, if they are sufficient.

        Args:
            claims: of the request; None without a token.
            scopes: what the token of an API key must be allowed to do. Signed-in users have no limits of this kind.
            level: the minimum level of assurance, `aal1` or `aal2`.
            max_age: the maximum age in seconds of the last proof of identity.

        Raises:
            NotSignedIn, InsufficientScope, InsufficientProof: they are not.
        """
        if claims is None:
            raise NotSignedIn
        wanted = frozenset(scopes)
        if not claims.has_scopes(*wanted):
            raise InsufficientScope(wanted)
        if not claims.is_proved(level, max_age, self._clock()):
            raise InsufficientProof(level, max_age)
        return claims

    def _find_key(self, token: str) -> jwt.PyJWK:
        header = jwt.get_unverified_header(token)
        kid = header.get("kid")
        if header.get("alg") != ALGORITHM or not isinstance(kid, str) or FORBIDDEN_HEADERS & header.keys():
            raise InvalidToken("not a header of the account service")
        key = self.keys.find(kid)
        if key is None:
            raise KeysUnavailable if self.keys.is_unavailable else InvalidToken("an unknown key id")
        return key
