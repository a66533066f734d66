"""The emails about API keys, one function each, as in `emails`."""

from datetime import datetime

from flask_babel import lazy_gettext

from .emails import Addressee, plain, queue_email


def send_key_expires(to: Addressee, *, key: str, last4: str, account: str, link: str, when: datetime) -> None:
    """Warn that a key expires soon.

    Args:
        to: who gets the email.
        key: what the user calls the key.
        last4: its last characters.
        account: the name of the service account that it belongs to; empty if it is the user's own.
        link: to the keys.
        when: the end.
    """
    subject = lazy_gettext("An API key expires soon")
    queue_email("api_key_expires", to, subject, key=name_key(key, last4), account=account, link=link, when=when)


def send_key_used_elsewhere(
    to: Addressee, *, key: str, last4: str, account: str, link: str, when: datetime, ip: str | None
) -> None:
    """Report that a key was used from an IP address for the first time; arguments as for `send_key_expires`.

    Args:
        ip: the IP address.
    """
    subject = lazy_gettext("An API key was used from a new IP address")
    label = name_key(key, last4)
    queue_email("api_key_used_elsewhere", to, subject, key=label, account=account, link=link, when=when, address=ip)


def name_key(key: str, last4: str) -> str:
    """What the user calls a key, and its end; only the end if the name could be a message."""
    return f"{plain(key)} (…{last4})".strip()
