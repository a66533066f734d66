"""What signed-in users do with their passkeys, and which sessions end with it."""

import uuid
from typing import Any

from userapi.core.context import get_acting_context
from userapi.http.user_agents import describe_user_agent
from userapi.mfa import passkeys
from userapi.mfa.passkeys import Added

from . import factor_changes, passwords, proof, sessions
from .caller import Caller


def request_options(caller: Caller) -> dict[str, Any]:
    """The options for a new passkey, which the same session has to send.

    Raises:
        PasskeysUnavailable, FactorUnavailable, EmailUnverified, TooManyFactors: the caller cannot add one.
        TokenRevoked: the account has been deactivated or deleted since.
    """
    return passkeys.request_options(passwords.lock_active_user(caller.user.id), caller.session_id)


def add_passkey(caller: Caller, credential: object, name: str) -> Added:
    """Add a passkey. If it is the first factor, every other session ends.

    Args:
        caller: in the session that requested the options.
        credential: what the browser sent.
        name: what the user calls it; if it is empty, it is named after the browser.

    Raises:
        PasskeyRefused: the response fails a check.
        PasskeyKnown: the passkey belongs to an account already.
        ProofNeeded: the session has proved less than the account's sign-in needs.
        PasskeysUnavailable, FactorUnavailable, EmailUnverified, TooManyFactors: the caller cannot add one.
        TokenRevoked: the account has been deactivated or deleted since.
    """
    user = passwords.lock_active_user(caller.user.id)
    name = name or describe_user_agent(get_acting_context().user_agent)
    added = passkeys.add(user, caller.session_id, credential, name)
    if added.is_first:
        sessions.end_sessions(user, spare=caller.session_id)
    else:
        proof.require_level(caller)  # a second step may be on since the options were requested
    return added


def remove_passkey(caller: Caller, passkey_id: uuid.UUID, *, keep_sessions: bool) -> None:
    """Remove a passkey; every other session ends unless they are kept.

    Raises:
        NotFound: there is no such passkey, or it is another user's.
        LastWayIn: the user has no password and no other passkey.
        FactorRequired: it is the last factor of an account that must have one.
        TokenRevoked: the account has been deactivated or deleted since.
    """
    user = passwords.lock_active_user(caller.user.id)
    passkeys.remove(user, passkey_id)
    factor_changes.finish_removal(caller, user, keep_sessions=keep_sessions)
