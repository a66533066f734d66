"""Replaces a response with its page, after the route: so the same rules apply to pages and data."""

from functools import partial
from urllib.parse import urlencode

from flask import Flask, Response, current_app, request

from userapi.core import context
from userapi.html.redirects import see_other
from userapi.http.negotiation import DATA_TYPES, add_to_vary, prefers_page

from . import api_page, docs_pages, markdown
from .operations import Catalogue

#: Headers about the data that do not hold for the page.
DATA_HEADERS = ("ETag", "Cache-Control", "Content-Length")


def configure(app: Flask) -> None:
    """Show the API to browsers if the settings allow it, and its reference always. Call this last."""
    catalogue = Catalogue(app)
    app.jinja_env.filters["markup"] = markdown.render_inline
    app.jinja_env.filters["markdown"] = markdown.render_blocks
    docs_pages.configure(app, catalogue)
    if app.config["BROWSABLE_API"]:
        app.after_request(partial(_show_page, catalogue))


def _show_page(catalogue: Catalogue, response: Response) -> Response:
    """Replace a response with a page if the caller prefers one; for all other callers, this costs two look-ups."""
    request = context.current_request()
    endpoint = request.endpoint
    if endpoint is not None and endpoint not in catalogue.endpoints:
        return response
    add_to_vary(response, "Accept")
    if "text/" not in request.environ.get("HTTP_ACCEPT", "") or not _wants_page():
        return response
    if response.status_code == 304:
        response = _repeat_without_condition()
    if endpoint is not None and request.method == "GET" and "" in request.args.values():
        return _redirect_without_blanks()
    if response.mimetype not in DATA_TYPES and not (endpoint and request.method == "OPTIONS"):
        return response
    text = api_page.render_page(response, catalogue)
    for name in DATA_HEADERS:
        response.headers.pop(name, None)
    response.set_data(text)
    response.mimetype = "text/html"
    return response


def _wants_page() -> bool:
    """Whether to show a page. Scripts of other origins get none, even if `CORS_ORIGINS` allows them to read."""
    is_foreign = (
        request.headers.get("Sec-Fetch-Mode") == "cors" and request.headers.get("Sec-Fetch-Site") != "same-origin"
    )
    return request.args.get("format") != "json" and not is_foreign and prefers_page()


def _repeat_without_condition() -> Response:
    """The response with its body, which a 304 leaves out: the browser has the data, but not the page."""
    del request.environ["HTTP_IF_NONE_MATCH"]
    response = current_app.make_response(current_app.dispatch_request())
    add_to_vary(response, "Accept")
    return response


def _redirect_without_blanks() -> Response:
    """Redirect a submitted filter form to the URL without blank parameters, which browsers send too."""
    filled = [(name, value) for name, value in request.args.items(multi=True) if value]
    query = f"?{urlencode(filled)}" if filled else ""
    response = see_other(request.path + query)
    response.headers["Vary"] = "Accept"
    return response
