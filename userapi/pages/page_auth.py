"""Who is in front of a page, and whether a form that comes in is one that we gave them.

A form of someone signed in carries the session's CSRF value. Before there is a session, a form carries a value derived
from a random cookie of the browser's, so that nobody can sign another's browser in to an account of their own.
"""

import hmac
import re
import secrets
from collections.abc import Callable
from hashlib import sha256
from typing import Any, TypeVar

from flask import Response, current_app, g, request
from flask_babel import lazy_gettext

from userapi.auth import authentication, saved_forms, tokens
from userapi.auth.caller import find_caller, get_caller
from userapi.auth.problems import CsrfFailed
from userapi.core.problems import Problem
from userapi.security import signing_keys

View = TypeVar("View", bound=Callable[..., Any])

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")

#: What `secrets.token_urlsafe(32)` makes.
VISITOR = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)


class StaleForm(Problem):
    """A form came without the proof that we gave it to this browser."""

    status = 403
    code = "csrf_failed"
    title = lazy_gettext("Please submit the form again")
    detail = lazy_gettext(
        "This form was open for too long, or your browser blocks cookies. "
        "Go back, reload the page and submit the form again."
    )


class FormShownAgain(StaleForm):
    """The same, on the page that has the form, where what was typed is still in it."""

    detail = lazy_gettext(
        "This form was open for too long, or your browser blocks cookies. Check what you typed and submit it again."
    )


def open_to_visitors(view: View) -> View:
    """Anyone may see this page and send its form; every other page wants a session."""
    view.open_to_visitors = True  # type: ignore[attr-defined]
    return view


def check() -> None:
    """Let a request pass to its page, or refuse it.

    Raises:
        NotSignedIn, InvalidToken and those of Flask-JWT-Extended: the page wants a session and there is none.
        StaleForm: the form is none of ours.
    """
    if request.method == "OPTIONS":
        return
    if is_open_to_visitors():
        _check_visitor()
        return
    try:
        authentication.require_caller("cookies")
    except CsrfFailed as error:
        raise StaleForm from error


def is_open_to_visitors() -> bool:
    """Whether the page of this request wants no session."""
    return hasattr(current_app.view_functions[str(request.endpoint)], "open_to_visitors")


def _check_visitor() -> None:
    if request.method in SAFE_METHODS:
        authentication.accept_cookie()
        return
    visitor = request.cookies.get(_cookie_name(), "")
    sent = request.form.get("csrf_token", "")
    if not VISITOR.fullmatch(visitor) or not hmac.compare_digest(_proof(visitor).encode(), sent.encode()):
        raise StaleForm


def form_id() -> str:
    """The `form_id` of the forms of this page."""
    return saved_forms.form_id(caller.user.id if (caller := find_caller()) else None)


def session_proof() -> str:
    """The `csrf_token` of the forms of someone signed in."""
    return tokens.csrf_value(get_caller().session_id)


def visitor_proof() -> str:
    """The `csrf_token` of the forms that anyone may send."""
    known = request.cookies.get(_cookie_name(), "")
    if VISITOR.fullmatch(known):
        return _proof(known)
    if "new_visitor" not in g:
        g.new_visitor = secrets.token_urlsafe(32)
    return _proof(g.new_visitor)


def remember_visitor(response: Response) -> Response:
    """Give the browser the cookie that the forms in this answer go with, if it has none yet."""
    if "new_visitor" in g:
        secure = current_app.config["JWT_COOKIE_SECURE"]
        response.set_cookie(_cookie_name(), g.new_visitor, httponly=True, secure=secure, samesite="Lax")
    return response


def forget_visitor(response: Response) -> Response:
    """Take the cookie back: what was known of a browser before a sign-in is worth nothing after it."""
    response.delete_cookie(_cookie_name(), httponly=True, secure=current_app.config["JWT_COOKIE_SECURE"])
    return response


def _cookie_name() -> str:
    return "__Host-visitor" if current_app.config["JWT_COOKIE_SECURE"] else "visitor"


def _proof(visitor: str) -> str:
    return hmac.new(signing_keys.derive_key("visitor-csrf"), visitor.encode(), sha256).hexdigest()
