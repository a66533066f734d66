"""A sentence that the page after a redirect shows once: what was just done."""

from flask import Response, current_app, g, request
from flask_babel import lazy_gettext

COOKIE = "notice"
SECONDS = 60

#: The cookie holds the key alone, so nobody can put other words into our page.
TEXTS = {
    "account_opened": lazy_gettext("Your account is open. Sign in to it."),
    "letter_of_new_account": lazy_gettext(
        "Your account is open. Open the link that we have mailed you to confirm your address."
    ),
    "address_confirmed": lazy_gettext("Your email address is confirmed."),
    "address_asked": lazy_gettext("Open the link in the letter to the new address. Until then nothing changes."),
    "letter_sent": lazy_gettext("The letter is on its way once more."),
    "invitation_accepted": lazy_gettext("Your password is set and you are signed in. Welcome."),
    "saved": lazy_gettext("Your changes are saved."),
    "session_ended": lazy_gettext("The session has ended."),
    "sessions_ended": lazy_gettext("Your other sessions have ended."),
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
