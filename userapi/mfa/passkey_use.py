"""Using passkeys: to sign in, as a second step, as a proof of identity.

It has two parts. `check` verifies a response outside any transaction. `use`, in the transaction of what the passkey
proves, stores that the challenge was answered, so that only one of several requests with it succeeds.
"""

import hashlib
import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from userapi.audit import audit_log
from userapi.core import clock
from userapi.core.db import db
from userapi.mail import factor_emails

from . import challenges, passkey_queries, public_keys, queries, webauthn
from .challenges import Purpose
from .credentials import Assertion, CeremonyError, read_assertion
from .passkey_options import get_relying_party
from .passkey_problems import InvalidPasskey
from .webauthn import Flags

log = logging.getLogger(__name__)

#: The owner is warned about a counter that went back at most this often.
WARNING_INTERVAL = timedelta(days=1)


@dataclass(frozen=True)
class Checked:
    """A passkey whose response was verified.

    Attributes:
        challenge: that it responds to.
        passkey: what is stored of it, with what a sign-in looks at of its account.
        flags: what the authenticator signed.
    """

    challenge: bytes
    passkey: Any
    flags: Flags


@dataclass(frozen=True)
class _Decoy:
    """Stands for an unknown passkey, so that it takes as long to reject as a known one with a wrong signature."""

    public_key: bytes
    backup_eligible: bool = True
    user_verified: bool = True
    handle: bytes = b""


def check(credential: object, purpose: Purpose, bound_to: bytes = b"", user_id: int | None = None) -> Checked:
    """Verify the response of a passkey, outside any transaction.

    Args:
        credential: what the browser sent.
        purpose: what the challenge has to be for.
        bound_to: the session or pending sign-in that it has to be for.
        user_id: whose passkey it has to be; None for a sign-in by passkey alone.

    Raises:
        InvalidPasskey: it is not accepted.
    """
    try:
        assertion = read_assertion(credential)
        return _verify(assertion, purpose, bound_to, user_id)
    except CeremonyError as error:
        log.info("passkey not accepted", extra={"reason": str(error)})
        raise InvalidPasskey from error


def use(checked: Checked, *, has_other_proof: bool) -> None:
    """Store a use of a passkey, in the transaction of what it proves.

    Args:
        checked: what `check` returned.
        has_other_proof: whether the user gave another proof of identity too. Then a PIN or biometrics let
            the passkey sign in alone from now on.

    Raises:
        InvalidPasskey: another request has used the challenge, the passkey was removed, or its counter went back. The
            transaction was rolled back. A counter that went back is recorded, which the caller must commit.
    """
    passkey, flags, now = checked.passkey, checked.flags, clock.now()
    if not use_challenge(checked.challenge):
        db.session.rollback()
        raise InvalidPasskey
    if not passkey_queries.use_passkey(
        passkey.id,
        passkey.user_id,
        flags.sign_count,
        backed_up=flags.backed_up,
        proves_verification=has_other_proof and flags.user_verified,
        now=now,
    ):
        db.session.rollback()
        _report_counter(passkey)
        raise InvalidPasskey


def compute_digest(credential_id: bytes) -> str:
    """What a passkey is found by."""
    return hashlib.sha256(credential_id).hexdigest()


def use_challenge(challenge: bytes) -> bool:
    """Store that a challenge was answered, in the transaction of what it is for; False if another request did so."""
    return passkey_queries.use_challenge(challenges.compute_digest(challenge), challenges.expires_at(challenge))


def expect(purpose: Purpose, bound_to: bytes) -> webauthn.ChallengeCheck:
    """Whether a challenge was issued for a use."""
    return lambda challenge: challenges.is_valid(challenge, purpose, bound_to)


def _verify(assertion: Assertion, purpose: Purpose, bound_to: bytes, user_id: int | None) -> Checked:
    party = get_relying_party()
    known = passkey_queries.read_known(compute_digest(assertion.credential_id), party.id)
    if known is not None and user_id not in (None, known.user_id):
        known = None
    flags = webauthn.verify_assertion(
        assertion,
        _Decoy(public_keys.encode_decoy()) if known is None else known,
        party,
        expect(purpose, bound_to),
        is_only_proof=user_id is None,
    )
    if known is None:
        raise CeremonyError("unknown passkey")
    return Checked(assertion.challenge, known, flags)


def _report_counter(passkey: Any) -> None:
    """Record and report that the counter of a passkey went back, unless it was removed."""
    now = clock.now()
    name = passkey_queries.set_counter_went_back(passkey.id, passkey.user_id, now, now - WARNING_INTERVAL)
    user = queries.find_user(passkey.user_id)
    if name is not None and user is not None:
        audit_log.record("passkey.counter_went_back", "user", user.id, {"name": (None, name)})
        factor_emails.send_key_may_be_copied(user, passkey=name, when=now)
