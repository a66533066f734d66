"""What every answer carries: the security headers, the request id, and nothing that names the software."""

import secrets
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, g

from . import compression

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

#: For answers that no browser renders.
DATA_POLICY = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

#: For pages; `{nonce}` is new with each answer. Nothing inline runs without it, nothing loads from elsewhere.
PAGE_POLICY = (
    "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'self' 'nonce-{nonce}'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'; "
    "object-src 'none'"
)

#: For every answer that does not say otherwise itself.
COMMON_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": DATA_POLICY,
    "Cache-Control": "no-store",
}


def get_csp_nonce() -> str:
    """The value that marks this answer's own scripts and styles."""
    if "csp_nonce" not in g:
        g.csp_nonce = secrets.token_urlsafe(16)
    value: str = g.csp_nonce
    return value


def configure(app: Flask) -> None:
    """Add the headers to every answer."""
    common = dict(COMMON_HEADERS)
    if app.config["SITE_URL"].startswith("https://"):
        common["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"
    app.jinja_env.globals["csp_nonce"] = get_csp_nonce
    app.after_request(_set_content_headers)
    app.wsgi_app = partial(_add_common_headers, common, app.wsgi_app)  # type: ignore[method-assign]


def _set_content_headers(response: Response) -> Response:
    """Say what the body is and what it may do."""
    if response.status_code == 204:
        response.headers.pop("Content-Type", None)
    if response.mimetype == "text/html":
        if "Content-Security-Policy" not in response.headers:
            response.headers["Content-Security-Policy"] = PAGE_POLICY.format(nonce=get_csp_nonce())
        compression.compress_page(response)
    return response


def _add_common_headers(
    common: dict[str, str], app: "WSGIApplication", environ: "WSGIEnvironment", start_response: "StartResponse"
) -> Iterable[bytes]:
    """Add what an answer does not say itself, as it leaves: on Werkzeug's own headers each would be checked twice."""

    def start(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
        missing = {"X-Request-ID": g.get("request_id", ""), **common}
        for name, _value in headers:
            missing.pop(name, None)
        return start_response(status, [*headers, *missing.items()], *error)

    return app(environ, start)
