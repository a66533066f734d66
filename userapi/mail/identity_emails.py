"""The emails about sign-in with other services, one function each, as in `emails`."""

from datetime import datetime

from flask_babel import lazy_gettext

from userapi.core.context import get_acting_context

from .emails import Addressee, queue_email


def send_identity_linked(to: Addressee, *, provider: str, when: datetime) -> None:
    """Report that another service signs in to the account now.

    Args:
        to: who gets the email.
        provider: the name of the service in the settings.
        when: it was linked.
    """
    subject = lazy_gettext("A new way to sign in to your account")
    queue_email("identity_linked", to, subject, provider=provider, when=when, address=get_acting_context().ip_address)


def send_identity_unlinked(to: Addressee, *, provider: str, when: datetime) -> None:
    """Report that another service does not sign in to the account any more; arguments as for `send_identity_linked`."""
    subject = lazy_gettext("A way to sign in was removed from your account")
    queue_email("identity_unlinked", to, subject, provider=provider, when=when, address=get_acting_context().ip_address)
