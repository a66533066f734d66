"""URLs in emails and API responses: built from the settings alone, whatever `Host` a request came with."""

from flask import current_app


def link(*parts: str) -> str:
    """The URL of a page of the front end, or of this service if there is none: `link("verify-email", token)`."""
    base = current_app.config["FRONTEND_URL"] or current_app.config["SITE_URL"]
    return "/".join((base, *parts)) + "/"


def sign_in_url() -> str:
    """Where users sign in."""
    return link("login")


def invitations_url() -> str:
    """The absolute URL of the list of invitations; the URL of each begins with it."""
    return f"{current_app.config['SITE_URL']}/userapi/invitations/"


def security_url() -> str:
    """The page of this service on which users set up a second step."""
    return f"{current_app.config['SITE_URL']}/account/security/"


def users_url() -> str:
    """The absolute URL of the list of users; the URL of each user begins with it."""
    return f"{current_app.config['SITE_URL']}/userapi/users/"


def service_accounts_url() -> str:
    """The absolute URL of the list of service accounts; the URL of each begins with it."""
    return f"{current_app.config['SITE_URL']}/userapi/service-accounts/"


def provider_start_url(provider_id: str) -> str:
    """Where an app sends a browser to sign in with a provider."""
    return f"{current_app.config['SITE_URL']}/auth/start/{provider_id}/"
