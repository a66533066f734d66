"""A sentence that the page after a redirect shows once: what was just done."""

from flask import Response, g, request
from flask_babel import lazy_gettext

from userapi.http.flash import COOKIE

#: The cookie holds the key alone, so nobody can put other words into our page.
TEXTS = {
    "account_opened": lazy_gettext("Your account has been created and you are signed in."),
    "account_opened_with_email": lazy_gettext(
        "Your account has been created and you are signed in. Confirm your email address with the link we sent you."
    ),
    "account_awaits_email": lazy_gettext(
        "Your account has been created. Confirm your email address with the link we sent you, then sign in."
    ),
    "session_over": lazy_gettext("Your session has ended. Sign in to continue."),
    "form_not_kept": lazy_gettext(
        "Your session has ended. Sign in to continue. What you typed could not be saved: "
        "to keep it, go back in your browser and copy it first."
    ),
    "form_given_back": lazy_gettext(
        "This is what you typed before your session ended. It has not been saved yet: check it and submit it again."
    ),
    "form_from_before": lazy_gettext(
        "You have signed in again since you opened this form, so nothing was saved. Check it and submit it again."
    ),
    "address_confirmed": lazy_gettext("Your email address has been confirmed."),
    "address_asked": lazy_gettext(
        "We have sent a link to your new email address. Open it to confirm the change; "
        "until then your email address stays the same."
    ),
    "own_email": lazy_gettext("This is already your email address, so no link was sent. No email change is pending."),
    "letter_sent": lazy_gettext("We have sent the email again."),
    "invitation_accepted": lazy_gettext("Welcome! Your password has been set and you are signed in."),
    "saved": lazy_gettext("Your changes have been saved."),
    "session_ended": lazy_gettext("The session has ended."),
    "sessions_ended": lazy_gettext("Your other sessions have ended."),
}


def show(key: str) -> None:
    """Show a notice on this page, unless one was left for it."""
    g.own_notice = TEXTS[key]


def take() -> str | None:
    """The notice to show on this page."""
    g.notice = TEXTS.get(request.cookies.get(COOKIE, ""))
    text: str | None = g.notice or g.get("own_notice")
    return text


def clear_taken(response: Response) -> Response:
    """Forget a notice that was shown."""
    if g.get("notice"):
        response.delete_cookie(COOKIE)
    return response
