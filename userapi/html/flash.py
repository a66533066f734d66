"""Messages that the next page shows once, such as "Your changes have been saved.".

They travel in one cookie for all pages. It is sealed, so no one else can put words into our pages.
"""

from typing import Any, NamedTuple

from flask import Flask, Request, Response, after_this_request, current_app, g, request
from flask.sessions import SecureCookieSession, SessionInterface

from userapi.core import private_cookies
from userapi.security import encryption

COOKIE = "notice"

#: Seconds until a message that no page has shown is dropped.
MAX_AGE = 60


class FlashedMessage(NamedTuple):
    """A message for the next page.

    Attributes:
        category: `success`, `warning` or `danger`; templates choose colour and ARIA role by it.
        text: in the language of the request that left it.
    """

    category: str
    text: str


class NoSession(SessionInterface):
    """Switches off Flask's session, which every request would have to open and nothing here uses."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        """No session, so Flask makes one that rejects every write."""
        return None


def configure(app: Flask) -> None:
    """Use these messages instead of Flask's session."""
    app.session_interface = NoSession()


def flash(text: Any, category: str = "success") -> None:
    """Show a message on this page if it is rendered later in this request, otherwise on the next one."""
    pending_messages().append(FlashedMessage(category, str(text)))


def pending_messages() -> list[FlashedMessage]:
    """The messages of this request that no page has shown yet."""
    if "flashed_messages" not in g:
        g.flashed_messages = []
        after_this_request(_update_cookie)
    messages: list[FlashedMessage] = g.flashed_messages
    return messages


def has_messages() -> bool:
    """Whether the page of this request has a message to show."""
    return bool(_messages_of_last_request() or pending_messages())


def take_messages() -> list[FlashedMessage]:
    """The messages to show on this page; they are not shown again."""
    messages = [*_messages_of_last_request(), *pending_messages()]
    pending_messages().clear()
    g.cookie_was_shown = True
    return messages


def _messages_of_last_request() -> list[FlashedMessage]:
    if g.get("cookie_was_shown") or COOKIE not in request.cookies:
        return []
    content = encryption.decrypt_json("notice", request.cookies[COOKIE], MAX_AGE)
    return [FlashedMessage(*message) for message in content or []]


def _update_cookie(response: Response) -> Response:
    messages = [*_messages_of_last_request(), *pending_messages()]
    if pending_messages():
        sealed = encryption.encrypt_json("notice", [list(message) for message in messages])
        private_cookies.set_cookie(response, COOKIE, sealed, MAX_AGE)
    elif not messages and COOKIE in request.cookies:
        secure = current_app.config["JWT_COOKIE_SECURE"]
        response.delete_cookie(COOKIE, httponly=True, secure=secure, samesite="Lax")
    return response
