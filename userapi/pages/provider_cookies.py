"""The cookies of sign-in with a provider: who began the visit must be who ends it, and the ticket for what follows."""

import secrets

from flask import Response, g, request

from userapi.core import private_cookies
from userapi.federation import tickets, visits
from userapi.federation.tickets import Use


def get_browser_secret() -> str:
    """The secret that this browser has; empty if it has none."""
    return request.cookies.get(_browser_name(), "")


def claim_browser_secret() -> str:
    """The secret that this browser has, or a new one that `set_browser_cookie` gives it."""
    if "provider_browser_secret" not in g:
        g.provider_browser_secret = get_browser_secret() or secrets.token_urlsafe(32)
    secret: str = g.provider_browser_secret
    return secret


def set_browser_cookie(response: Response) -> Response:
    """Let this browser end the visits that it has begun. All of them need only one cookie."""
    seconds = int(visits.LIFETIME.total_seconds())
    return private_cookies.set_cookie(response, _browser_name(), claim_browser_secret(), seconds)


def delete_browser_cookie(response: Response) -> Response:
    """Delete the cookie, for the response to a sign-in: no secret from before must be valid after it."""
    return private_cookies.delete_cookie(response, _browser_name())


def get_ticket() -> str:
    """The ticket of this browser; empty if it has none."""
    return request.cookies.get(ticket_name(), "")


def set_ticket(response: Response, ticket: str) -> Response:
    """Let this browser open the page for what comes before a sign-in with a provider."""
    seconds = int(tickets.LIFETIMES[Use.PROOF].total_seconds())
    return private_cookies.set_cookie(response, ticket_name(), ticket, seconds)


def delete_ticket(response: Response) -> Response:
    """Delete the ticket."""
    return private_cookies.delete_cookie(response, ticket_name())


def ticket_name() -> str:
    """The name of its cookie. With an attacker's ticket, a user would register an account that the attacker can use."""
    return private_cookies.protect_name("provider_ticket")


def _browser_name() -> str:
    return private_cookies.protect_name("provider_visit")
