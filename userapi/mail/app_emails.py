"""The emails about client applications of the OpenID provider, one function each, as in `emails`."""

from datetime import datetime

from flask_babel import lazy_gettext

from userapi.core.context import get_acting_context

from .emails import Addressee, queue_email


def send_app_allowed(to: Addressee, *, app: str, link: str, when: datetime) -> None:
    """Report that the user has allowed an application to sign them in, for the first time.

    Args:
        to: who gets the email.
        app: what the operator calls the application.
        link: to the page that ends its access.
        when: it was allowed.
    """
    subject = lazy_gettext("You allowed an app to use your account")
    queue_email("app_allowed", to, subject, app=app, link=link, when=when, address=get_acting_context().ip_address)


def send_app_token_reused(to: Addressee, *, app: str, when: datetime) -> None:
    """Report that a used refresh token of an application was sent again, so its access was ended.

    Args:
        to: who gets the email.
        app: what the operator calls the application.
        when: its access was ended.
    """
    queue_email("app_token_reused", to, lazy_gettext("The access of an app was ended"), app=app, when=when)
