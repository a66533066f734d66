"""Closing an account: it is inactive immediately, and deleted some days later unless it is restored."""

from datetime import datetime, timedelta

from flask import current_app
from flask_babel import gettext as _

from userapi.audit import audit_log
from userapi.auth import proof, second_step, sessions
from userapi.auth.caller import Caller
from userapi.core import clock
from userapi.core.db import db
from userapi.core.problems import ValidationFailed
from userapi.users import account_kinds, accounts, act_rules
from userapi.users import queries as user_queries
from userapi.users.models import User
from userapi.users.permissions import Actor

from . import queries, restore_links


def close_own_account(caller: Caller, password: str | None) -> datetime | None:
    """Close the caller's account.

    Args:
        caller: whose account.
        password: the current one, which an account that has one requires.

    Returns:
        When the account is deleted; None if that was now.

    Raises:
        ValidationFailed: the password is missing.
        ProofNeeded, WrongPassword, TokenRevoked, TooManyRequests: as `proof.lock_after_proof` does.
        LastSuperuser: no active superuser would be left.
        hooks.Denied: an extension does not allow it.
    """
    if caller.user.has_password and not password:
        raise ValidationFailed(errors={"password": [_("Enter your password to close your account.")]})
    user = proof.lock_after_proof(caller, password)
    if current_app.config["CLOSING_DAYS"]:
        return start_closing(user, by=user)
    if user.held_reason is None:
        accounts.delete(user, by=user)
    else:  # the hold is not the owner's business: the account is deleted once it is released
        start_closing(user, by=user, closes_at=clock.now())
    return None


def start_closing(user: User, *, by: Actor | None, closes_at: datetime | None = None) -> datetime:
    """Deactivate an account that is to be deleted later, and email the links that restore it until then.

    The links go to its email address, and to every confirmed one that its owner has replaced in the last 14 days: who
    took the account over and changed its address cannot hide this. No other account can take these addresses until
    then.

    Args:
        user: locked and active.
        by: the user who acts, its owner; None for the service itself.
        closes_at: when it is deleted; None: after CLOSING_DAYS.

    Returns:
        When it is deleted.

    Raises:
        NotForServiceAccounts: it is a service account.
        LastSuperuser: no active superuser would be left.
        hooks.Denied: an extension does not allow the deletion.
    """
    account_kinds.require_person(user)
    now = clock.now()
    moment = closes_at or now + timedelta(days=current_app.config["CLOSING_DAYS"])
    act_rules.run("user.delete", user, {}, by)
    accounts.deactivate(user)  # which also revokes the API keys
    second_step.cancel(user.id)
    sessions.end_sessions(user)
    user.closes_at = moment
    audit_log.record("user.closing", "user", user.id, {"closes_at": (None, moment.isoformat())})
    queries.delete_restores(user.id)
    if moment > now:
        _send_links(user, now - user_queries.REPLACED_ADDRESSES_KEPT)
    db.session.flush()
    return moment


def _send_links(user: User, since: datetime) -> None:
    replaced = [email for email in queries.list_replaced_addresses(user.id, since) if email != user.email]
    if user.closes_at is not None:
        queries.reserve_replaced_addresses(user.id, since, user.closes_at)
    for address in (user.email, *replaced):
        restore_links.send(user, address)
