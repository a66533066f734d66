"""Static files: an address changes with the content behind it, so browsers may keep what they have for a year."""

import hashlib
from functools import cache
from pathlib import Path

from flask import Flask, Response, current_app, request, url_for

from userapi.core import context

#: Ours, and Flask-Admin's.
STATIC_ENDPOINTS = ("static", "admin.static")

#: For an address that names its version, and for one that does not.
CACHE_FOR_A_YEAR = "public, max-age=31536000, immutable"
CACHE_FOR_AN_HOUR = "public, max-age=3600"


def configure(app: Flask) -> None:
    """Offer `asset()` to templates, and let browsers keep static files."""
    app.jinja_env.globals["asset"] = get_asset_url
    app.after_request(_set_cache_control)


def get_asset_url(filename: str) -> str:
    """The address of a file in `static/`, its version in it."""
    return url_for("static", filename=filename, v=_content_hash(Path(str(current_app.static_folder), filename)))


@cache
def _content_hash(path: Path) -> str:
    return hashlib.blake2b(path.read_bytes(), digest_size=8).hexdigest()


def _set_cache_control(response: Response) -> Response:
    if context.current_request().endpoint in STATIC_ENDPOINTS and response.status_code < 400:
        response.headers["Cache-Control"] = CACHE_FOR_A_YEAR if "v" in request.args else CACHE_FOR_AN_HOUR
    return response
