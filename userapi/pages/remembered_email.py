"""The email that the sign-in form shows: of the account that this browser has just registered or confirmed."""

from flask import Response, request, url_for

from userapi.core import private_cookies
from userapi.security import encryption

COOKIE = "sign_in_email"

#: Seconds.
MAX_AGE = 600


def remember_email(response: Response, email: str) -> Response:
    """Show this email in the sign-in form of this browser."""
    sealed = encryption.encrypt_json("sign-in-email", email)
    return private_cookies.set_cookie(response, COOKIE, sealed, MAX_AGE, url_for("pages.show_sign_in"))


def remembered_email() -> str:
    """The email to show; empty if there is none."""
    email = encryption.decrypt_json("sign-in-email", request.cookies.get(COOKIE, ""), MAX_AGE)
    return email if isinstance(email, str) else ""
