"""Signing in, and proving the identity, with a code or link that was sent by email (decision 0066).

A code has eight digits, so the database keeps only a keyed digest of it, and counts each comparison before it is made.
A link alone signs in no browser but the one that requested it: mail scanners open links and press buttons, and a link
that someone else requested must not sign its reader in. Elsewhere the code from the same email has to be entered too.
"""

import hmac
from typing import Any, NamedTuple

from userapi.audit import audit_log
from userapi.core import clock
from userapi.core.db import db
from userapi.security import throttling
from userapi.users import email_verification
from userapi.users import queries as user_queries

from . import admission, claiming, mailed_code_queries, sign_in_queries
from .admission import Identified
from .assurance import Proof, Way
from .mailed_code_requests import is_on, may_use_codes
from .mailed_code_secrets import Purpose, authenticate, compute_link_digest, fits_verifier, parse_challenge, read_code
from .models import Session
from .problems import AccountChanged, InvalidMailedCode

#: The maximum length of a token that is looked up.
MAX_TOKEN_LENGTH = 100


class Proven(NamedTuple):
    """An account whose owner has entered the code that was sent to its email address.

    Attributes:
        account: as `mailed_code_queries.read_account` returns it, before the code was used.
        session_version: that of the account now.
        is_claimed: whether everything that existed before was removed, because the address was not confirmed.
        unconfirmed_key: the normal form of the address, if it is not confirmed before the second step is done.
    """

    account: Any
    session_version: int
    is_claimed: bool
    unconfirmed_key: str | None = None


class SignedIn(NamedTuple):
    """A sign-in with a code or link.

    Attributes:
        session: the session that began.
        is_claimed: as in `Proven`.
    """

    session: Session
    is_claimed: bool


def sign_in_by_code(challenge: str, code: str, device_token: str | None = None) -> SignedIn:
    """Sign in with a code from an email.

    Args:
        challenge: what names the request.
        code: as typed: spaces and hyphens do not matter, digits of any script count.
        device_token: of a device that needs no second step.

    Raises:
        InvalidMailedCode: one error for every reason; an audit event was written, which the caller must commit.
        SecondStepNeeded: the code is right, and the second step is due; the caller must commit.
        SecondStepLocked: the code is right; nothing can be done as second step.
        TooManyRequests: too many codes were wrong; it was not compared.
    """
    with throttling.count_failures("CODE_TRY", throttling.get_client_subject()):
        return _sign_in(_check(challenge, code, Purpose.SIGN_IN), device_token)


def sign_in_by_link(
    token: str,
    *,
    code: str | None = None,
    verifier: str | None = None,
    challenge: str | None = None,
    device_token: str | None = None,
) -> SignedIn:
    """Sign in with the link of an email, and what shows that it was opened where it was requested, or the code.

    Args:
        token: from the link.
        code: from the same email.
        verifier: the secret of the program that requested the email, instead of the code.
        challenge: what names the request, which the browser that made it knows, instead of the code.
        device_token: of a device that needs no second step.

    Raises:
        InvalidMailedCode, SecondStepNeeded, SecondStepLocked, TooManyRequests: as `sign_in_by_code`.
    """
    with throttling.count_failures("CODE_TRY", throttling.get_client_subject()):
        found = find_link(token)
        if found is None:
            raise _failed(Purpose.SIGN_IN)
        if code is not None:
            return _sign_in(_check(str(found.id), code, Purpose.SIGN_IN), device_token)
        if not (is_requested_here(found, challenge) or fits_verifier(found, verifier)):
            raise _failed(Purpose.SIGN_IN, found.user_id)
        return _sign_in(found, device_token)


def use_for_account(
    challenge: str, code: str, purpose: Purpose, user_id: int, ticket_digest: str | None = None
) -> Proven:
    """Use a code that was sent to a known account, in the transaction of what it proves.

    The arguments are those of `request_for_account` and `sign_in_by_code`.

    Raises:
        InvalidMailedCode, TooManyRequests: as `sign_in_by_code`.
    """
    with throttling.count_failures("CODE_TRY", throttling.get_client_subject()):
        found = _check(challenge, code, purpose)
        if found.user_id != user_id or found.ticket_digest != ticket_digest:
            raise _failed(purpose, found.user_id)
        return _use(found, purpose)


def find_link(token: str) -> Any:
    """The request whose email has this link, outside any transaction; None if the link is not valid any more."""
    if not is_on() or len(token) > MAX_TOKEN_LENGTH:
        return None
    return mailed_code_queries.find_link(compute_link_digest(token), clock.now())


def is_requested_here(found: Any, challenge: str | None) -> bool:
    """Whether a browser that knows `challenge` requested the email whose link was opened."""
    return challenge is not None and parse_challenge(challenge) == found.id


def identify(proven: Proven) -> Identified:
    """The account whose owner has entered a code, for a sign-in."""
    return admission.identify_account(
        proven.account,
        Way.CODE,
        Proof.MAILED_CODE,
        session_version=proven.session_version,
        proved_email_key=proven.unconfirmed_key,
    )


def _check(challenge: str, code: str, purpose: Purpose) -> Any:
    """The request whose code this is. The comparison is counted first, so no more than five take place."""
    typed, named = read_code(code), parse_challenge(challenge)
    if typed is None or named is None or not is_on():
        raise _failed(purpose)
    found = mailed_code_queries.count_try(named, purpose.value, clock.now())
    if found is None:
        raise _failed(purpose)
    with throttling.count_failures("CODE_ACCOUNT", found.address_key, skip_if=lambda: _is_known_network(found)):
        if not hmac.compare_digest(found.code_mac, authenticate(found.id, purpose, typed)):
            raise _failed(purpose, found.user_id)
    return found


def _sign_in(found: Any, device_token: str | None) -> SignedIn:
    proven = _use(found, Purpose.SIGN_IN)
    identified = identify(proven)
    try:
        return SignedIn(admission.admit(identified, device_token=device_token), proven.is_claimed)
    except AccountChanged as error:
        db.session.rollback()
        raise _failed(Purpose.SIGN_IN, found.user_id) from error


def _use(found: Any, purpose: Purpose) -> Proven:
    """Use up a code whose email has reached the owner of the address, and confirm the address.

    If the second step is on, it is not confirmed yet: the sign-in does that once the second step is done.

    Raises:
        InvalidMailedCode: the code was used before, was replaced, or the account has changed since.
    """
    account = mailed_code_queries.read_account(found.user_id) if found.user_id is not None else None
    if account is None or not may_use_codes(account) or not mailed_code_queries.use_code(found.id, clock.now()):
        raise _failed(purpose, found.user_id)
    if account.email_verified_at is not None:
        return Proven(account, found.session_version, is_claimed=False)
    user = user_queries.lock_user(found.user_id)
    if user is None or user.session_version != found.session_version:
        db.session.rollback()
        raise _failed(purpose, found.user_id)
    if purpose is Purpose.PROVE:  # the same user reads the emails and has the session
        email_verification.mark_email_verified(user)
        return Proven(account, found.session_version, is_claimed=False)
    is_claimed = claiming.claim(user)
    unconfirmed_key = user.email_key if user.email_verified_at is None else None
    return Proven(account, user.session_version, is_claimed, unconfirmed_key)


def _failed(purpose: Purpose, user_id: int | None = None) -> InvalidMailedCode:
    way = {"way": (None, Way.CODE.value), "purpose": (None, purpose.value)}
    audit_log.record("sign_in.failed", "user" if user_id else None, user_id, way, actor_id=None)
    return InvalidMailedCode()


def _is_known_network(found: Any) -> bool:
    """Whether the account has signed in from this IP address before: then guesses from elsewhere do not lock it out."""
    known = sign_in_queries.read_ip_addresses(found.address_key)
    return throttling.get_client_subject() in map(throttling.ip_subject, known)
