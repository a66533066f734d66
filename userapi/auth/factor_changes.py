"""What signed-in users do with their second factors, and which sessions and unfinished sign-ins end with it."""

import uuid
from contextlib import AbstractContextManager

from userapi.mfa import apps, factors, guesses, requirements
from userapi.mfa.apps import NewApp
from userapi.mfa.factors import Added
from userapi.mfa.problems import FactorRequired
from userapi.users.models import User

from . import proof, second_step, sessions
from .caller import Caller, Credential


def add_app(caller: Caller, name: str) -> NewApp:
    """Add an authenticator app, which the same session has to confirm.

    Raises:
        FactorUnavailable, EmailUnverified, TooManyFactors: the caller cannot add an app.
        TokenRevoked, ProofNeeded: as `proof.lock_account` does.
        KeyFolderError: the folder of data keys cannot be used.
    """
    return apps.add_app(proof.lock_account(caller), name, caller.session_id)


def confirm_app(caller: Caller, app_id: uuid.UUID, code: str) -> Added:
    """Confirm an app with its first code. If it is the first factor, every other session ends.

    Raises:
        NotFound: there is no such app to confirm in this session.
        WrongSetUpCode: the code is wrong; an audit event was committed.
        TooManyRequests, SecondStepLocked: too many codes were wrong; the code was not checked.
        ProofNeeded: the session has proved less than the account's sign-in needs.
        TokenRevoked: the session has ended, or the account is not active.
    """
    apps.require_app_to_confirm(app_id, caller.user.id, caller.session_id)
    with count_set_up_code(caller):
        return confirm_app_by_counted_code(caller, app_id, code)


def count_set_up_code(caller: Caller) -> AbstractContextManager[None]:
    """Count a code that the block checks. Nothing may have been written before it.

    Raises:
        WrongSetUpCode: the block raised it; an audit event was committed.
        TooManyRequests, SecondStepLocked: too many codes were wrong; the block did not run.
    """
    return guesses.attempt(caller.user.id, "set-up")


def confirm_app_by_counted_code(caller: Caller, app_id: uuid.UUID, code: str) -> Added:
    """Confirm an app, inside `count_set_up_code`.

    Raises:
        NotFound: there is no such app to confirm in this session.
        WrongSetUpCode: the code is wrong.
        ProofNeeded: the session has proved less than the account's sign-in needs.
        TokenRevoked: the session has ended, or the account is not active.
    """
    user = proof.lock_in_session(caller)
    added = apps.confirm_app(user, app_id, caller.session_id, code)
    finish_addition(caller, user, added)
    return added


def finish_addition(caller: Caller, user: User, added: Added) -> None:
    """Do what follows when a locked user has added a factor: with the first one, other sessions end.

    Raises:
        ProofNeeded: the session has proved less than the account's sign-in needs.
    """
    if added.is_first:
        sessions.end_sessions(user, spare=caller.session_id)
    else:
        proof.require_level(caller)  # a second step may be on since this was begun


def gets_new_tokens(caller: Caller) -> bool:
    """Whether adding the first factor gives the caller's session new tokens, as a recent second proof.

    A browser does not notice it, and a session for set-up could do nothing without. Other programs keep their tokens.
    """
    return caller.credential is Credential.COOKIE or caller.is_for_set_up


def remove_app(caller: Caller, app_id: uuid.UUID, *, keep_sessions: bool) -> None:
    """Remove an authenticator app; every other session ends unless they are kept.

    Raises:
        NotFound: there is no such app, or it is another user's.
        FactorRequired: it is the last factor of an account that must have one.
        TokenRevoked, ProofNeeded: as `proof.lock_account` does.
    """
    user = proof.lock_account(caller)
    apps.remove_app(user, app_id)
    finish_removal(caller, user, keep_sessions=keep_sessions)


def finish_removal(caller: Caller, user: User, *, keep_sessions: bool) -> None:
    """Do what follows when a locked user has removed a factor: unfinished sign-ins and other sessions end.

    Raises:
        FactorRequired: it was the last factor of an account that must have one.
    """
    if requirements.is_required(caller.user) and not factors.has_factors(user.id):
        raise FactorRequired
    second_step.cancel(user.id)
    if not keep_sessions:
        sessions.end_sessions(user, spare=caller.session_id)


def set_second_step(caller: Caller, *, is_on: bool) -> None:
    """Turn the second step on or off. When it is turned on, every other session ends, as with the first factor.

    Raises:
        NoFactor: there is no factor for it.
        FactorRequired: the account must have a second step.
        TokenRevoked, ProofNeeded: as `proof.lock_account` does.
    """
    user = proof.lock_account(caller)
    if not is_on and requirements.is_required(caller.user):
        raise FactorRequired
    if factors.set_second_step(user, is_on=is_on):
        second_step.cancel(user.id)
        if is_on:
            sessions.end_sessions(user, spare=caller.session_id)


def replace_recovery_codes(caller: Caller) -> list[str]:
    """New recovery codes; the earlier ones are no longer accepted.

    Raises:
        NoFactor: there is no factor that they could stand in for.
        TokenRevoked, ProofNeeded: as `proof.lock_account` does.
    """
    return factors.replace_recovery_codes(proof.lock_account(caller))
