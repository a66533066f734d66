"""Recent proofs of identity: what sensitive actions require, and how a signed-in user gives one (decision 0049)."""

import uuid
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from flask import current_app
from flask_babel import gettext as _

from userapi.audit import audit_log
from userapi.core import clock
from userapi.core.problems import ProofNeeded, ReadOnlySession
from userapi.federation import identities
from userapi.mfa import codes, factors, guesses, passkey_options, passkey_use, requirements
from userapi.mfa.challenges import Purpose
from userapi.mfa.factors import SecondStep
from userapi.security import throttling
from userapi.users.models import User
from userapi.users.problems import WrongPassword

from . import mailed_code_requests, mailed_codes, passwords, queries, sessions
from .assurance import Level, Proof
from .caller import Caller, find_caller
from .mailed_code_secrets import Purpose as MailedPurpose
from .problems import InvalidCredentials, TokenRevoked

#: What a sign-in may begin with before a second step.
FIRST_PROOFS = (Proof.PASSWORD, Proof.MAILED_CODE, Proof.PROVIDER)

#: How far the clocks of two machines may differ; a proof that is further in the future is not recent.
MAX_CLOCK_DIFFERENCE = timedelta(seconds=10)


def is_fresh(caller: Caller) -> bool:
    """Whether the caller has given a recent proof of identity, as strong as the account's sign-in."""
    if caller.impersonation is not None:
        return False
    age = clock.now() - caller.proved_at
    is_recent = -MAX_CLOCK_DIFFERENCE <= age <= timedelta(seconds=current_app.config["FRESH_PROOF_LIFETIME"])
    return is_recent and _has_level(caller)


def require_fresh(caller: Caller) -> None:
    """Require a recent proof of identity.

    Raises:
        ProofNeeded: it is too old, or weaker than the account's sign-in.
        ReadOnlySession: a member of staff acts as the user, who alone could give it.
    """
    if caller.impersonation is not None:
        raise ReadOnlySession
    if not is_fresh(caller):
        raise to_problem(caller)


def require_level(caller: Caller) -> None:
    """Require a proof of identity, however old, that is as strong as the account's sign-in.

    What the transaction of the request has written to the account does not count, only what was committed.

    Raises:
        ProofNeeded: it is weaker.
    """
    if not _has_level(caller):
        raise to_problem(caller)


def require_fresh_where_needed(*, always: bool) -> None:
    """Require a recent proof of a caller whose second step is on: of no one in commands and background jobs.

    Args:
        always: whether to require it of every caller.

    Raises:
        ProofNeeded: the last proof is too old or too weak.
    """
    caller = find_caller()
    if caller is not None and (always or find_second_step(caller) is not None):
        require_fresh(caller)


def lock_after_proof(caller: Caller, password: str | None) -> User:
    """Lock the caller's account for a sensitive change. The password, if it was sent and there is one, is a proof.

    Raises:
        ProofNeeded: there is no recent proof, and no sufficient password.
        WrongPassword: an audit event was written, which the caller must commit.
        TokenRevoked: the session has ended, or the account is not active.
        TooManyRequests: the password was wrong too often.
    """
    if not caller.user.has_password:
        password = None
    if password is None or find_second_step(caller) is not None:
        require_fresh(caller)
    if password is not None:
        passwords.check_and_lock(caller.user.id, password, field="password")
    return lock_account(caller)


def lock_account(caller: Caller) -> User:
    """Lock the caller's account for a sensitive change, after `require_fresh`.

    What was checked before may have changed while the request waited for the lock, so it is checked again.

    Raises:
        TokenRevoked: the session has ended, or the account is not active.
        ProofNeeded: a second step is on by now, and the session has proved less.
    """
    user = lock_in_session(caller)
    require_level(caller)
    return user


def lock_in_session(caller: Caller) -> User:
    """Lock the caller's account, if the session is active then.

    Raises:
        TokenRevoked: the session has ended, or the account is not active.
        ReadOnlySession: a member of staff acts as the user.
    """
    if caller.impersonation is not None:
        raise ReadOnlySession
    user, now = passwords.lock_active_user(caller.user.id), clock.now()
    if queries.read_active_session(caller.session_id, now, sessions.idle_since(now)) is None:
        raise TokenRevoked
    return user


def prove_with(caller: Caller, sent: Mapping[str, Any]) -> sessions.Refreshed:
    """Prove the caller's identity with what was sent: a passkey, a code by email, or else a password or code.

    Args:
        caller: whose identity.
        sent: `credential`, or `challenge` and `code`, or what `prove` takes.

    Raises:
        InvalidCredentials, InvalidMailedCode, InvalidPasskey: it is not accepted; an audit event may have been written,
            which the caller must commit.
        ProofNeeded, InvalidCode, SecondStepLocked, TokenRevoked, TooManyRequests: as for `prove`.
    """
    if "credential" in sent:
        return prove_by_passkey(caller, sent["credential"])
    if "challenge" in sent:
        return prove_by_mailed_code(caller, sent["challenge"], sent["code"])
    return prove(caller, sent.get("password"), sent.get("code"))


def prove(caller: Caller, password: str | None, code: str | None) -> sessions.Refreshed:
    """Prove the caller's identity by the password or by a code; the session gets another refresh token.

    Raises:
        ProofNeeded: the account has no password, or its sign-in needs more than that.
        InvalidCredentials: the password is wrong; an audit event was written, which the caller must commit.
        InvalidCode: the code is wrong; an audit event was committed.
        SecondStepLocked: the code was not checked.
        TokenRevoked: the session has ended, or the account is not active.
        TooManyRequests: the password or code was wrong too often; it was not checked.
    """
    if code is not None:
        return _prove_by_code(caller, code)
    if not caller.user.has_password or find_second_step(caller) is not None:
        raise to_problem(caller)
    try:
        passwords.check_and_lock(caller.user.id, password or "", field="password")
    except WrongPassword as error:
        raise InvalidCredentials(_("This is not your current password.")) from error
    return _store_proof(caller, Proof.PASSWORD.value)


def may_use_mailed_code(caller: Caller) -> bool:
    """Whether a code by email proves the caller's identity: only without a password and without a second step."""
    return (
        not caller.user.has_password
        and mailed_code_requests.may_use_codes(caller.user)
        and find_second_step(caller) is None
    )


def request_code(caller: Caller) -> uuid.UUID:
    """Email the caller a code that proves the identity; what names the request.

    Raises:
        CodesUnavailable: the service sends no codes.
        ProofNeeded: the caller has to prove the identity in another way.
        TooManyRequests: the client requested too many codes.
    """
    mailed_code_requests.require_on()
    if not may_use_mailed_code(caller):
        raise to_problem(caller)
    return mailed_code_requests.request_for_account(caller.user.id, MailedPurpose.PROVE)


def prove_by_mailed_code(caller: Caller, challenge: str, code: str) -> sessions.Refreshed:
    """Prove the caller's identity by a code from an email; the session gets another refresh token.

    Raises:
        ProofNeeded: the caller has to prove the identity in another way.
        InvalidMailedCode: the code is not valid; an audit event was written, which the caller must commit.
        TokenRevoked: the session has ended, or the account is not active.
        TooManyRequests: too many codes were wrong; it was not compared.
    """
    if not may_use_mailed_code(caller):
        raise to_problem(caller)
    mailed_codes.use_for_account(challenge, code, MailedPurpose.PROVE, caller.user.id)
    return _store_proof(caller, Proof.MAILED_CODE.value)


def build_passkey_options(caller: Caller) -> dict[str, Any]:
    """What a browser needs to prove the caller's identity by a passkey.

    Raises:
        NoPasskey: the caller has none for this site.
    """
    bound_to = caller.session_id.bytes
    return passkey_options.build_second_factor_options(Purpose.PROOF, bound_to, caller.user.id)


def prove_by_passkey(caller: Caller, credential: object) -> sessions.Refreshed:
    """Prove the caller's identity by a passkey; the session gets another refresh token.

    Raises:
        InvalidPasskey: the passkey is not accepted; an audit event may have been written, which the caller must commit.
        TokenRevoked: the session has ended, or the account is not active.
        TooManyRequests: the client sent too many that were not accepted.
    """
    first = [word for word in caller.user.amr.split() if word in FIRST_PROOFS]
    with throttling.count_failures("PASSKEY", throttling.get_client_subject()):
        checked = passkey_use.check(credential, Purpose.PROOF, caller.session_id.bytes, caller.user.id)
        passkey_use.use(checked, has_other_proof=bool(first))
        guesses.clear(caller.user.id)
        return _store_proof(caller, " ".join([*first, Proof.PASSKEY.value, Proof.SEVERAL.value]))


def _has_level(caller: Caller) -> bool:
    if caller.is_too_weak_for_staff:
        return False
    return caller.level is Level.TWO_FACTORS or find_second_step(caller) is None


def _prove_by_code(caller: Caller, code: str) -> sessions.Refreshed:
    user_id, client = caller.user.id, throttling.get_client_subject()
    with throttling.count_failures("SECOND_STEP", client), guesses.attempt(user_id, "proof"):
        return add_proof(caller, Proof(codes.check(user_id, code)))


def add_proof(caller: Caller, proof: Proof) -> sessions.Refreshed:
    """Store a second proof of the caller's identity; the session gets another refresh token.

    What the session began with still counts: only the second proof was requested, because the rest was given then.

    Raises:
        TokenRevoked: the session has ended, or the account is not active.
    """
    first = [word for word in caller.user.amr.split() if word in (*FIRST_PROOFS, Proof.PASSKEY)]
    return _store_proof(caller, " ".join([*first, proof.value, Proof.SEVERAL.value]))


def _store_proof(caller: Caller, amr: str) -> sessions.Refreshed:
    """Store a proof in the caller's session. Earlier refresh tokens of the session no longer work."""
    now = clock.now()
    proved: Any = queries.store_proof(caller.session_id, caller.user.id, amr, now, sessions.idle_since(now))
    if proved is None:
        raise TokenRevoked
    audit_log.record("session.proved", "user", caller.user.id, {"amr": (caller.user.amr, amr)})
    return proved  # type: ignore[no-any-return]


def find_second_step(caller: Caller) -> SecondStep | None:
    """The second step of the caller's account; None if it is off. Where it is required, any factor turns it on."""
    found = factors.summary(caller.user.id)
    if found is None:
        return None
    return found if found.is_on or (found.ways and requirements.is_required(caller.user)) else None


def to_problem(caller: Caller) -> ProofNeeded:
    """The error that tells the caller how to prove the identity."""
    step = find_second_step(caller)
    return ProofNeeded(
        ways=list(step.ways) if step is not None else _list_first_ways(caller),
        level=(Level.ONE_FACTOR if step is None else Level.TWO_FACTORS).value,
        max_age=current_app.config["FRESH_PROOF_LIFETIME"],
    )


def _list_first_ways(caller: Caller) -> list[str]:
    """How the caller can prove the identity without a second step."""
    if caller.user.has_password:
        return ["password"]
    if mailed_code_requests.may_use_codes(caller.user):
        return ["mailed_code"]
    return [f"provider:{identity.provider}" for identity in identities.list_of(caller.user.id)]
