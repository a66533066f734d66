"""Recent proofs of identity: what sensitive actions require, and how a signed-in user gives one (decision 0049)."""

from datetime import timedelta
from typing import Any

from flask import current_app
from flask_babel import gettext as _

from userapi.audit import audit_log
from userapi.core import clock
from userapi.core.problems import ProofNeeded
from userapi.users.models import User
from userapi.users.problems import WrongPassword

from . import passwords, queries, sessions
from .assurance import Level, Proof
from .caller import Caller
from .problems import InvalidCredentials, TokenRevoked

#: How far the clocks of two machines may differ; a proof that is further in the future is not recent.
MAX_CLOCK_DIFFERENCE = timedelta(seconds=10)


def is_fresh(caller: Caller) -> bool:
    """Whether the caller has given a recent proof of identity, as strong as the account's sign-in."""
    age = clock.now() - caller.proved_at
    is_recent = -MAX_CLOCK_DIFFERENCE <= age <= timedelta(seconds=current_app.config["FRESH_PROOF_LIFETIME"])
    return is_recent and caller.level >= _required_level(caller)


def require_fresh(caller: Caller) -> None:
    """Require a recent proof of identity.

    Raises:
        ProofNeeded: it is too old, or weaker than the account's sign-in.
    """
    if not is_fresh(caller):
        raise _proof_needed(caller)


def lock_after_proof(caller: Caller, password: str | None) -> User:
    """Lock the caller's account for a sensitive change. The password, if it was sent, counts as a proof.

    Raises:
        ProofNeeded: there is no recent proof, and no sufficient password.
        WrongPassword: an audit event was written, which the caller must commit.
        TooManyRequests: the password was wrong too often.
    """
    if password is None or _required_level(caller) > Level.ONE_FACTOR:
        require_fresh(caller)
    if password is not None:
        return passwords.check_and_lock(caller.user.id, password, field="password")
    return passwords.lock_active_user(caller.user.id)


def prove_by_password(caller: Caller, password: str) -> sessions.Refreshed:
    """Prove the caller's identity by the password; the session gets another refresh token.

    Raises:
        ProofNeeded: the account's sign-in needs more than a password.
        InvalidCredentials: the password is wrong; an audit event was written, which the caller must commit.
        TokenRevoked: the session has ended, or the account is not active.
        TooManyRequests: the password was wrong too often.
    """
    if _required_level(caller) > Level.ONE_FACTOR:
        raise _proof_needed(caller)
    try:
        passwords.check_and_lock(caller.user.id, password, field="password")
    except WrongPassword as error:
        raise InvalidCredentials(_("This is not your current password.")) from error
    return _store_proof(caller, Proof.PASSWORD)


def _store_proof(caller: Caller, amr: str) -> sessions.Refreshed:
    """Store a proof in the caller's session. Earlier refresh tokens of the session no longer work."""
    now = clock.now()
    proved: Any = queries.store_proof(caller.session_id, caller.user.id, amr, now, sessions.idle_since(now))
    if proved is None:
        raise TokenRevoked
    audit_log.record("session.proved", "user", caller.user.id, {"amr": (None, str(amr))})
    return proved  # type: ignore[no-any-return]


def list_ways(caller: Caller) -> list[str]:
    """How the caller can prove the identity, the strongest way first."""
    return ["password"]


def _required_level(caller: Caller) -> Level:
    """The level of the account's sign-in."""
    return Level.ONE_FACTOR


def _proof_needed(caller: Caller) -> ProofNeeded:
    return ProofNeeded(
        ways=list_ways(caller),
        level=_required_level(caller).value,
        max_age=current_app.config["FRESH_PROOF_LIFETIME"],
    )
