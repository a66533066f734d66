"""What every answer carries: the security headers, the request id, and nothing that names the software."""

import secrets
from typing import Any

from flask import Flask, Response, current_app, g, request

#: For answers that no browser renders.
DATA_POLICY = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

#: For pages; `{nonce}` is new with each answer. Nothing inline runs without it, nothing loads from elsewhere.
PAGE_POLICY = (
    "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'self' 'nonce-{nonce}'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'; "
    "object-src 'none'"
)

COMMON = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def nonce() -> str:
    """The value that marks this answer's own scripts and styles."""
    if "csp_nonce" not in g:
        g.csp_nonce = secrets.token_urlsafe(16)
    value: str = g.csp_nonce
    return value


def configure(app: Flask) -> None:
    """Add the headers to every answer."""
    app.config["RESPONSE_HEADERS"] = list(COMMON.items())
    if app.config["SITE_URL"].startswith("https://"):
        app.config["RESPONSE_HEADERS"].append(("Strict-Transport-Security", "max-age=31536000; includeSubDomains"))
    app.jinja_env.globals["csp_nonce"] = nonce
    app.after_request(_add_headers)


def _add_headers(response: Response) -> Response:
    headers: Any = response.headers
    for name, value in current_app.config["RESPONSE_HEADERS"]:
        headers[name] = value
    page = response.mimetype == "text/html"
    headers["Content-Security-Policy"] = PAGE_POLICY.format(nonce=nonce()) if page else DATA_POLICY
    headers["X-Request-ID"] = g.get("request_id", "")
    if "Cache-Control" not in headers and request.endpoint != "static":
        headers["Cache-Control"] = "no-store"
    return response
