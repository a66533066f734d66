"""Where a page takes the place of an answer: after the route, so that a page obeys every rule that the data does."""

from functools import partial
from urllib.parse import urlencode

from flask import Flask, Response, current_app, request

from userapi.core import context
from userapi.http.negotiation import DATA, prefers_page

from . import page
from .operations import Catalogue

#: What was said of the data and is not true of the page; headers that every answer carries come later.
OF_THE_DATA = ("ETag", "Cache-Control", "Content-Length")


def configure(app: Flask) -> None:
    """Show the API to browsers, unless the settings say no. Called when every operation is registered."""
    if app.config["BROWSABLE_API"]:
        app.jinja_env.filters["marked"] = page.marked
        app.after_request(partial(_show, Catalogue(app)))


def _show(catalogue: Catalogue, response: Response) -> Response:
    """Put a page in the place of an answer for callers who prefer one; for all others, this is two look-ups."""
    request = context.current_request()
    endpoint = request.endpoint
    if endpoint is not None and endpoint not in catalogue.endpoints:
        return response
    response.headers.add("Vary", "Accept")
    if "text/" not in request.environ.get("HTTP_ACCEPT", "") or not _wants_page():
        return response
    if response.status_code == 304:
        response = _whole_answer()
    if endpoint is not None and request.method == "GET" and "" in request.args.values():
        return _without_blanks()
    if response.mimetype not in DATA and not (endpoint and request.method == "OPTIONS"):
        return response
    text = page.about(response, catalogue)
    for name in OF_THE_DATA:
        response.headers.pop(name, None)
    response.set_data(text)
    response.mimetype = "text/html"
    return response


def _wants_page() -> bool:
    """Whether to show a page; a script of another origin, which `CORS_ORIGINS` may allow to read, gets no forms."""
    is_foreign = (
        request.headers.get("Sec-Fetch-Mode") == "cors" and request.headers.get("Sec-Fetch-Site") != "same-origin"
    )
    return request.args.get("format") != "json" and not is_foreign and prefers_page()


def _whole_answer() -> Response:
    """The answer whose body was left out because the caller has the data; of the page it has nothing."""
    del request.environ["HTTP_IF_NONE_MATCH"]
    response = current_app.make_response(current_app.dispatch_request())
    response.headers.add("Vary", "Accept")
    return response


def _without_blanks() -> Response:
    """Lead a form of filters, which browsers send with every input left blank, to the address without those."""
    filled = [(name, value) for name, value in request.args.items(multi=True) if value]
    query = f"?{urlencode(filled)}" if filled else ""
    return Response(status=303, headers={"Location": request.path + query, "Vary": "Accept"})
