"""The `csrf_token` of forms: proof that the form came from one of our pages in the same browser.

The form of a signed-in user has the token of the session. Before sign-in it is derived from a random cookie, so that
another site cannot sign a browser in to an account of its own.
"""

import hmac
import re
import secrets
import uuid
from hashlib import sha256

from flask import Response, g, request
from flask_babel import lazy_gettext

from userapi.auth import tokens
from userapi.core import private_cookies
from userapi.core.problems import Problem
from userapi.security import signing_keys

FIELD = "csrf_token"

#: What `secrets.token_urlsafe(32)` returns.
VISITOR_ID = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)


class StaleForm(Problem):
    """The form does not have the CSRF token of this browser."""

    status = 403
    code = "csrf_failed"
    title = lazy_gettext("Please submit the form again")
    detail = lazy_gettext(
        "This form was open for too long, or your browser blocks cookies. "
        "Go back, reload the page and submit the form again."
    )


def session_token(session_id: uuid.UUID) -> str:
    """The token for forms that require a session."""
    return tokens.csrf_value(session_id)


def visitor_token() -> str:
    """The token for forms that anyone may submit; `set_visitor_cookie` sets the cookie that it belongs to."""
    visitor_id = request.cookies.get(_cookie_name(), "")
    if VISITOR_ID.fullmatch(visitor_id):
        return _derived_token(visitor_id)
    if "new_visitor_id" not in g:
        g.new_visitor_id = secrets.token_urlsafe(32)
    return _derived_token(g.new_visitor_id)


def has_visitor_token() -> bool:
    """Whether the form of this request has the token of this browser."""
    visitor_id = request.cookies.get(_cookie_name(), "")
    token = request.form.get(FIELD, "")
    return VISITOR_ID.fullmatch(visitor_id) is not None and hmac.compare_digest(
        _derived_token(visitor_id).encode(), token.encode()
    )


def set_visitor_cookie(response: Response) -> Response:
    """Set the cookie that the forms in this response need, unless the browser already has it."""
    if "new_visitor_id" in g:
        private_cookies.set_cookie(response, _cookie_name(), g.new_visitor_id)
    return response


def delete_visitor_cookie(response: Response) -> Response:
    """Delete the cookie, for the response to a sign-in: no token from before must be valid after it."""
    return private_cookies.delete_cookie(response, _cookie_name())


def _cookie_name() -> str:
    return private_cookies.protect_name("visitor")


def _derived_token(visitor_id: str) -> str:
    return hmac.new(signing_keys.derive_key("visitor-csrf"), visitor_id.encode(), sha256).hexdigest()
