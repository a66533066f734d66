"""Who may open an account: everyone, only those with an invitation, or no one but staff (decisions 0094 and 0095)."""

from typing import Any

from flask import current_app
from flask_babel import gettext as _
from flask_babel import lazy_gettext

from userapi.core.email_domains import is_in_domains
from userapi.core.i18n import format_list
from userapi.core.problems import Problem, ValidationFailed

from . import permissions
from .permissions import Actor

#: The values of the setting REGISTRATION.
OPEN, INVITED, CLOSED = "open", "invited", "closed"


class RegistrationClosed(Problem):
    """The settings do not let this visitor open an account."""

    status = 403
    code = "registration_closed"
    title = lazy_gettext("Registration closed")
    detail = lazy_gettext("New accounts cannot be registered on this site. Contact support if you need one.")
    needs_invitation = lazy_gettext(
        "You need an invitation to register on this site. If you have one, open the link in its email."
    )


class EmailDomainNotAllowed(ValidationFailed):
    """The settings name the domains of email addresses that can register, and this is none of them."""

    code = "email_domain_not_allowed"
    title = lazy_gettext("Email domain not allowed")


def is_open() -> bool:
    """Whether visitors can open an account."""
    return bool(current_app.config["REGISTRATION"] == OPEN)


def are_invitations_on() -> bool:
    """Whether invitations can be sent and accepted."""
    return bool(current_app.config["REGISTRATION"] != CLOSED)


def require_open(by: Actor | None = None) -> None:
    """Check that an account can be opened without an invitation.

    Args:
        by: the caller, if any; staff who may add users always can.

    Raises:
        RegistrationClosed: it cannot.
    """
    if not is_open() and not may_add_users(by):
        raise RegistrationClosed(str(RegistrationClosed.needs_invitation) if are_invitations_on() else None)


def require_invitations() -> None:
    """Check that invitations can be sent and accepted.

    Raises:
        RegistrationClosed: they cannot.
    """
    if not are_invitations_on():
        raise RegistrationClosed


def require_allowed_domain(email_key: str, by: Actor | None = None) -> None:
    """Check that an email address is one that users may register with or change to.

    Args:
        email_key: its normal form.
        by: the caller, if any; staff who may add users can use any.

    Raises:
        EmailDomainNotAllowed: its domain is not among those that the settings name.
    """
    domains = current_app.config["REGISTRATION_EMAIL_DOMAINS"]
    if domains and not is_in_domains(email_key.rpartition("@")[2], domains) and not may_add_users(by):
        message = _("Use an email address of one of these domains: %(domains)s.", domains=format_list(domains))
        raise EmailDomainNotAllowed(errors={"email": [message]})


def may_add_users(by: Any) -> bool:
    """Whether a caller may add users, as staff do."""
    return by is not None and permissions.has_permission(by, permissions.ADD_USER)
