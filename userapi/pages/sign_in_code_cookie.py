"""The cookie of a browser that requested a code by email: it names the request, and signs in with its link alone."""

from typing import Any

from flask import Response, request

from userapi.auth.mailed_code_requests import LIFETIME
from userapi.core import private_cookies
from userapi.html.redirects import is_own_path
from userapi.security import encryption

PURPOSE = "sign-in-code"


def set_cookie(response: Response, sent_code: dict[str, str]) -> Response:
    """Let this browser enter the code, or use the link.

    Args:
        response: to the request.
        sent_code: the `challenge`, the `email` as typed, and the page that follows, `next`.
    """
    sealed = encryption.encrypt_json(PURPOSE, sent_code)
    return private_cookies.set_cookie(response, _name(), sealed, LIFETIME.seconds)


def get_sent_code() -> dict[str, str]:
    """What `set_cookie` stored in this browser; empty texts if it requested no code within the last ten minutes."""
    found: Any = encryption.decrypt_json(PURPOSE, request.cookies.get(_name(), ""), LIFETIME.seconds)
    sent_code = found if isinstance(found, dict) else {}
    following = sent_code.get("next", "")
    return {
        "challenge": sent_code.get("challenge", ""),
        "email": sent_code.get("email", ""),
        "next": following if is_own_path(following) else "",
    }


def name_and_path() -> tuple[str, str]:
    """Which cookie to delete after a sign-in."""
    return _name(), "/"


def _name() -> str:
    return private_cookies.protect_name("sign_in_code")
