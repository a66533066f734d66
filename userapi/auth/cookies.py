"""The tokens of a browser session as cookies (HttpOnly, SameSite, and Secure with HTTPS)."""

from typing import Any

from flask import Response, after_this_request, current_app, request
from flask_jwt_extended import set_access_cookies, set_refresh_cookies, unset_jwt_cookies, unset_refresh_cookies

from userapi.core import private_cookies
from userapi.http.cross_origin import get_fetch_site

#: Seconds for which a browser can return from an impersonation to the session of the member of staff.
OWN_SESSION_MAX_AGE = 12 * 3600

#: The settings that name the cookies of a session.
NAMES = ("JWT_ACCESS_COOKIE_NAME", "JWT_REFRESH_COOKIE_NAME")


def set_token_cookies(response: Response, pair: dict[str, Any]) -> Response:
    """Set the cookies of a token pair that was issued for the web."""
    set_access_cookies(response, pair["access_token"], max_age=current_app.config["SESSION_LIFETIME"])
    set_refresh_cookies(response, pair["refresh_token"], max_age=current_app.config["SESSION_LIFETIME"])
    if own_session_cookie_name() in request.cookies:
        private_cookies.delete_cookie(response, own_session_cookie_name())
    return response


def set_impersonation_cookies(response: Response, access_token: str, own_session: str, seconds: int) -> Response:
    """Replace the cookies of a member of staff by those of an impersonation.

    Args:
        response: that sets them.
        access_token: of the impersonation; there is no refresh token.
        own_session: what leads back to the session of the member of staff, encrypted.
        seconds: how long the impersonation lasts.
    """
    set_access_cookies(response, access_token, max_age=seconds)
    unset_refresh_cookies(response)
    return private_cookies.set_cookie(response, own_session_cookie_name(), own_session, OWN_SESSION_MAX_AGE)


def get_own_session() -> str | None:
    """What leads a browser back from an impersonation to the session of the member of staff."""
    return request.cookies.get(own_session_cookie_name())


def own_session_cookie_name() -> str:
    """The name of that cookie."""
    return private_cookies.protect_name("own_session")


def delete_token_cookies(response: Response) -> Response:
    """Delete the cookies, if they came with the request and no other site caused it.

    Otherwise a form on another site could sign its visitor out here. What leads back from an impersonation goes with
    them, or the next page would sign the member of staff in again.
    """
    if get_fetch_site() == "cross-site":
        return response
    if has_token_cookies():
        unset_jwt_cookies(response)
    if own_session_cookie_name() in request.cookies:
        private_cookies.delete_cookie(response, own_session_cookie_name())
    return response


def set_device_cookie(response: Response, token: str | None) -> Response:
    """Let this browser sign in without the second step, if the user wants that: None changes nothing."""
    if token is not None:
        seconds = current_app.config["REMEMBER_DEVICE_DAYS"] * 86_400
        private_cookies.set_cookie(response, device_cookie_name(), token, seconds)
    return response


def get_device_token() -> str | None:
    """The token of a remembered device that this browser has."""
    return request.cookies.get(device_cookie_name())


def device_cookie_name() -> str:
    """The name of the cookie of a remembered device."""
    return private_cookies.protect_name("device")


def has_token_cookies() -> bool:
    """Whether the request has cookies of a session."""
    return any(current_app.config[name] in request.cookies for name in NAMES)


def delete_token_cookies_if_unauthorized() -> None:
    """Delete the cookies if the response is 401: they are useless then, and no script can delete them."""

    @after_this_request
    def _delete(response: Response) -> Response:
        return delete_token_cookies(response) if response.status_code == 401 else response
