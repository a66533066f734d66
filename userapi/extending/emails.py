"""Emails of extensions, and the URLs in them."""

from datetime import datetime
from typing import Any

from flask import current_app

from userapi.mail import emails
from userapi.mail.emails import Recipient

from .users import User

#: A name that a user chose, as an email may contain it: empty if it could be a message, a link or markup.
plain_name = emails.plain


def send_email(
    kind: str,
    to: User | str,
    subject: Any,
    *,
    reason: Any = None,
    secret: str | None = None,
    not_after: datetime | None = None,
    **facts: Any,
) -> None:
    """Queue an email in the current transaction; it is sent only if that is committed.

    Args:
        kind: the name of the templates `mail/KIND.txt` and `mail/KIND.html`, which extend `mail/layout.…`.
        to: a user, whose account then deletes the email with it; or any email address.
        subject: one line. A lazy text is translated into the language of the recipient.
        reason: the line of the footer that says why someone gets the email, a lazy text; by default that the recipient
            has an account.
        secret: a token in the email, which is removed from the stored text once it is sent.
        not_after: from when on it is not sent any more.
        facts: the variables of the templates. Pass names that users chose through `plain_name`.
    """
    addressee = Recipient(to) if isinstance(to, str) else Recipient(to.email, to.first_name, to.language, to.id)
    if reason is not None:
        facts["reason"] = reason
    emails.queue_email(kind, addressee, subject, secret=secret, not_after=not_after, **facts)


def site_url(path: str) -> str:
    """The URL of a path of this service, for emails: `site_url("/shop/basket/")`."""
    return f"{current_app.config['SITE_URL']}{path}"
