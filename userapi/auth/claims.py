"""The claims of our tokens (RFC 7519, section 4.1), parsed once into typed values."""

import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

from jwt import InvalidTokenError

from userapi.core import context

from .assurance import Level, Proof
from .problems import TokenExpired

ACCESS, REFRESH = "access", "refresh"

TIMES = ("exp", "iat", "nbf")
TEXTS = ("iss", "aud", "sub", "sid", "jti")

#: The settings with the audiences of tokens that are accepted in cookies only.
FOR_COOKIES = ("JWT_WEB_AUDIENCE", "JWT_WEB_SET_UP_AUDIENCE", "JWT_IMPERSONATION_AUDIENCE")

#: The last second that a `datetime` can hold: the end of the year 9999.
MAX_SECOND = 253_402_300_799


@dataclass(frozen=True, slots=True)
class _Claims:
    """What every token says.

    Attributes:
        session_id: the session that the token belongs to (`sid`).
        user_id: whose session it is (`sub`).
        jti: the id of the token.
        expires_at: in seconds since 1970 (`exp`).
        csrf: the value that a page must send along with a cookie.
        is_for_web: whether it is for our pages (`aud`): valid in a cookie only; all others are valid outside one only.
        document: every claim, as in the token.
    """

    session_id: uuid.UUID
    user_id: int
    jti: uuid.UUID
    expires_at: int
    csrf: str
    is_for_web: bool
    document: dict[str, Any]

    @classmethod
    def parse(cls, document: dict[str, Any]) -> Self:
        """The typed form of claims that `are_well_formed` accepts."""
        return cls(
            session_id=uuid.UUID(document["sid"]),
            user_id=int(document["sub"]),
            jti=uuid.UUID(document["jti"]),
            expires_at=document["exp"],
            csrf=str(document.get("csrf", "")),
            is_for_web=document["aud"] in _audiences(*FOR_COOKIES),
            document=document,
        )


class AccessClaims(_Claims):
    """The claims of an access token."""

    __slots__ = ()

    @property
    def level(self) -> Level:
        """The level of the token (`acr`); tokens of earlier versions have none, and were issued for a password."""
        return Level(self.document.get("acr", Level.ONE_FACTOR))

    def names_proof(self, proof: Proof) -> bool:
        """Whether the token says that this proof was given (`amr`); tokens of earlier versions do not say."""
        proofs = self.document.get("amr")
        return isinstance(proofs, list) and proof in proofs

    @property
    def key_id(self) -> uuid.UUID | None:
        """The API key that the token was exchanged for (`client_id`); None for the token of a session of a user."""
        named = self.document.get("client_id")
        return None if named is None else uuid.UUID(named)

    @property
    def scope(self) -> str:
        """The scopes of such a token, separated by spaces."""
        return str(self.document.get("scope", ""))

    @property
    def impersonator_id(self) -> int | None:
        """The member of staff who acts as the user (`act`, RFC 8693, section 4.1); None if the user does."""
        actor = self.document.get("act")
        return None if actor is None else int(actor["sub"])

    @property
    def is_for_set_up(self) -> bool:
        """Whether the token only allows to set up a second factor; no other service accepts it."""
        return self.document["aud"] in _audiences("JWT_SET_UP_AUDIENCE", "JWT_WEB_SET_UP_AUDIENCE")

    @property
    def proved_at(self) -> datetime | None:
        """When the identity was proved, as the token states (`auth_time`); None in tokens of earlier versions."""
        seconds = self.document.get("auth_time")
        return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


class RefreshClaims(_Claims):
    """The claims of a refresh token."""

    __slots__ = ()


Claims = AccessClaims | RefreshClaims


def _audiences(*settings: str) -> tuple[str, ...]:
    return tuple(context.current_application().config[setting] for setting in settings)


def parse(document: dict[str, Any]) -> Claims:
    """The typed form of the claims of a verified token, by its `type`."""
    return RefreshClaims.parse(document) if document["type"] == REFRESH else AccessClaims.parse(document)


def require_valid(document: dict[str, Any]) -> None:
    """Check what PyJWT does not: the types of all claims, and when the token expires, without a leeway.

    Raises:
        InvalidTokenError, TokenExpired: they are not valid.
    """
    if not are_well_formed(document):
        raise InvalidTokenError("not issued by this service")
    if document["exp"] <= time.time():  # PyJWT would allow its leeway, which is meant for `nbf` and `iat`
        raise TokenExpired


def are_well_formed(document: dict[str, Any]) -> bool:
    """Whether every claim has exactly the type that we give it; PyJWT is less strict."""
    return (
        all(type(document.get(name)) is int and 0 <= document[name] <= MAX_SECOND for name in TIMES)
        and all(isinstance(document.get(name), str) for name in TEXTS)
        and document.get("type") in (ACCESS, REFRESH)
        and _are_proofs_well_formed(document)
        and _is_actor_well_formed(document)
        and ("client_id" not in document or parse_uuid(document["client_id"]) is not None)
        and parse_uuid(document["sid"]) is not None
        and parse_uuid(document["jti"]) is not None
        and parse_id(document["sub"]) is not None
    )


def _are_proofs_well_formed(document: dict[str, Any]) -> bool:
    """The same for `acr` and `auth_time`, which tokens of earlier versions do not have."""
    seconds = document.get("auth_time", 0)
    return document.get("acr", Level.ONE_FACTOR) in list(Level) and type(seconds) is int and 0 <= seconds <= MAX_SECOND


def _is_actor_well_formed(document: dict[str, Any]) -> bool:
    """Whether exactly the tokens of impersonations, which have an audience of their own, name an actor."""
    if document["aud"] not in _audiences("JWT_IMPERSONATION_AUDIENCE"):
        return "act" not in document
    actor = document.get("act")
    return isinstance(actor, dict) and parse_id(str(actor.get("sub"))) is not None and document["type"] == ACCESS


def parse_uuid(text: object) -> uuid.UUID | None:
    """A UUID in its canonical spelling; None for anything else."""
    try:
        value = uuid.UUID(str(text))
    except ValueError:
        return None
    return value if str(value) == text else None


def parse_id(text: str) -> int | None:
    """A row id written without sign or leading zero; None for anything else."""
    if not (text.isascii() and text.isdigit() and len(text) < 19 and not text.startswith("0")):
        return None
    return int(text)
