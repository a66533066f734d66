"""`/docs/`: the reference, and Swagger UI to try the API."""

import hashlib
import re
from typing import Any

from flask import Blueprint, Flask, Response, g, make_response, render_template, request, url_for

from userapi.auth import authentication
from userapi.auth.caller import find_caller
from userapi.html import csrf
from userapi.http.headers import get_csp_nonce

from .operations import Catalogue
from .reference import Reference

#: What `get_csp_nonce` returns.
NONCE = re.compile(r"[A-Za-z0-9_-]{22}", re.ASCII)


def configure(app: Flask, catalogue: Catalogue) -> None:
    """Serve both pages. Call this after all operations are registered."""
    reference = Reference(app, catalogue)
    blueprint = Blueprint("docs", __name__)

    @blueprint.get("/docs/")
    def show_reference() -> Response:
        """Show every operation."""
        response = _render("docs/reference.html", reference=reference)
        return response if find_caller() else _storable(response)  # a page that names its reader is not stored

    @blueprint.get("/docs/try/")
    def show_swagger_ui() -> Response:
        """Show Swagger UI, where operations can be tried."""
        return _render("docs/try.html", document_url=url_for("api-docs.openapi_json"))

    app.register_blueprint(blueprint)


def _render(template: str, **context: Any) -> Response:
    authentication.sign_in_by_cookie()
    caller = find_caller()
    token = csrf.session_token(caller.session_id) if caller else ""
    page = render_template(template, me=caller.user if caller else None, csrf_token=lambda: token, **context)
    return make_response(page)


def _storable(response: Response) -> Response:
    """Let the browser keep a page, with a tag of its content and its nonce.

    A 304 replaces the headers of the stored page (RFC 9111, section 4.3.4), whose scripts have the nonce of the stored
    policy. So the policy of the 304 names that nonce.
    """
    nonce = get_csp_nonce()
    content = hashlib.blake2b(response.get_data().replace(nonce.encode(), b""), digest_size=16).hexdigest()
    for tag in request.if_none_match.as_set(include_weak=True):
        stored_content, _dot, stored_nonce = tag.partition(".")
        if stored_content == content and NONCE.fullmatch(stored_nonce):
            g.csp_nonce = nonce = stored_nonce
            response = Response(status=304, mimetype="text/html")
    response.set_etag(f"{content}.{nonce}", weak=True)
    response.headers["Cache-Control"] = "private, no-cache"
    return response
