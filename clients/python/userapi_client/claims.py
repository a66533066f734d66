"""What an access token says, checked and typed."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .errors import InvalidToken

#: Levels of assurance (`acr`), the weakest first.
LEVELS = ("aal1", "aal2")

#: The last second of the year 9999, the last that a `datetime` can hold.
MAX_SECOND = 253_402_300_799


@dataclass(frozen=True, slots=True)
class Claims:
    """The claims of a valid access token. Times are in seconds since 1970.

    Attributes:
        user_id: the user (`sub`). An id is never used for another user.
        session_id: the session (`sid`).
        token_id: the token (`jti`).
        issued_at: when it was issued (`iat`).
        expires_at: when it expires (`exp`).
        level: how strongly the identity was proved (`acr`): `aal1` or `aal2`.
        proofs: which proofs were given (`amr`, RFC 8176).
        proved_at: when the last one was given (`auth_time`); None if the token does not say.
        scopes: what the token of an API key may do (`scope`); None for that of a signed-in user, which has no limits
            of this kind.
        client_id: the id of the API key that the token was issued for; None for that of a signed-in user.
        impersonator_id: the member of staff of the account service who acts as the user (`act`, RFC 8693); None if the
            user does. The account service issues such tokens for its own cookies only.
        document: every claim as in the token, also custom ones such as `email` or `groups`.
    """

    user_id: int
    session_id: uuid.UUID
    token_id: uuid.UUID
    issued_at: int
    expires_at: int
    level: str
    proofs: tuple[str, ...]
    proved_at: int | None
    scopes: frozenset[str] | None
    client_id: str | None
    impersonator_id: int | None
    document: Mapping[str, Any]

    def has_scopes(self, *scopes: str) -> bool:
        """Whether the token may do all of this."""
        return self.scopes is None or self.scopes.issuperset(scopes)

    def is_proved(self, level: str, max_age: int | None, now: float) -> bool:
        """Whether the identity was proved strongly enough, and not too long ago.

        Args:
            level: the minimum level, `aal1` or `aal2`.
            max_age: the maximum age of the proof in seconds; None if any age will do.
            now: the current time.
        """
        if LEVELS.index(self.level) < LEVELS.index(level):
            return False
        return max_age is None or (self.proved_at is not None and now - self.proved_at <= max_age)


def parse(document: Mapping[str, Any]) -> Claims:
    """The typed form of the claims of a token whose signature is valid.

    Raises:
        InvalidToken: a claim is missing or is not as the account service writes it.
    """
    if document.get("type") != "access":
        raise InvalidToken("not an access token")
    times = [document.get(name) for name in ("iat", "exp", "nbf")]
    optional = [document[name] for name in ("auth_time",) if name in document]
    if not all(type(second) is int and 0 <= second <= MAX_SECOND for second in (*times, *optional)):
        raise InvalidToken("a time is missing or is not a whole number")
    level, proofs = document.get("acr", LEVELS[0]), document.get("amr", [])
    if level not in LEVELS or not isinstance(proofs, list) or not all(isinstance(proof, str) for proof in proofs):
        raise InvalidToken("acr or amr is malformed")
    scope, client_id = document.get("scope"), document.get("client_id")
    if not all(text is None or isinstance(text, str) for text in (scope, client_id)):
        raise InvalidToken("scope or client_id is malformed")
    return Claims(
        user_id=_parse_id(document.get("sub")),
        session_id=_parse_uuid(document.get("sid")),
        token_id=_parse_uuid(document.get("jti")),
        issued_at=document["iat"],
        expires_at=document["exp"],
        level=level,
        proofs=tuple(proofs),
        proved_at=document.get("auth_time"),
        scopes=None if scope is None and client_id is None else frozenset((scope or "").split()),
        client_id=client_id,
        impersonator_id=_parse_actor(document["act"]) if "act" in document else None,
        document=document,
    )


def _parse_id(text: object) -> int:
    if not (isinstance(text, str) and text.isascii() and text.isdigit() and len(text) < 19 and text[0] != "0"):
        raise InvalidToken("sub is not the id of a user")
    return int(text)


def _parse_actor(actor: object) -> int:
    if not isinstance(actor, Mapping):
        raise InvalidToken("act is malformed")
    return _parse_id(actor.get("sub"))


def _parse_uuid(text: object) -> uuid.UUID:
    try:
        value = uuid.UUID(str(text))
    except ValueError as error:
        raise InvalidToken("sid or jti is not a UUID") from error
    if str(value) != text:
        raise InvalidToken("sid or jti is not a UUID")
    return value
