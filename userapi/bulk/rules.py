"""The actions on accounts that staff can apply to many accounts, and their rules."""

from collections.abc import Callable
from typing import NamedTuple

from flask_babel import lazy_gettext

from userapi.audit import audit_log
from userapi.auth import passwords, sessions
from userapi.core.problems import Problem
from userapi.users import account_edits, accounts, permissions
from userapi.users.account_kinds import is_service
from userapi.users.models import User
from userapi.users.permissions import Actor


class OwnAccount(Problem):
    """The action would lock out the staff member who started it."""

    status = 409
    code = "own_account"
    title = lazy_gettext("Your own account")
    detail = lazy_gettext("This would lock you out. Remove your own account from the selection.")


class Rule(NamedTuple):
    """An action on accounts.

    Attributes:
        needs: the permission, as action and kind.
        act: acts on a locked account, on behalf of a staff member.
        is_active: the accounts that it applies to: active, inactive, or both (None).
        spares_own: whether it is not allowed on the own account.
        is_for_people: whether it does not apply to service accounts.
    """

    needs: tuple[str, str]
    act: Callable[[User, Actor], None]
    is_active: bool | None = None
    spares_own: bool = False
    is_for_people: bool = False

    def applies_to(self, user: User) -> bool:
        """Whether the account is in the state that the action changes, and of a kind that it is for."""
        return self.is_active in (None, user.is_active) and not (self.is_for_people and is_service(user))

    def spares(self, user: User, by: Actor) -> bool:
        """Whether the account is the actor's own, and the action is not allowed on that."""
        return self.spares_own and user.id == by.id


def _send_reset(user: User, _by: Actor) -> None:
    passwords.send_reset_email(user)
    audit_log.record("user.password_reset_requested", "user", user.id)


RULES = {
    "activate": Rule(("change", "user"), lambda user, by: account_edits.set_active(user, True, by=by), is_active=False),
    "deactivate": Rule(
        ("change", "user"),
        lambda user, by: account_edits.set_active(user, False, by=by),
        is_active=True,
        spares_own=True,
    ),
    "end_sessions": Rule(("delete", "session"), lambda user, _by: sessions.end_sessions(user), spares_own=True),
    "send_reset": Rule(("change", "user"), _send_reset, is_active=True, is_for_people=True),
    "delete": Rule(("delete", "user"), lambda user, by: accounts.delete(user, by=by), spares_own=True),
}


def list_possible_actions(user: User, by: Actor) -> list[str]:
    """The actions that the actor can do to an account over which they have authority (`require_authority`)."""
    return [
        name
        for name, rule in RULES.items()
        if permissions.has_permission(by, "_".join(rule.needs)) and rule.applies_to(user) and not rule.spares(user, by)
    ]


def act_on_account(action: str, user_id: int, by: Actor) -> bool:
    """Act on one account; returns whether the action applies to it.

    Raises:
        NotFound, PermissionDenied, OwnAccount, LastSuperuser, hooks.Denied: nothing was written.
    """
    rule = RULES[action]
    user = accounts.lock(user_id, by=by, permission="_".join(rule.needs))
    if not rule.applies_to(user):
        return False
    if rule.spares(user, by):
        raise OwnAccount
    rule.act(user, by)
    return True
