"""The emails about accounts that are not used, as in `emails`."""

from datetime import datetime

from flask_babel import lazy_gettext

from .emails import Addressee, queue_email


def send_account_inactive(to: Addressee, *, closes_at: datetime, link: str) -> None:
    """Warn that an account will be closed because it is not used.

    Args:
        to: who gets the email.
        closes_at: when; the email is not sent any more then.
        link: to the site.
    """
    subject = lazy_gettext("Sign in to keep your account")
    queue_email("account_inactive", to, subject, not_after=closes_at, closes_at=closes_at, link=link)
