"""What can be done to many accounts, and the rules for each of them."""

from collections.abc import Callable
from typing import NamedTuple

from flask_babel import lazy_gettext

from userapi.audit import audit_log
from userapi.auth import passwords, sessions
from userapi.core.problems import Problem
from userapi.users import accounts
from userapi.users.models import User
from userapi.users.permissions import Actor


class OwnAccount(Problem):
    """The action would lock out the user who takes it."""

    status = 409
    code = "own_account"
    title = lazy_gettext("Your own account")
    detail = lazy_gettext("This would lock you out. Remove your own account from the selection.")


class Rule(NamedTuple):
    """One thing that can be done to accounts.

    Attributes:
        needs: the permission, as action and kind.
        act: does it to a held account.
        is_active: the accounts that it concerns: active ones, inactive ones, or both (None).
        spares_own: whether users may not do it to themselves.
    """

    needs: tuple[str, str]
    act: Callable[[User], None]
    is_active: bool | None = None
    spares_own: bool = False


def _send_reset(user: User) -> None:
    passwords.send_reset_email(user)
    audit_log.record("user.password_reset_requested", "user", user.id)


RULES = {
    "activate": Rule(("change", "user"), accounts.activate, is_active=False),
    "deactivate": Rule(("change", "user"), accounts.deactivate, is_active=True, spares_own=True),
    "end_sessions": Rule(("delete", "session"), sessions.end_sessions, spares_own=True),
    "send_reset": Rule(("change", "user"), _send_reset, is_active=True),
    "delete": Rule(("delete", "user"), accounts.delete, spares_own=True),
}


def act(action: str, user_id: int, by: Actor) -> bool:
    """Do something to one account; whether the account was one that the action concerns.

    Raises:
        NotFound, PermissionDenied, OwnAccount, LastSuperuser: and nothing is written.
    """
    rule = RULES[action]
    user = accounts.lock(user_id, by=by, needs="_".join(rule.needs))
    if rule.is_active not in (None, user.is_active):
        return False
    if rule.spares_own and user.id == by.id:
        raise OwnAccount
    rule.act(user)
    return True
