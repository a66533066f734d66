"""The cookie of a browser whose user proves the identity or an account in more than one request.

It has what the next page needs: what names the code that was sent by email, and the form that was submitted before.
"""

from typing import Any

from flask import Response, request

from userapi.auth.mailed_code_requests import LIFETIME
from userapi.core import private_cookies
from userapi.security import encryption

PURPOSE = "proof"

#: Browsers reject cookies of more than 4096 bytes, name and attributes included.
MAX_LENGTH = 3800


def set_cookie(response: Response, about: str, content: dict[str, Any]) -> Response:
    """Store something in this browser; if it is too long, without the form.

    Args:
        response: gets the cookie.
        about: whom or what it is valid for.
        content: JSON values; `form` is a form that was submitted before.
    """
    for stored in (content, {**content, "form": None}):
        sealed = encryption.encrypt_json(PURPOSE, {**stored, "about": about})
        if len(sealed) <= MAX_LENGTH:
            return private_cookies.set_cookie(response, _name(), sealed, LIFETIME.seconds)
    return response


def read(about: str) -> dict[str, Any]:
    """What `set_cookie` stored in this browser for the same `about` within the last ten minutes."""
    found: Any = encryption.decrypt_json(PURPOSE, request.cookies.get(_name(), ""), LIFETIME.seconds)
    return found if isinstance(found, dict) and found.get("about") == about else {}


def delete_cookie(response: Response) -> Response:
    """Delete the cookie."""
    return private_cookies.delete_cookie(response, _name())


def _name() -> str:
    return private_cookies.protect_name("proof")
