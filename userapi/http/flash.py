"""The cookie that names the sentence which the next page shows once. The sentences are in `userapi.pages.notices`."""

from flask import Response, current_app

COOKIE = "notice"
SECONDS = 60


def leave(response: Response, key: str) -> Response:
    """Let the next page show a notice."""
    secure = current_app.config["JWT_COOKIE_SECURE"]
    response.set_cookie(COOKIE, key, max_age=SECONDS, httponly=True, secure=secure, samesite="Lax")
    return response
