"""Changing a password, and setting the first one of an account that was opened without."""

from . import passwords, proof, sessions
from .caller import Caller


def change_password(caller: Caller, new_password1: str, new_password2: str, old_password: str | None = None) -> None:
    """Change the caller's password, or set the first one; every other session ends.

    What was sent as the old password of an account without one does not matter.

    Raises:
        WrongPassword: the old password is wrong; an audit event was written, which the caller must commit.
        ProofNeeded: there is no recent proof of identity, and the account has no password or its second step is on.
        ValidationFailed: the new passwords differ.
        WeakPassword: the new password breaks the policy.
        TokenRevoked: the session has ended, or the account is not active.
        TooManyRequests: the old password was wrong too often.
    """
    user_id = caller.user.id
    proof.require_fresh_where_needed(always=not caller.user.has_password)
    if caller.user.has_password:
        passwords.change_password(user_id, caller.session_id, old_password or "", new_password1, new_password2)
        return
    user = proof.lock_account(caller)
    if user.password_hash is not None:  # another request was faster
        passwords.change_password(user_id, caller.session_id, old_password or "", new_password1, new_password2)
        return
    passwords.set_new_password(user, new_password1, new_password2, by=user)
    sessions.end_sessions(user, spare=caller.session_id)
