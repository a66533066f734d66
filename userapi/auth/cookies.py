"""A session in a browser: its tokens as cookies (HttpOnly, SameSite, Secure over https)."""

from typing import Any

from flask import Response, current_app
from flask_jwt_extended import set_access_cookies, set_refresh_cookies, unset_jwt_cookies


def put(response: Response, pair: dict[str, Any]) -> Response:
    """Let an answer carry a session's token pair, made for the web, into the browser."""
    set_access_cookies(response, pair["access_token"], max_age=current_app.config["SESSION_LIFETIME"])
    set_refresh_cookies(response, pair["refresh_token"], max_age=current_app.config["SESSION_LIFETIME"])
    return response


def drop(response: Response) -> Response:
    """Let an answer take them out again."""
    unset_jwt_cookies(response)
    return response
