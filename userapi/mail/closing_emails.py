"""The emails about closed accounts, one function each, as in `emails`."""

from datetime import datetime

from flask_babel import lazy_gettext

from .emails import Addressee, queue_email


def send_account_closing(to: Addressee, *, closes_at: datetime, link: str, secret: str, restores_email: bool) -> None:
    """Report that the account is going to be deleted, with the link that restores it.

    Args:
        to: who gets the email.
        closes_at: when the account is deleted; the email is not sent any more then.
        link: the URL with the secret.
        secret: the token in it, removed once the email is sent.
        restores_email: whether the link also changes the email address of the account back to the recipient's.
    """
    subject = lazy_gettext("Your account will be deleted")
    queue_email(
        "account_closing", to, subject, secret=secret, not_after=closes_at, closes_at=closes_at, link=link,
        restores_email=restores_email,
    )  # fmt: skip


def send_account_restored(to: Addressee, *, when: datetime, ip: str | None) -> None:
    """Report that the account was restored and has a new password."""
    queue_email("account_restored", to, lazy_gettext("Your account was restored"), when=when, address=ip)
