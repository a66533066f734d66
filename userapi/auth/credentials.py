"""Where a request carries its token: in the body, as bearer token, or in a cookie."""

import re
from collections.abc import Callable
from functools import wraps
from typing import Any

import flask_jwt_extended
from flask import Response, current_app, request
from flask_babel import lazy_gettext
from flask_jwt_extended import get_current_user, get_jwt_request_location, verify_jwt_in_request
from flask_jwt_extended.exceptions import CSRFError

from userapi.core import context
from userapi.core.problems import NotSignedIn
from userapi.http.bodies import FORM_TYPES
from userapi.http.cross_origin import get_fetch_site

from . import cookies, tokens
from .claims import RefreshClaims
from .problems import CsrfFailed, InvalidToken
from .token_manager import MAX_TOKEN_LENGTH

View = Callable[[Any], Response]

NO_REFRESH_TOKEN = lazy_gettext(
    "Send the refresh token as refresh_token in the body, as a bearer token or as a cookie."
)

#: RFC 6750, section 2.1. The scheme's name is case-insensitive (RFC 9110, section 11.1).
BEARER = re.compile(r"bearer +([A-Za-z0-9._~+/-]+=*) *", re.IGNORECASE)


def normalize_bearer_token() -> str | None:
    """Normalize the Authorization header, and return the bearer token in it; None without one.

    Flask-JWT-Extended accepts only `Bearer TOKEN`, so the header is rewritten that way. Other schemes are removed.

    Raises:
        InvalidToken: the header has the scheme Bearer, but not exactly one well-formed token.
    """
    environ = context.current_request().environ
    header = environ.get("HTTP_AUTHORIZATION", "")
    if header[:6].lower() != "bearer":
        environ.pop("HTTP_AUTHORIZATION", None)
        return None
    found = BEARER.fullmatch(header)
    if found is None or len(found[1]) > MAX_TOKEN_LENGTH:
        raise InvalidToken
    environ["HTTP_AUTHORIZATION"] = f"Bearer {found[1]}"
    return found[1]


def access_cookie() -> str | None:
    """The access token in the cookie of this request; None without one."""
    return context.current_request().cookies.get(current_app.config["JWT_ACCESS_COOKIE_NAME"])


def refresh_token_required(view: View) -> View:
    """Flask-JWT-Extended's decorator for a route that needs a refresh token; the route gets its claims.

    The library looks into headers and cookies, and into JSON but not into forms. So a `refresh_token` in the body
    is copied to the Authorization header. A bearer token is verified without the decorator, which would decode it three
    more times (decision 0038).

    Raises:
        NotSignedIn, TokenExpired, InvalidToken, CsrfFailed: there is no valid refresh token.
    """
    verified_claims = flask_jwt_extended.jwt_required(refresh=True)(_verified_refresh_claims)

    @wraps(view)
    def wrapper(body: dict[str, str]) -> Response:
        if "refresh_token" in body:
            context.current_request().environ["HTTP_AUTHORIZATION"] = f"Bearer {body['refresh_token']}"
        token = normalize_bearer_token()
        if token is None:
            if not cookies.has_token_cookies():
                raise NotSignedIn(NO_REFRESH_TOKEN)
            if cookies.get_own_session() is None:  # an impersonation has no refresh token, and goes on without
                cookies.delete_token_cookies_if_unauthorized()
            return view(verified_claims())
        claims = tokens.verify(token)
        if not isinstance(claims, RefreshClaims):
            raise InvalidToken
        return view(claims)

    return wrapper


def _verified_refresh_claims() -> RefreshClaims:
    """The claims of the refresh token that Flask-JWT-Extended found and verified.

    Raises:
        InvalidToken: a cookie token was sent outside a cookie, or another token in a cookie.
    """
    claims: RefreshClaims = get_current_user()
    if claims.is_for_web != (get_jwt_request_location() == "cookies"):
        raise InvalidToken
    return claims


def refresh_cookie_claims() -> RefreshClaims:
    """The claims of the refresh token in the cookie of this request.

    Raises:
        NotSignedIn, TokenExpired, InvalidToken, CsrfFailed: it is not valid.
    """
    cookies.delete_token_cookies_if_unauthorized()
    try:
        verify_jwt_in_request(refresh=True, locations="cookies")
    except CSRFError as error:
        raise CsrfFailed from error
    return _verified_refresh_claims()


def find_device_token(login: dict[str, Any]) -> str | None:
    """The token of a remembered device in a sign-in, or in its cookie if the sign-in is one of a browser."""
    return login.get("device_token") or (cookies.get_device_token() if login["cookies"] else None)


def reject_cross_site_form(login: dict[str, Any]) -> None:
    """Reject a form on another site that sets cookies.

    It could sign the visitor in to an attacker's account (login CSRF).
    A script of another site needs our permission to send JSON (CORS). A form does not need it, but browsers say
    in Sec-Fetch-Site where it was.

    Raises:
        CsrfFailed: it was on another site.
    """
    if login["cookies"] and request.mimetype in FORM_TYPES and get_fetch_site() not in (None, "same-origin", "none"):
        raise CsrfFailed
