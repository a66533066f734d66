"""Cross-origin requests (CORS): scripts of the origins in `CORS_ORIGINS` may call the API; all others may not."""

import re
from urllib.parse import urlsplit

from flask import Flask, request
from flask_cors import CORS

#: What scripts may call: the API, not the pages.
CORS_PATHS = re.compile(r"/(userapi|api-token-|\.well-known|openapi\.json)")

#: What a browser may send beyond the simple headers.
ALLOWED_HEADERS = (
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "If-Match",
    "If-None-Match",
    "X-CSRF-TOKEN",
    "X-Request-ID",
)

#: What a script may read beyond the simple headers.
EXPOSED_HEADERS = ("ETag", "Link", "Location", "Retry-After", "WWW-Authenticate", "X-Request-ID")

#: How long a browser may remember an answer to a preflight, in seconds.
PREFLIGHT_MAX_AGE = 600


def configure(app: Flask) -> None:
    """Open the API to the named origins; when there is none, it stays closed."""
    # Patterns, not texts: Flask-CORS takes a text for a pattern when it looks like one, and leaves Vary out for a
    # single text.
    origins = [re.compile(re.escape(origin.rstrip("/")) + r"\Z") for origin in app.config["CORS_ORIGINS"]]
    if origins:
        CORS(
            app,
            resources=CORS_PATHS,
            origins=origins,
            allow_headers=ALLOWED_HEADERS,
            expose_headers=EXPOSED_HEADERS,
            max_age=PREFLIGHT_MAX_AGE,
            supports_credentials=True,
            always_send=False,
            intercept_exceptions=False,
        )


def get_fetch_site() -> str | None:
    """Where the page stands that sent this request, as `Sec-Fetch-Site` says, or else `Origin`; None when neither does.

    `same-origin`, `same-site`, `cross-site`, or `none` when the person typed the URL.
    """
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if site is not None or origin is None:
        return site
    return "same-origin" if urlsplit(origin).netloc == request.host else "cross-site"
