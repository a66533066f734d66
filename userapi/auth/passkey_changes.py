"""What signed-in users do with their passkeys, and which sessions end with it."""

import uuid
from typing import Any

from userapi.core.context import get_acting_context
from userapi.http.user_agents import describe_user_agent
from userapi.mfa import passkeys
from userapi.mfa.factors import Added

from . import factor_changes, proof, ways_in
from .caller import Caller


def request_options(caller: Caller) -> dict[str, Any]:
    """The options for a new passkey, which the same session has to send.

    Raises:
        PasskeysUnavailable, FactorUnavailable, EmailUnverified, TooManyFactors: the caller cannot add one.
        TokenRevoked, ProofNeeded: as `proof.lock_account` does.
    """
    return passkeys.request_options(proof.lock_account(caller), caller.session_id)


def add_passkey(caller: Caller, credential: object, name: str) -> Added:
    """Add a passkey. If it is the first factor, every other session ends.

    Args:
        caller: in the session that requested the options.
        credential: what the browser sent.
        name: what the user calls it; if it is empty, it is named after the browser.

    Raises:
        PasskeyRefused: the response fails a check.
        PasskeyKnown: the passkey belongs to an account already.
        PasskeysUnavailable, FactorUnavailable, EmailUnverified, TooManyFactors: the caller cannot add one.
        ProofNeeded: the session has proved less than the account's sign-in needs.
        TokenRevoked: the session has ended, or the account is not active.
    """
    user = proof.lock_in_session(caller)
    name = name or describe_user_agent(get_acting_context().user_agent)
    added = passkeys.add(user, caller.session_id, credential, name)
    factor_changes.finish_addition(caller, user, added)
    return added


def remove_passkey(caller: Caller, passkey_id: uuid.UUID, *, keep_sessions: bool) -> None:
    """Remove a passkey; every other session ends unless they are kept.

    Raises:
        NotFound: there is no such passkey, or it is another user's.
        LastWayIn: nothing else would sign in to the account.
        FactorRequired: it is the last factor of an account that must have one.
        TokenRevoked, ProofNeeded: as `proof.lock_account` does.
    """
    user = proof.lock_account(caller)
    passkeys.remove(user, passkey_id)
    ways_in.require_way_in(user)
    factor_changes.finish_removal(caller, user, keep_sessions=keep_sessions)
