"""Static files: a URL changes with the content, so browsers may cache files for a year."""

import hashlib
import mimetypes
from datetime import UTC, datetime
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import NamedTuple

from flask import Flask, Response, current_app, request, send_file, url_for
from werkzeug.exceptions import NotFound
from werkzeug.security import safe_join

from userapi.core.site import LOGO_PATH, Site
from userapi.core.site_logo import Logo

from . import compression

#: Cache-Control for URLs with the current version of the file, and for all others.
CACHE_FOR_A_YEAR = "public, max-age=31536000, immutable"
CACHE_FOR_AN_HOUR = "public, max-age=3600"

#: Files that gzip makes smaller; images and fonts are compressed already.
COMPRESSIBLE = (".css", ".js", ".svg", ".html", ".json", ".map", ".txt")

#: For the logo, which is not ours: opened by itself it may draw and nothing else.
LOGO_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'; sandbox"


class _File(NamedTuple):
    """The cached properties of a file.

    Attributes:
        version: the hash of its content.
        gzip: the compressed content; None if it is not served compressed.
    """

    version: str
    gzip: bytes | None


def configure(app: Flask) -> None:
    """Make `asset()` available in templates."""
    app.jinja_env.globals["asset"] = get_asset_url


def serve_files(app: Flask) -> None:
    """Serve all static files, and the logo if there is one. Call this after all blueprints are registered."""
    folders = {"static": app.static_folder}
    folders |= {f"{name}.static": blueprint.static_folder for name, blueprint in app.blueprints.items()}
    for endpoint, folder in folders.items():
        if folder is not None:
            app.view_functions[endpoint] = partial(_send_file, folder)
    site: Site = app.extensions["userapi-site"]
    if site.logo is not None:
        app.add_url_rule(LOGO_PATH, "site_logo", partial(_send_logo, site.logo, site.logo_version))


def get_asset_url(filename: str) -> str:
    """The URL of a file in `static/`, with its version."""
    return url_for("static", filename=filename, v=_version(Path(str(current_app.static_folder), filename)))


@cache
def _version(path: Path) -> str:
    return _hash(path.read_bytes())


def _hash(content: bytes) -> str:
    """The version of a content."""
    return hashlib.blake2b(content, digest_size=8).hexdigest()


def _send_file(folder: str, filename: str) -> Response:
    """Send a file, compressed if the caller accepts that and requests no part of it."""
    path = safe_join(folder, filename)
    try:
        status = Path(path or "").stat()
        file = _read(path or "", status.st_mtime_ns, status.st_size)
    except (OSError, ValueError):
        raise NotFound from None
    if file.gzip is None or "Range" in request.headers or not compression.accepts_gzip():
        response = send_file(str(path), etag=file.version, conditional=True)
    else:
        response = Response(file.gzip, mimetype=_media_type(filename))
        response.headers["Content-Encoding"] = "gzip"
        response.set_etag(f"{file.version}-gzip")  # another representation than the file as it is, so another tag
        response.last_modified = datetime.fromtimestamp(status.st_mtime, UTC)
        response.make_conditional(request)
    if file.gzip is not None:
        response.vary.add("Accept-Encoding")
    return _set_cache_control(response, file.version)


@lru_cache(maxsize=512)
def _read(path: str, _modified_at: int, _size: int) -> _File:
    """Read a file once in each version; the later arguments only tell versions apart."""
    content = Path(path).read_bytes()
    is_compressed = path.endswith(COMPRESSIBLE) and len(content) >= compression.MIN_BYTES
    gzip = compression.compress(content, compression.FILE_LEVEL) if is_compressed else None
    return _File(_hash(content), gzip)


def _send_logo(logo: Logo, version: str) -> Response:
    response = Response(logo.content, mimetype=logo.media_type)
    response.headers["Content-Security-Policy"] = LOGO_POLICY
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"  # web mail shows it in emails
    response.set_etag(version)
    response.make_conditional(request)
    return _set_cache_control(response, version)


def _set_cache_control(response: Response, version: str) -> Response:
    is_current = request.args.get("v") == version
    response.headers["Cache-Control"] = CACHE_FOR_A_YEAR if is_current else CACHE_FOR_AN_HOUR
    return response


def _media_type(filename: str) -> str:
    return mimetypes.guess_type(filename)[0] or "application/octet-stream"
