"""Apps that send a browser to sign in with a provider, and get it back with a code that they redeem (RFC 7636)."""

import re
from typing import Any, TypedDict
from urllib.parse import urlencode

from flask import current_app
from flask_babel import gettext as _
from werkzeug.datastructures import MultiDict

from userapi.core.problems import Problem, ValidationFailed
from userapi.federation import providers, tickets
from userapi.federation.assertions import Assertion
from userapi.federation.tickets import Use
from userapi.federation.visits import Purpose

#: A challenge of the method S256, the only one.
CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")

#: The maximum length of what an app gets back as it sent it.
MAX_STATE = 500


class Start(TypedDict):
    """What an app wants, as `visits.begin` takes it."""

    return_to: str
    client_challenge: str
    client_state: str


def load_start(sent: MultiDict[str, str]) -> Start:
    """Check what an app sent a browser with.

    Raises:
        ValidationFailed: the URL to return to is not registered, or there is no challenge of the method S256.
    """
    errors: dict[str, list[str]] = {}
    if not is_return_url(sent.get("return_to", "")):
        errors["return_to"] = [_("This URL is not registered.")]
    if not CHALLENGE.fullmatch(sent.get("code_challenge", "")) or sent.get("code_challenge_method", "S256") != "S256":
        errors["code_challenge"] = [_("Send a challenge of the method S256.")]
    if len(sent.get("state", "")) > MAX_STATE:
        errors["state"] = [_("This is too long.")]
    elif not sent.get("state", "").isprintable():
        errors["state"] = [_("Control characters are not allowed.")]
    if errors:
        raise ValidationFailed(errors=errors)
    return {
        "return_to": sent["return_to"],
        "client_challenge": sent["code_challenge"],
        "client_state": sent.get("state", ""),
    }


def is_return_url(url: str) -> bool:
    """Whether a browser may return to this URL."""
    return bool(url) and providers.is_return_url(url)


def code_url(visit: Any, assertion: Assertion) -> str:
    """Where the browser returns to the app, with a code that only the app can redeem.

    Args:
        visit: that was used up.
        assertion: what the provider said.
    """
    use = Use.LINK if visit.purpose == Purpose.LINK else Use.REDEEM
    answer = {"code": tickets.issue(visit.state_digest, use, assertion)}
    return _url(visit.return_to, answer, visit.client_state)


def error_url(problem: Problem, return_to: str, client_state: str | None) -> str:
    """Where the browser returns to the app, with the code of the error."""
    return _url(return_to, {"error": problem.code}, client_state)


def _url(return_to: str, answer: dict[str, str], client_state: str | None) -> str:
    more = {"state": client_state} if client_state else {}
    query = urlencode({**answer, **more, "iss": current_app.config["JWT_ISSUER"]})
    return f"{return_to}{'&' if '?' in return_to else '?'}{query}"
