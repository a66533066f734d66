"""Deleting invitations: those that ended, and what they say about a user who is deleted."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from flask import Flask

from userapi.core import clock, hooks
from userapi.core.batches import prune_in_batches
from userapi.core.hooks import Hooks
from userapi.mail import invitation_emails
from userapi.mail import queries as mail_queries
from userapi.users import email_address
from userapi.users import queries as user_queries
from userapi.users.models import User

from . import queries, sending


def configure(app: Flask) -> None:
    """Delete what invitations have of a user together with the user."""
    registered: Hooks = app.extensions[hooks.REGISTRY]
    registered.on_user_deleted.append(forget_user)


def forget_user(user: User) -> None:
    """Delete the invitations to a user with their emails, and remove the name of the user from those to others.

    Emails that the user has sent are deleted, because the name in them may be an earlier one. An invitation by staff
    stays valid; if its email is still queued, another one takes its place, without a name. If someone else has invited
    the same address, the name is removed from the emails, as far as it is the same.
    """
    found = queries.list_to_user(user.id, user.email_key)
    if found:
        for row in found:
            mail_queries.delete_to(list_spellings(row), invitation_emails.KINDS, clock.now())
        queries.delete_all([row.id for row in found])
    if user.is_staff or queries.has_invited(user.id):
        sent = queries.list_only_by_user(user.id)
        queued = {row.email_key for row in sent if _delete_emails(row)}
        for row in sent:
            if row.by_staff and row.email_key in queued:
                sending.send_without_name(row.id)
        for words in (user.email, f"{user.first_name} {user.last_name}".strip()):
            if "@" in words or " " in words:
                mail_queries.redact(words, invitation_emails.KINDS)


def _delete_emails(invitation: Any) -> bool:
    """Delete the emails to an address that was invited; returns whether one of them was still queued."""
    account = user_queries.find_recipient(invitation.email_key)
    recipients = {invitation.user_id, None if account is None else account.id} - {None}
    to_account = mail_queries.delete_to_users(recipients, invitation_emails.KINDS)
    to_address = mail_queries.delete_to(list_spellings(invitation), invitation_emails.KINDS, clock.now())
    return to_account or to_address


def list_spellings(invitation: Any) -> set[str]:
    """How the address of an invitation was written in emails to it, while it had no account."""
    local_part = invitation.email_key.rpartition("@")[0]
    recipients = mail_queries.list_recipients(invitation_emails.KINDS, clock.now(), local_part)
    return {invitation.email, *_select(recipients, {invitation.email_key})}


def prune(before: datetime) -> int:
    """Delete invitations that ended before a moment, and their emails, which name the inviter; returns the number."""
    return prune_in_batches(_prune_some, before)


def _prune_some(before: datetime, limit: int) -> int:
    found = queries.list_ended(before, limit)
    if found:
        # Later emails are those of another invitation to the same address.
        recipients = mail_queries.list_recipients(invitation_emails.KINDS, before)
        ended = {row.email for row in found} | _select(recipients, {row.email_key for row in found})
        mail_queries.delete_to(ended, invitation_emails.KINDS, before)
        queries.delete_all([row.id for row in found])
    return len(found)


def _select(recipients: Iterable[str], keys: set[str]) -> set[str]:
    return {recipient for recipient in recipients if email_address.key_or_none(recipient) in keys}
