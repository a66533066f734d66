"""What every answer carries: the security headers, the request id, and nothing that names the software."""

import secrets

from flask import Flask, Response, current_app, g

#: For answers that no browser renders.
DATA_POLICY = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

#: For pages; `{nonce}` is new with each answer. Nothing inline runs without it, nothing loads from elsewhere.
PAGE_POLICY = (
    "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'self' 'nonce-{nonce}'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'; "
    "object-src 'none'"
)

#: For every answer that does not say otherwise itself.
COMMON = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": DATA_POLICY,
    "Cache-Control": "no-store",
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
    if response.status_code == 204:
        response.headers.pop("Content-Type", None)
    if response.mimetype == "text/html" and "Content-Security-Policy" not in response.headers:
        response.headers["Content-Security-Policy"] = PAGE_POLICY.format(nonce=nonce())
    set_already = {name for name, _value in response.headers}
    ours = [("X-Request-ID", g.get("request_id", "")), *current_app.config["RESPONSE_HEADERS"]]
    response.headers.extend([(name, value) for name, value in ours if name not in set_already])
    return response
