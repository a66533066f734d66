"""The emails about webhooks, one function each, as in `emails`."""

from datetime import datetime

from flask_babel import lazy_gettext

from .emails import Addressee, queue_email


def send_webhook_disabled(to: Addressee, *, host: str, is_gone: bool, link: str, when: datetime) -> None:
    """Report that the service has disabled a webhook.

    Args:
        to: who gets the email.
        host: of the webhook's URL, which itself may contain a secret.
        is_gone: whether it responded with 410 Gone; otherwise no delivery succeeded for days.
        link: to the webhooks.
        when: it was disabled.
    """
    subject = lazy_gettext("A webhook was disabled")
    queue_email("webhook_disabled", to, subject, host=host, is_gone=is_gone, link=link, when=when)
