"""The links that restore closed accounts: they are sent, sent again, and withdrawn by staff (decision 0103)."""

import secrets
from typing import NamedTuple

from flask import Flask

from userapi.audit import audit_log
from userapi.core import clock, hooks
from userapi.core.db import db
from userapi.core.hooks import Hooks
from userapi.mail import closing_emails, emails
from userapi.users import email_address, email_links
from userapi.users.models import User
from userapi.users.site_urls import link

from . import queries
from .models import AccountRestore


class Recipient(NamedTuple):
    """An email address from which a closed account can be restored, if it has a valid link.

    Attributes:
        email: the address.
        key: its normal form.
        is_own: whether it is that of the account; otherwise restoring the account gives it this earlier address back.
        is_valid: whether a link that was sent to it can be used.
        is_withdrawn: whether staff have withdrawn its links.
    """

    email: str
    key: str
    is_own: bool
    is_valid: bool
    is_withdrawn: bool


def configure(app: Flask) -> None:
    """Send links again to owners of closed accounts who request a password reset."""
    registered: Hooks = app.extensions[hooks.REGISTRY]
    registered.on_reset_without_account.append(resend_to)


def send(user: User, email: str) -> None:
    """Email a link that restores a locked, closed account, to its email address or to one that it can get back."""
    token, closes_at = secrets.token_urlsafe(32), user.closes_at
    if closes_at is None:
        raise ValueError("the account is not closed")
    db.session.add(
        AccountRestore(digest=email_links.hash_token(token), user_id=user.id, email=email, expires_at=closes_at)
    )
    closing_emails.send_account_closing(
        emails.at_address(user, email),
        closes_at=closes_at,
        link=link("restore-account", token),
        secret=token,
        restores_email=email != user.email,
    )


def resend_to(key: str) -> int | None:
    """Email another link to an address, if a closed account can be restored from it; links sent earlier stay valid.

    Args:
        key: the normal form of the address.

    Returns:
        The id of the account; None if none is closed, or staff have withdrawn the links to the address.
    """
    user = queries.lock_closed_account(key, clock.now())
    if user is None:
        return None
    chosen = [each for each in list_recipients(user) if each.key == key and not each.is_withdrawn]
    for each in chosen:
        send(user, each.email)
    return user.id if chosen else None


def list_recipients(user: User) -> list[Recipient]:
    """The addresses from which a closed account can be restored, its own first; none if it can no longer be."""
    now, own = clock.now(), user.email_key
    if user.closes_at is None or user.closes_at <= now or user.is_active:
        return []
    emails_by_key = {own: user.email}
    validity: dict[str, bool] = {}
    for row in queries.list_restores(user.id):
        key = email_address.key_or_none(row.email) or ""
        emails_by_key.setdefault(key, row.email)
        validity[key] = validity.get(key, False) or row.expires_at > now
    return [
        Recipient(email, key, key == own, validity.get(key, False), validity.get(key) is False)
        for key, email in emails_by_key.items()
        if key == own or queries.find_replacement(user.id, key) is not None
    ]


def withdraw(user: User, email: str | None = None) -> list[str]:
    """Make the links to an address invalid, so that the account is deleted when its time has come.

    A password reset does not send them again; staff can. For an earlier address, the links that undo its change
    become invalid too: they would give that address the account back once it is restored in another way.

    Args:
        user: locked and closed.
        email: the address; None for all.

    Returns:
        The addresses whose links were valid.
    """
    chosen = [each for each in _choose(user, email) if each.is_valid]
    keys = {each.key for each in chosen}
    found = [row.id for row in queries.list_restores(user.id) if email_address.key_or_none(row.email) in keys]
    queries.end_restores(found, clock.now())
    for each in chosen:
        if not each.is_own:
            queries.release_replaced_address(user.id, each.key, clock.now())
        audit_log.record("user.restore_withdrawn", "user", user.id, {"address": (each.email, None)})
    return [each.email for each in chosen]


def resend(user: User, email: str | None = None) -> list[str]:
    """Email another link to an address, also after its links were withdrawn, which this undoes.

    Args:
        user: locked.
        email: the address; None for all.

    Returns:
        The addresses that get one; none if the account cannot be restored, or not from this address.
    """
    chosen = _choose(user, email)
    for each in chosen:
        if not each.is_own and user.closes_at is not None:
            queries.reserve_replaced_address(user.id, each.key, user.closes_at)
        send(user, each.email)
        audit_log.record("user.restore_sent", "user", user.id, {"address": (None, each.email)})
    return [each.email for each in chosen]


def _choose(user: User, email: str | None) -> list[Recipient]:
    key = None if email is None else email_address.key_or_none(email)
    return [each for each in list_recipients(user) if email is None or each.key == key]
