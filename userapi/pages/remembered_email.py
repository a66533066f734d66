"""The email that the sign-in form shows: of the account that this browser has just registered or confirmed."""

from flask import Response, current_app, request, url_for

from userapi.security import encryption

COOKIE = "sign_in_email"

#: Seconds.
MAX_AGE = 600


def remember_email(response: Response, email: str) -> Response:
    """Show this email in the sign-in form of this browser."""
    response.set_cookie(
        COOKIE,
        encryption.encrypt_json("sign-in-email", email),
        max_age=MAX_AGE,
        path=url_for("pages.show_sign_in"),
        httponly=True,
        secure=current_app.config["JWT_COOKIE_SECURE"],
        samesite="Lax",
    )
    return response


def remembered_email() -> str:
    """The email to show; empty if there is none."""
    email = encryption.decrypt_json("sign-in-email", request.cookies.get(COOKIE, ""), MAX_AGE)
    return email if isinstance(email, str) else ""
