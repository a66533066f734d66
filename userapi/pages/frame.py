"""What all pages share: the guard before them, the frame around them, and where a refusal leads."""

from typing import Any

from flask import Blueprint, Response, render_template, request
from flask_jwt_extended.exceptions import JWTExtendedException
from jwt.exceptions import PyJWTError

from userapi.auth import cookies
from userapi.auth.problems import InvalidToken
from userapi.core.problems import NotSignedIn
from userapi.users.one_time import InvalidLink

from . import forms, guard, notices, redirects

#: Pages whose address is or was a secret: no request that they cause may tell where it came from.
SECRET_PATHS = ("/reset/", "/invitation/", "/verify-email/", "/undo-email-change/")


class Pages(Blueprint):
    """A blueprint whose every page wants a session unless it says otherwise."""

    def __init__(self, name: str, import_name: str) -> None:
        super().__init__(name, import_name)
        self.before_request(guard.check)
        self.after_request(guard.remember_visitor)
        self.after_request(notices.clear_taken)
        self.after_request(_keep_links_secret)
        for refusal in (NotSignedIn, InvalidToken, JWTExtendedException, PyJWTError):
            self.register_error_handler(refusal, _send_to_sign_in)
        self.register_error_handler(InvalidLink, _explain_invalid_link)


def page(template: str, **facts: Any) -> str:
    """A page.

    Args:
        template: its file in `templates/pages/`.
        facts: what it says, besides what every page can.
    """
    common = {
        "form": forms.present(),
        "me": guard.me(),
        "notice": notices.take(),
        "session_proof": guard.session_proof,
        "visitor_proof": guard.visitor_proof,
    }
    return render_template(f"pages/{template}", **common, **facts)


def _keep_links_secret(response: Response) -> Response:
    if request.path.startswith(SECRET_PATHS):
        response.headers["Referrer-Policy"] = "no-referrer"
    return response


def _send_to_sign_in(_refusal: Exception) -> Response:
    """Ask for a sign-in, which leads back to what was looked at; a form that was sent is lost."""
    looked = request.method in guard.SAFE_METHODS
    response = redirects.to("pages.show_login", next=request.full_path.rstrip("?") if looked else None)
    return cookies.drop(response)


def _explain_invalid_link(refusal: InvalidLink) -> tuple[str, int]:
    return page("invalid_link.html", kind=request.path.split("/")[1]), refusal.status
