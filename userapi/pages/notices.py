"""A sentence that the page after a redirect shows once: what was just done."""

from flask import Response, current_app, g, request

COOKIE = "notice"
SECONDS = 60

#: The cookie holds the key alone, so nobody can put other words into our page.
TEXTS = {
    "account_opened": "Your account is open. Sign in to it.",
    "letter_of_new_account": "Your account is open. Open the link that we have mailed you to confirm your address.",
    "address_confirmed": "Your email address is confirmed.",
    "address_asked": "Open the link in the letter to the new address. Until then nothing changes.",
    "letter_sent": "The letter is on its way once more.",
    "saved": "Your changes are saved.",
    "session_ended": "The session has ended.",
    "sessions_ended": "Your other sessions have ended.",
}


def leave(response: Response, key: str) -> Response:
    """Let the next page show a notice."""
    secure = current_app.config["JWT_COOKIE_SECURE"]
    response.set_cookie(COOKIE, key, max_age=SECONDS, httponly=True, secure=secure, samesite="Lax")
    return response


def take() -> str | None:
    """The notice to show on this page."""
    g.notice = TEXTS.get(request.cookies.get(COOKIE, ""))
    text: str | None = g.notice
    return text


def clear_taken(response: Response) -> Response:
    """Forget a notice that was shown."""
    if g.get("notice"):
        response.delete_cookie(COOKIE)
    return response
