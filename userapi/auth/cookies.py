"""The tokens of a browser session as cookies (HttpOnly, SameSite, and Secure with HTTPS)."""

from typing import Any

from flask import Response, after_this_request, current_app, request
from flask_jwt_extended import set_access_cookies, set_refresh_cookies, unset_jwt_cookies

from userapi.http.cross_origin import get_fetch_site

#: The settings that name the cookies of a session.
NAMES = ("JWT_ACCESS_COOKIE_NAME", "JWT_REFRESH_COOKIE_NAME")


def set_token_cookies(response: Response, pair: dict[str, Any]) -> Response:
    """Set the cookies of a token pair that was issued for the web."""
    set_access_cookies(response, pair["access_token"], max_age=current_app.config["SESSION_LIFETIME"])
    set_refresh_cookies(response, pair["refresh_token"], max_age=current_app.config["SESSION_LIFETIME"])
    return response


def delete_token_cookies(response: Response) -> Response:
    """Delete the cookies, if they came with the request and no other site caused it.

    Otherwise a form on another site could sign its visitor out here.
    """
    if has_token_cookies() and get_fetch_site() != "cross-site":
        unset_jwt_cookies(response)
    return response


def set_device_cookie(response: Response, token: str | None) -> Response:
    """Let this browser sign in without the second step, if the user wants that: None changes nothing."""
    if token is not None:
        response.set_cookie(
            device_cookie_name(),
            token,
            max_age=current_app.config["REMEMBER_DEVICE_DAYS"] * 86_400,
            httponly=True,
            secure=current_app.config["JWT_COOKIE_SECURE"],
            samesite="Lax",
        )
    return response


def get_device_token() -> str | None:
    """The token of a remembered device that this browser has."""
    return request.cookies.get(device_cookie_name())


def device_cookie_name() -> str:
    """The name of the cookie of a remembered device."""
    return "__Host-device" if current_app.config["JWT_COOKIE_SECURE"] else "device"


def has_token_cookies() -> bool:
    """Whether the request has cookies of a session."""
    return any(current_app.config[name] in request.cookies for name in NAMES)


def delete_token_cookies_if_unauthorized() -> None:
    """Delete the cookies if the response is 401: they are useless then, and no script can delete them."""

    @after_this_request
    def _delete(response: Response) -> Response:
        return delete_token_cookies(response) if response.status_code == 401 else response
