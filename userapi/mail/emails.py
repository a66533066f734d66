"""The emails that we send, one function each: they put an email into the queue.

People we do not know choose names, email addresses and browsers, but the email comes from us. So it contains what they
typed only where that cannot be a message, a link or markup. An email is in the language of its recipient if that is
known, not in that of the request that caused it: a warning must be readable for the person it warns.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from flask_babel import lazy_gettext
from flask_babel.speaklater import LazyString

from userapi.core.db import db
from userapi.core.i18n import format_list
from userapi.core.site import get_site
from userapi.http.user_agents import describe_user_agent

from . import queue
from .models import EmailMessage

#: What a mail program could turn into a link, what controls the layout, and what reverses the direction of text.
SUSPICIOUS = re.compile(
    r"[/\\@<>\[\]{}|`]|\w:|[.。．｡]\w{2}|www|[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]", re.IGNORECASE
)

#: A longer name could hold a message of its own.
MAX_NAME_LENGTH = 50

RIGHTS = {"is_staff": lazy_gettext("staff member"), "is_superuser": lazy_gettext("superuser")}

#: Why someone gets an email, for its footer; `%(site)s` is the site.
REASON = lazy_gettext("You received this email because you have an account at %(site)s.")
REASONS = {
    "verify_email": lazy_gettext("You received this email because an account at %(site)s uses your email address."),
    "confirm_new_email": lazy_gettext(
        "You received this email because someone entered your email address for an account at %(site)s."
    ),
    "account_closing": lazy_gettext(
        "You received this email because an account at %(site)s has or had your email address."
    ),
    "email_changed": lazy_gettext("You received this email because your account at %(site)s had this email address."),
    "invitation": lazy_gettext("You received this email because someone invited you to %(site)s."),
    "test_email": lazy_gettext("You received this email because %(site)s sent a test to this email address."),
}


class Addressee(Protocol):
    """Who gets an email: a user, or a `Recipient`.

    Attributes:
        id: the account that the email is about; it is deleted with that account.
        email: the email address that it is sent to.
        first_name: for the greeting; may be empty.
        language: the language of the email; None is that of the request.
    """

    @property
    def id(self) -> int | None: ...

    @property
    def email(self) -> str: ...

    @property
    def first_name(self) -> str: ...

    @property
    def language(self) -> str | None: ...


@dataclass(frozen=True)
class Recipient:
    """An `Addressee` that is not a user with their present email address."""

    email: str
    first_name: str = ""
    language: str | None = None
    id: int | None = None


def at_address(user: Addressee, email: str) -> Recipient:
    """A user at another email address, such as a new one that is not confirmed yet."""
    return Recipient(email, user.first_name, user.language, user.id)


def send_verification(to: Addressee, *, link: str, secret: str) -> None:
    """Ask the owner of a new account to confirm the email address.

    Args:
        to: who gets the email.
        link: the URL with the secret.
        secret: the token in it, removed once the email is sent.
    """
    queue_email("verify_email", to, lazy_gettext("Confirm your email address"), secret=secret, link=link)


def send_email_change_confirmation(to: Addressee, *, link: str, secret: str) -> None:
    """Ask, at the new email address, to confirm the change; arguments as for `send_verification`."""
    queue_email("confirm_new_email", to, lazy_gettext("Confirm your new email address"), secret=secret, link=link)


def send_email_changed(to: Addressee, *, new_email: str, link: str = "", secret: str = "", days: int = 0) -> None:
    """Tell the old email address that a new one, shown as a hint, has replaced it.

    Args:
        to: the user at the old email address.
        new_email: the new one.
        link: undoes the change; empty if that is not possible.
        secret: the token in it, removed once the email is sent.
        days: how long the link is valid.
    """
    subject = lazy_gettext("Your email address was changed")
    queue_email("email_changed", to, subject, secret=secret, new_address=masked(new_email), link=link, days=days)


def send_password_reset(to: Addressee, *, link: str, secret: str, minutes: int) -> None:
    """Send the link that sets a new password.

    Args:
        to: who gets the email.
        link: the URL with the secret.
        secret: the token in it, removed once the email is sent.
        minutes: how long the link is valid.
    """
    subject = lazy_gettext("Reset your password")
    queue_email("reset_password", to, subject, secret=secret, link=link, minutes=minutes)


def send_password_changed(to: Addressee, *, when: datetime, ip: str | None, revoked_keys: Sequence[str] = ()) -> None:
    """Report a new password, and the API keys that were revoked with it, as `api_key_emails.name_key` names them."""
    subject = lazy_gettext("Your password was changed")
    keys = LazyString(format_list, list(revoked_keys)) if revoked_keys else None
    queue_email("password_changed", to, subject, when=when, address=ip, keys=keys)


def send_new_sign_in(to: Addressee, *, when: datetime, ip: str | None, user_agent: str | None) -> None:
    """Report a sign-in from an IP address and browser that the user has not used before."""
    subject = lazy_gettext("New sign-in to your account")
    queue_email("new_sign_in", to, subject, when=when, address=ip, device=LazyString(describe_user_agent, user_agent))


def send_token_reused(to: Addressee, *, when: datetime, ip: str | None) -> None:
    """Report that a used refresh token was sent again, so its session was ended."""
    queue_email("token_reused", to, lazy_gettext("One of your sessions was ended"), when=when, address=ip)


def send_permissions_granted(to: Addressee, *, rights: Sequence[str]) -> None:
    """Report new permissions.

    Args:
        to: who gets the email.
        rights: the fields that were set, such as `is_staff`.
    """
    named = LazyString(format_list, [RIGHTS.get(right, right) for right in rights])
    queue_email("rights_granted", to, lazy_gettext("You were given more permissions"), rights=named)


def create_test_email(email: str, user_id: int | None = None, language: str | None = None) -> EmailMessage:
    """An email that shows whether emails arrive.

    Args:
        email: the recipient.
        user_id: the account with this email, if there is one; deleting the account deletes the email.
        language: one of the available languages; None: that of the request or the shell.
    """
    return queue_email("test_email", Recipient(email, id=user_id, language=language), lazy_gettext("Test email"))


def simulate_password_reset() -> None:
    """Do the work of an email and discard it, so that a request for an unknown email address takes as long."""
    with db.session.begin_nested() as savepoint:
        send_password_reset(Recipient("sample@example.com"), link="", secret="", minutes=1)
        db.session.flush()
        savepoint.rollback()


def queue_email(
    kind: str,
    to: Addressee,
    subject: Any,
    *,
    secret: str | None = None,
    not_after: datetime | None = None,
    not_before: datetime | None = None,
    **facts: Any,
) -> EmailMessage:
    """Put an email into the queue; arguments as for `queue.add`."""
    facts["name"] = plain(to.first_name)
    facts.setdefault("reason", LazyString(_reason, kind, str(get_site())))
    return queue.add(
        kind,
        to.email,
        subject,
        user_id=to.id,
        language=to.language,
        secret=secret,
        not_after=not_after,
        not_before=not_before,
        **facts,
    )


def _reason(kind: str, site: str) -> str:
    return str(REASONS.get(kind, REASON)) % {"site": site}


def plain(name: str) -> str:
    """A name for a greeting, or nothing if it could contain more than a name."""
    name = " ".join(name.split())
    return "" if len(name) > MAX_NAME_LENGTH or SUSPICIOUS.search(name) else name


def masked(email: str) -> str:
    """A hint at an email address that its owner recognizes and no one else can use: `n…@e….com`."""
    local, _, domain = email.rpartition("@")
    return f"{local[:1]}…@{domain[:1]}….{domain.rpartition('.')[2]}"
