"""The last step of every way in: no session, token or cookie exists before it returns (decisions 0048 and 0050).

Passwords, passkeys, codes by email, registrations and invitations only identify an account. Nothing but this module
begins a session.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from flask import current_app

from userapi.audit import audit_log
from userapi.core import clock, hooks
from userapi.core.context import get_acting_context
from userapi.mail import emails
from userapi.mfa import codes, guesses, passkey_use, remembered_devices, requirements
from userapi.mfa.challenges import Purpose
from userapi.security import throttling
from userapi.users import act_rules, email_verification
from userapi.users import queries as user_queries
from userapi.users.models import User

from . import second_step, second_step_metrics, sessions, sign_in_queries
from .assurance import Proof, Way
from .models import Session
from .problems import AccountChanged, MfaTokenInvalid
from .sign_in_queries import SeenPassword


@dataclass(frozen=True, slots=True)
class Identified:
    """An account, and the first proof of identity that its owner gave.

    Attributes:
        user_id: the account.
        session_version: that of the account when the proof was checked.
        way: how the session begins: a value of `Way`, or `provider:<id>`.
        proof: what was proved.
        password: the stored password hash when the proof was checked, and the one to store; None if it was not read.
        needs_second_step: whether the account's second step is on.
        accepts_remembered_devices: whether a remembered device replaces the second step: not where it is required.
        identity_id: the identity at a provider that was proved, if any.
        proved_email_key: the normal form of the unconfirmed address that was proved, which the sign-in confirms.
    """

    user_id: int
    session_version: int
    way: str
    proof: Proof
    password: SeenPassword | None
    needs_second_step: bool
    accepts_remembered_devices: bool = True
    identity_id: int | None = None
    proved_email_key: str | None = None


class Finished(NamedTuple):
    """A sign-in whose second step was done.

    Attributes:
        session: the session that began.
        device_token: for the next sign-ins, if the device is to be remembered.
    """

    session: Session
    device_token: str | None


def identify_account(
    account: Any,
    way: str,
    proof: Proof,
    *,
    session_version: int | None = None,
    password: SeenPassword | None = None,
    identity_id: int | None = None,
    proved_email_key: str | None = None,
) -> Identified:
    """Identify an account by a proof.

    Args:
        account: a row with `mfa.requirement_queries.SIGN_IN`.
        way, proof, password, identity_id, proved_email_key: as for `Identified`.
        session_version: that of the account now, if the proof has changed it.
    """
    return Identified(
        user_id=account.id,
        session_version=account.session_version if session_version is None else session_version,
        way=way,
        proof=proof,
        password=password,
        needs_second_step=bool(account.needs_second_step),
        accepts_remembered_devices=not requirements.is_required(account),
        identity_id=identity_id,
        proved_email_key=proved_email_key,
    )


def identify_new_account(user: User, way: Way = Way.REGISTRATION) -> Identified:
    """Identify a user who has just registered, or accepted an invitation."""
    kept = SeenPassword(user.password_hash, user.password_hash)
    return Identified(user.id, user.session_version, way, Proof.PASSWORD, kept, needs_second_step=False)


def admit(identified: Identified, code: str | None = None, device_token: str | None = None) -> Session:
    """Begin a session for a user who has given every proof of identity that is due.

    Args:
        identified: the first proof.
        code: for the second step, of an app or a recovery code.
        device_token: of a device that needs no second step. It is looked at if there is no code.

    Raises:
        AccountChanged: the account has changed since the first proof was checked; roll back and check it again.
        SecondStepNeeded: the second step is due; the caller must commit.
        InvalidCode: the code is wrong; an audit event was committed.
        SecondStepLocked, TooManyRequests: the code was not checked.
    """
    user_id, first = identified.user_id, identified.proof.value
    if not identified.needs_second_step:
        return _begin(identified, _amr(identified.proof), identified.password)
    if code is not None:
        client = throttling.get_client_subject()
        with (
            second_step_metrics.count_code(code),
            throttling.count_failures("SECOND_STEP", client),
            guesses.attempt(user_id),
        ):
            return _begin(identified, join_proofs(first, codes.check(user_id, code)), identified.password)
    if (
        device_token
        and identified.accepts_remembered_devices
        and remembered_devices.recognize(device_token, user_id, identified.session_version)
    ):
        return _begin(identified, first, identified.password)
    raise second_step.start(
        user_id,
        identified.session_version,
        identified.way,
        identified.proof,
        identity_id=identified.identity_id,
        proved_email_key=identified.proved_email_key,
    )


def finish_by_code(mfa_token: str, code: str, *, remember_device: bool = False) -> Finished:
    """Do the second step of a sign-in with a code, and begin the session.

    Args:
        mfa_token: from the first step. It stays valid if the code is wrong.
        code: of an app, or a recovery code.
        remember_device: whether this device needs no second step from now on. It is ignored where a second step is
            required, and with a recovery code, which users need who may have lost a device.

    Raises:
        MfaTokenInvalid: the sign-in has to begin again.
        InvalidCode: the code is wrong; an audit event was committed.
        SecondStepLocked, TooManyRequests: the code was not checked.
    """
    pending = second_step.find(mfa_token)
    client = throttling.get_client_subject()
    with (
        second_step_metrics.count_code(code),
        throttling.count_failures("SECOND_STEP", client),
        guesses.attempt(pending.user_id),
    ):
        proof = Proof(codes.check(pending.user_id, code))
        session = finish(pending, proof)
        is_remembered = remember_device and proof is Proof.CODE and second_step.get_remembered_days(pending)
        return Finished(session, _remember_device(session) if is_remembered else None)


def finish_by_passkey(mfa_token: str, credential: object, *, remember_device: bool = False) -> Finished:
    """Do the second step of a sign-in with a passkey, and begin the session.

    Args:
        mfa_token: from the first step. It stays valid if the passkey is not accepted.
        credential: what the browser sent.
        remember_device: whether this device needs no second step from now on. It is ignored where one is required.

    Raises:
        MfaTokenInvalid: the sign-in has to begin again.
        InvalidPasskey: the passkey is not accepted; an audit event may have been written, which the caller must commit.
        TooManyRequests: the client sent too many that were not.
    """
    pending = second_step.find(mfa_token)
    with second_step_metrics.count_passkey(), throttling.count_failures("PASSKEY", throttling.get_client_subject()):
        checked = passkey_use.check(credential, Purpose.SECOND_STEP, second_step.bind(pending), pending.user_id)
        passkey_use.use(checked, has_other_proof=True)
        session = finish(pending, Proof.PASSKEY)
        guesses.clear(pending.user_id)
        is_remembered = remember_device and second_step.get_remembered_days(pending)
        return Finished(session, _remember_device(session) if is_remembered else None)


def finish(pending: Any, proof: Proof) -> Session:
    """Use up a sign-in that waits for its second step, which was just proved, and begin the session.

    Args:
        pending: as `second_step.find` returns it.
        proof: the second proof.

    Raises:
        MfaTokenInvalid: another request was faster, or the account has changed since.
    """
    second_step.use(pending)
    try:
        return _begin(pending, join_proofs(pending.amr, proof.value), None)
    except AccountChanged as error:
        raise MfaTokenInvalid from error


def _amr(proof: Proof) -> str:
    """The claim `amr`. A passkey that signs in alone has verified its user, so it counts as two kinds of proof."""
    return f"{Proof.PASSKEY} {Proof.SEVERAL}" if proof is Proof.PASSKEY else proof.value


def join_proofs(first: str, second: str) -> str:
    """The `amr` of two proofs."""
    return f"{first} {second} {Proof.SEVERAL.value}"


def must_be_verified() -> bool:
    """Whether only users with a confirmed email may sign in."""
    return bool(current_app.config["EMAIL_VERIFICATION"] == "mandatory")


def _begin(account: Any, amr: str, password: SeenPassword | None) -> Session:
    """Store the sign-in and begin the session.

    One UPDATE decides, so a deactivation, a new password or the end of all sessions since the proof was checked wins.

    Args:
        account: with user_id, session_version, way, identity_id and proved_email_key.
        amr: the proofs that were given.
        password: the stored hash that was seen, and the one to store; None if it was not read.

    Raises:
        AccountChanged: the account has changed.
        hooks.Denied: an extension does not allow the sign-in.
    """
    user_id, now = account.user_id, clock.now()
    if account.proved_email_key is not None:
        _confirm_email(user_id, account.proved_email_key)
    version = sign_in_queries.record_sign_in(
        user_id, account.session_version, now, password, must_be_verified=must_be_verified()
    )
    if version is None:
        raise AccountChanged
    if password is not None and password.is_renewed:
        audit_log.record("user.password_rehashed", "user", user_id, actor_id=user_id)
    if hooks.has_rules("sign_in"):
        _run_rules(user_id, account.way, amr)
    _notify_of_new_device(user_id, now)
    return sessions.begin_session(user_id, version, account.way, amr, account.identity_id)


def _run_rules(user_id: int, way: str, amr: str) -> None:
    """Let extensions deny the sign-in. The row of the user is locked."""
    user = user_queries.lock_user(user_id)
    if user is None:
        raise AccountChanged
    act_rules.run("sign_in", user, {"way": str(way), "amr": amr.split()}, user)


def _confirm_email(user_id: int, email_key: str) -> None:
    """Confirm the address that a sign-in has proved, if the account still has it."""
    user = user_queries.lock_user(user_id)
    if user is not None and user.email_key == email_key:
        email_verification.mark_email_verified(user)
        user_queries.flush()


def _notify_of_new_device(user_id: int, now: datetime) -> None:
    """Email the user if neither the IP address nor the browser is known from an earlier session."""
    origin = get_acting_context()
    if sign_in_queries.is_known_device(user_id, origin.ip_address, origin.user_agent) is False:
        user = emails.Recipient(*sign_in_queries.read_recipient(user_id), user_id)
        emails.send_new_sign_in(user, when=now, ip=origin.ip_address, user_agent=origin.user_agent)


def _remember_device(session: Session) -> str:
    return remembered_devices.remember(session.user_id, session.session_version, session.address, session.user_agent)
