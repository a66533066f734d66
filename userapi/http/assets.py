"""Static files: an address changes with the content behind it, so browsers may keep what they have for a year."""

import hashlib
from functools import cache
from pathlib import Path

from flask import Flask, Response, current_app, request, url_for

from userapi.core import context

#: Ours, and Flask-Admin's.
STATIC = ("static", "admin.static")

#: For an address that names its version, and for one that does not.
KEEP = "public, max-age=31536000, immutable"
ASK_HOURLY = "public, max-age=3600"


def configure(app: Flask) -> None:
    """Offer `asset()` to templates, and let browsers keep static files."""
    app.jinja_env.globals["asset"] = asset
    app.after_request(_let_keep)


def asset(filename: str) -> str:
    """The address of a file in `static/`, its version in it."""
    return url_for("static", filename=filename, v=_version(Path(str(current_app.static_folder), filename)))


@cache
def _version(path: Path) -> str:
    return hashlib.blake2b(path.read_bytes(), digest_size=8).hexdigest()


def _let_keep(response: Response) -> Response:
    if context.current_request().endpoint in STATIC and response.status_code < 400:
        response.headers["Cache-Control"] = KEEP if "v" in request.args else ASK_HOURLY
    return response
