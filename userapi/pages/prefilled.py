"""The email that stands in the sign-in form: that of the account which was just opened or confirmed in this browser."""

from flask import Response, current_app, request, url_for

from userapi.security import encryption

COOKIE = "sign_in_email"
SECONDS = 600


def put(response: Response, email: str) -> Response:
    """Let the sign-in form show an email."""
    response.set_cookie(
        COOKIE,
        encryption.encrypt_json("sign-in-email", email),
        max_age=SECONDS,
        path=url_for("pages.show_login"),
        httponly=True,
        secure=current_app.config["JWT_COOKIE_SECURE"],
        samesite="Lax",
    )
    return response


def email() -> str:
    """The email to show; nothing when none is known."""
    found = encryption.decrypt_json("sign-in-email", request.cookies.get(COOKIE, ""), SECONDS)
    return found if isinstance(found, str) else ""
