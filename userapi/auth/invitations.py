"""Invitations: accounts without a password, and the emailed link to set the first one."""

from typing import Any, Protocol

import sqlalchemy as sa
from flask_babel import gettext as _
from flask_babel import lazy_gettext

from userapi.audit import audit_log
from userapi.core.problems import Problem
from userapi.mail import emails
from userapi.users import accounts, email_links, email_verification, password_policy, queries
from userapi.users.models import User
from userapi.users.site_urls import link

from . import passwords


class Inviter(Protocol):
    """The row of the user who invites."""

    email: str
    first_name: str
    last_name: str


class CannotInvite(Problem):
    """The account has a password already, or is not active."""

    status = 409
    code = "cannot_invite"
    title = lazy_gettext("Cannot send invitation")


def send_invitation(user: User, by: Inviter | None = None) -> None:
    """Email a locked user a link to set the first password; the link of an earlier invitation stops working.

    Args:
        user: locked, active, without a password.
        by: the staff member who invites; None at the command line.

    Raises:
        CannotInvite: the account has a password, or is not active.
    """
    if user.password_hash is not None:
        raise CannotInvite(_("%(email)s already has a password. Send a password reset instead.", email=user.email))
    if not user.is_active:
        raise CannotInvite(_("%(email)s is not active. Activate the account first.", email=user.email))
    queries.delete_tokens(user.id, email_links.INVITATION)
    token, expires_at = email_links.create_expiring_token(user, email_links.INVITATION, user.email_key)
    emails.send_invitation(
        user,
        inviter=_name_of(by) if by else "",
        link=link("invitation", passwords.link_uid(user), token),
        secret=token,
        expires_at=expires_at,
    )
    audit_log.record("user.invited", "user", user.id)


def find_pending_invitation(user: User) -> sa.Row[Any] | None:
    """The newest unused invitation of a user, as `created_at` and `expires_at`; None without one."""
    return queries.find_newest_token(user.id, email_links.INVITATION) if user.password_hash is None else None


def accept_invitation(uid: str, token: str, new_password1: str, new_password2: str) -> User:
    """Set the first password by the emailed link, which confirms the email.

    Raises:
        InvalidLink: the link was used, has expired, or was replaced by a newer one.
        ValidationFailed, WeakPassword: the password is rejected; the link still works, because the caller does not
            commit.
        TooManyRequests: the client sent too many invalid links.
    """
    user = passwords.use_link(uid, token, email_links.INVITATION)
    password_policy.require_same(new_password1, new_password2, accounts.personal_texts(user))
    accounts.set_password(user, new_password1, field="new_password1", notify=False)
    email_verification.mark_email_verified(user)
    audit_log.record("invitation.accepted", "user", user.id)
    return user


def _name_of(person: Inviter) -> str:
    name = emails.plain(f"{person.first_name} {person.last_name}")
    return name or person.email
