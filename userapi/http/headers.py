"""Headers of every response: the security headers and the request id, but none that names the software."""

import secrets
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, g

from . import compression

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

#: The policy for responses that no browser renders.
DATA_POLICY = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

#: The policy for pages; `{nonce}` is new in each response. Inline code needs it; nothing loads from other sites.
PAGE_POLICY = (
    "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'self' 'nonce-{nonce}'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'; "
    "object-src 'none'"
)

#: Headers of every response that does not set them itself.
COMMON_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "publickey-credentials-get=(self), publickey-credentials-create=(self)",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": DATA_POLICY,
    "Cache-Control": "no-store",
}


def get_csp_nonce() -> str:
    """The nonce of the scripts and styles in this response."""
    if "csp_nonce" not in g:
        g.csp_nonce = secrets.token_urlsafe(16)
    value: str = g.csp_nonce
    return value


def configure(app: Flask) -> None:
    """Add the headers to every response."""
    common = dict(COMMON_HEADERS)
    if app.config["SITE_URL"].startswith("https://"):
        common["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"
    app.jinja_env.globals["csp_nonce"] = get_csp_nonce
    app.after_request(_set_content_headers)
    app.wsgi_app = partial(_add_common_headers, common, app.wsgi_app)  # type: ignore[method-assign]


def _set_content_headers(response: Response) -> Response:
    """Add the headers about the type of the body and what it may load."""
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
    """Add missing headers when the response is sent; adding them to Werkzeug's headers would check each twice."""

    def start(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
        missing = {"X-Request-ID": g.get("request_id", ""), **common}
        for name, _value in headers:
            missing.pop(name, None)
        return start_response(status, [*headers, *missing.items()], *error)

    return app(environ, start)
