"""Tokens of the Django service that this one replaces, for imported users (decision 0092).

They prove an identity as long as nothing has ended all sessions of the user here: a new password does, and signing out
everywhere. They begin a session only where a password alone would, and never replace a second step.
"""

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import jwt
from flask import current_app
from flask_babel import lazy_gettext
from jwt.exceptions import ExpiredSignatureError, PyJWTError

from userapi.core import clock
from userapi.mfa import requirements
from userapi.security import throttling
from userapi.users import email_address

from . import admission, legacy_token_queries
from .assurance import Proof, Way
from .claims import MAX_SECOND
from .models import Session
from .problems import AccountChanged, InvalidToken, RefreshEnded, TokenExpired, TokenRevoked
from .sign_in import may_sign_in

#: The only algorithm that is accepted.
ALGORITHM = "HS256"

NEEDS_SECOND_STEP = lazy_gettext("This account has a second step, which this token does not prove. Sign in again.")


class LegacyToken(NamedTuple):
    """A valid token of the replaced service.

    Attributes:
        account: whose it is: a row of `legacy_token_queries.read_account`.
        claims: all of them: `user_id, username, email, exp, orig_iat` and what that service added.
    """

    account: Any
    claims: dict[str, Any]

    @property
    def proved_at(self) -> datetime:
        """When the user proved the identity to the replaced service."""
        return datetime.fromtimestamp(self.claims["orig_iat"], UTC)


def looks_like_one(token: str) -> bool:
    """Whether a token names the algorithm of the replaced service; ours never do."""
    try:
        return bool(jwt.get_unverified_header(token).get("alg") == ALGORITHM)
    except PyJWTError:
        return False


def verify(token: str) -> LegacyToken:
    """Verify a token of the replaced service.

    The id and the email must be those of one account, so users who got another id when they were imported have to sign
    in again. An account that was opened here, or is younger than the token, is another one.

    Raises:
        TokenExpired: it has expired.
        InvalidToken: it is not valid, or its account has or needs a second step.
        TokenRevoked: its account may not sign in, or all sessions of the account have ended since it was imported.
    """
    claims = _decode(token)
    account = legacy_token_queries.read_account(claims["user_id"])
    if account is None or account.was_opened_here or email_address.key_or_none(claims["email"]) != account.email_key:
        raise InvalidToken
    if not int(account.date_joined.timestamp()) <= claims["orig_iat"] <= clock.now().timestamp():
        raise InvalidToken
    if account.session_version > 0 or not may_sign_in(account):
        raise TokenRevoked
    if account.needs_second_step or requirements.is_required(account):
        raise InvalidToken(NEEDS_SECOND_STEP)
    return LegacyToken(account, claims)


def sign_in(token: str) -> Session:
    """Begin a session for a token of the replaced service; it ends when that service would have refreshed no more.

    The session counts as proved when the user signed in there, so it allows nothing that requires a recent proof.

    Raises:
        TokenExpired, InvalidToken, TokenRevoked: as `verify`.
        RefreshEnded: it may only be verified.
        TooManyRequests: the user began too many in this way.
    """
    found = verify(token)
    ends_at = found.proved_at + timedelta(seconds=current_app.config["LEGACY_REFRESH_LIFETIME"])
    if ends_at <= clock.now():
        raise RefreshEnded
    throttling.count_attempt("REFRESH_SESSION", Way.LEGACY_TOKEN, str(found.account.id))
    identified = admission.identify_account(found.account, Way.LEGACY_TOKEN, Proof.PASSWORD)
    try:
        session = admission.admit(identified)
    except AccountChanged as error:
        raise TokenRevoked from error
    session.proved_at = found.proved_at
    session.expires_at = min(session.expires_at, ends_at)
    return session


def _decode(token: str) -> dict[str, Any]:
    """The claims of a token with a valid signature, all of the right type.

    Raises:
        TokenExpired, InvalidToken: it has expired, or there is another reason.
    """
    secret: str = current_app.config["LEGACY_JWT_SECRET"]
    if not secret:
        raise InvalidToken
    try:
        claims: dict[str, Any] = jwt.decode(
            token, secret, algorithms=[ALGORITHM], options={"require": ["exp", "orig_iat", "user_id", "email"]}
        )
    except ExpiredSignatureError as error:
        raise TokenExpired from error
    except (PyJWTError, ValueError, OverflowError) as error:
        raise InvalidToken from error
    numbers = (claims["user_id"], claims["orig_iat"], claims["exp"])
    if not all(type(number) is int and 0 < number <= MAX_SECOND for number in numbers):
        raise InvalidToken
    if not isinstance(claims["email"], str):
        raise InvalidToken
    return claims
