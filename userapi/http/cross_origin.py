"""Cross-origin requests (CORS): scripts of the origins in `CORS_ORIGINS` may call the API; all others may not."""

import re
from urllib.parse import urlsplit

from flask import Flask, request

#: The paths that scripts of other origins may call: the API, not the pages.
CORS_PATHS = re.compile(r"/(userapi|api-token-|\.well-known|openapi\.json)")

#: Request headers that are allowed in addition to the safelisted ones.
ALLOWED_HEADERS = (
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "If-Match",
    "If-None-Match",
    "X-CSRF-TOKEN",
    "X-Request-ID",
)

#: Response headers that scripts may read in addition to the safelisted ones.
EXPOSED_HEADERS = ("API-Key-Expires", "ETag", "Link", "Location", "Retry-After", "WWW-Authenticate", "X-Request-ID")

#: How long a browser may cache a preflight response, in seconds.
PREFLIGHT_MAX_AGE = 600


def configure(app: Flask) -> None:
    """Allow the configured origins to call the API; without any, all are denied."""
    # Patterns, not texts: Flask-CORS treats a text as a pattern if it looks like one, and omits Vary for a
    # single text.
    origins = [re.compile(re.escape(origin.rstrip("/")) + r"\Z") for origin in app.config["CORS_ORIGINS"]]
    if origins:
        from flask_cors import CORS  # without origins, it is not imported

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
    """The relation of the requesting page to this site, by `Sec-Fetch-Site` or else `Origin`; None without both.

    One of `same-origin`, `same-site`, `cross-site`, or `none` if the user typed the URL.
    """
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if site is not None or origin is None:
        return site
    return "same-origin" if urlsplit(origin).netloc == request.host else "cross-site"
