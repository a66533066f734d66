"""Changing a password that one has."""

import uuid

from userapi.audit import trail
from userapi.core import passwords
from userapi.core.problems import ValidationFailed
from userapi.users import accounts
from userapi.users import queries as user_queries

from . import queries, sessions
from .problems import TokenRevoked, WrongPassword


def change(user_id: int, session_id: uuid.UUID, old_password: str, new_password1: str, new_password2: str) -> None:
    """Replace a password by its owner, who stays signed in; every other session ends.

    Raises:
        WrongPassword: the old one is not the present one; the event must be committed by the door.
        ValidationFailed: the new one was not typed the same twice.
        WeakPassword: the new one breaks the policy.
        TokenRevoked: the account or its password changed meanwhile.
    """
    seen = queries.password_hash(user_id)
    if not passwords.verify(old_password, seen):
        trail.record("user.password_change_failed", "user", user_id)
        raise WrongPassword("old_password")
    if new_password1 != new_password2:
        raise ValidationFailed(errors={"new_password2": ["The two passwords differ."]})
    user = user_queries.for_update(user_id)
    if user is None or user.password_hash != seen or not user.is_active:
        raise TokenRevoked
    accounts.set_password(user, new_password1, field="new_password1")
    sessions.end_all(user, spare=session_id)
