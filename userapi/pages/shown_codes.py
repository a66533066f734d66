"""New recovery codes on their way to the page that shows them: encrypted in a cookie, until the user has kept them.

They are not stored. A reload shows them again for ten minutes; the button that says they are kept deletes the cookie.
"""

from flask import Response, request, url_for

from userapi.auth.caller import get_caller
from userapi.core import private_cookies
from userapi.security import encryption

COOKIE = "recovery_codes"

#: Seconds.
MAX_AGE = 600


def carry_codes(response: Response, codes: list[str]) -> Response:
    """Let the next page show recovery codes of the caller."""
    sealed = encryption.encrypt_json("recovery-codes", {"user": get_caller().user.id, "codes": codes})
    return private_cookies.set_cookie(response, COOKIE, sealed, MAX_AGE, cookie_path())


def find_codes() -> list[str]:
    """The recovery codes to show; empty if there are none."""
    found = encryption.decrypt_json("recovery-codes", request.cookies.get(COOKIE, ""), MAX_AGE)
    is_own = isinstance(found, dict) and found["user"] == get_caller().user.id
    return list(found["codes"]) if is_own else []


def cookie_path() -> str:
    """The path below which the cookie is sent."""
    return url_for("pages.show_recovery_codes")
