"""Errors as responses: a problem document (RFC 9457) for programs, a page for browsers outside the API."""

import logging
from collections.abc import Callable
from typing import Any

import orjson
import sqlalchemy as sa
from flask import Flask, Response, current_app, render_template, request
from flask_babel import lazy_gettext
from marshmallow import ValidationError
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.http import HTTP_STATUS_CODES

from userapi.core import disk, lost_connections
from userapi.core.problems import (
    NotFound,
    OutcomeUnknown,
    Problem,
    Unavailable,
    ValidationFailed,
    to_problem_document,
)
from userapi.observability import metrics

from .negotiation import PROGRAM_PATHS, prefers_page
from .page_paths import find_page_above

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"

#: Paths for programs: errors are JSON, whatever the request accepts.
DATA_PATHS = ("/userapi", "/api-token-", *PROGRAM_PATHS)

#: The name of the error pages of parts of the site among the extensions of the application.
PAGES = "error_pages"

#: The name of the shapes of errors in parts of the site among the extensions of the application.
SHAPES = "error_shapes"

#: Errors of a database that is unreachable or overloaded; an InternalError may also be that of a standby.
DATABASE_ERRORS = (sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.TimeoutError, sa.exc.InternalError)


def problem_response(problem: Problem) -> Response:
    """Render a problem: a page for a browser outside the API, else a problem document, or what `set_shape` has set.

    Inside the API, `userapi.browse` turns it into a page, because it knows the other operations there.
    """
    if wants_error_page():
        page = _render_own_page(problem) or render_template("pages/problem.html", problem=problem)
        response = Response(page, problem.status, mimetype="text/html")
    elif (render := _find_shape()) is not None:
        response = render(problem)
    else:
        # The keys of errors in lists are numbers.
        body = orjson.dumps(to_problem_document(problem), option=orjson.OPT_NON_STR_KEYS)
        response = Response(body, problem.status, mimetype=MEDIA_TYPE)
    response.headers.update(problem.headers)
    return response


def set_shape(app: Flask, path: str, render: Callable[[Problem], Response]) -> None:
    """Let programs get the errors below a path in another shape than problem documents."""
    app.extensions.setdefault(SHAPES, {})[path] = render


def _find_shape() -> Callable[[Problem], Response] | None:
    shapes: dict[str, Callable[[Problem], Response]] = current_app.extensions.get(SHAPES, {})
    return next((render for path, render in shapes.items() if request.path.startswith(path)), None)


def set_page(app: Flask, path: str, render: Callable[[Problem], str | None]) -> None:
    """Let a part of the site render the errors below its path; None leaves an error to the public page."""
    app.extensions.setdefault(PAGES, {})[path] = render


def _render_own_page(problem: Problem) -> str | None:
    pages: dict[str, Callable[[Problem], str | None]] = current_app.extensions.get(PAGES, {})
    for path, render in pages.items():
        if request.path.startswith(path):
            return render(problem)
    return None


def wants_error_page() -> bool:
    """Whether an error is shown as a page."""
    return prefers_page() and not request.path.startswith(DATA_PATHS)


#: Codes of errors that come from HTTP itself, not from one of our rules.
HTTP_CODES = {
    400: "bad_request",
    404: "not_found",
    405: "method_not_allowed",
    408: "request_timeout",
    413: "body_too_large",
    415: "unsupported_media_type",
    500: "internal_error",
}
HTTP_TITLES = {
    400: lazy_gettext("Bad request"),
    404: NotFound.title,
    405: lazy_gettext("Method not allowed"),
    408: lazy_gettext("Request timeout"),
    413: lazy_gettext("Request body too large"),
    415: lazy_gettext("Unsupported media type"),
    500: lazy_gettext("Internal server error"),
}
HTTP_DETAILS = {
    400: lazy_gettext("The request could not be understood."),
    404: NotFound.detail,
    405: lazy_gettext("This URL does not support that method. The Allow header lists the supported methods."),
    408: lazy_gettext("The request body did not arrive in time. Send the request again."),
    413: lazy_gettext("The request body is larger than 1 MiB."),
    415: lazy_gettext("Send the body as application/json, application/x-www-form-urlencoded or multipart/form-data."),
    500: lazy_gettext("Something went wrong on our side. If you report it, include the X-Request-ID of this response."),
}


def problem_from_http_error(error: HTTPException) -> Problem:
    """Convert an HTTP error of Werkzeug to a problem with the same headers."""
    status = error.code or 500
    problem = Problem(HTTP_DETAILS.get(status, HTTP_STATUS_CODES.get(status, "")))
    problem.status = status  # type: ignore[misc]
    name = HTTP_STATUS_CODES.get(status, "Error").capitalize()
    problem.title = HTTP_TITLES.get(status, name)  # type: ignore[misc]
    problem.code = HTTP_CODES.get(status, HTTP_CODES[400 if status < 500 else 500])  # type: ignore[misc]
    kept = ("allow", "retry-after", "www-authenticate")
    problem.headers = {name: value for name, value in error.get_headers() if name.lower() in kept}
    return problem


def configure(app: Flask) -> None:
    """Register the handlers that render every error as a problem."""
    app.register_error_handler(Problem, problem_response)
    app.register_error_handler(
        ValidationError, lambda error: problem_response(ValidationFailed(errors=error.messages_dict))
    )
    app.register_error_handler(HTTPException, _handle_http_error)
    for kind in DATABASE_ERRORS:
        app.register_error_handler(kind, _handle_database_error)
    app.register_error_handler(Exception, _handle_unexpected_error)


def _handle_http_error(error: HTTPException) -> Any:
    if error.code is not None and error.code < 400:
        return error
    if isinstance(error, MethodNotAllowed) and (redirect := _redirect_to_page_of_form()):
        return redirect
    return problem_response(problem_from_http_error(error))


def _redirect_to_page_of_form() -> Response | None:
    """Redirect a browser that opens the URL of a form, as after a rejected form, to the page that shows the form.

    No route may do this: `find_page_above` would take it for that page, so saved forms would go to the wrong path.
    """
    if request.method not in ("GET", "HEAD") or not wants_error_page():
        return None
    path = find_page_above(request.path)
    if path == "/":
        return None
    query = request.query_string.decode("ascii", "replace")
    return Response(status=303, headers={"Location": f"{path}?{query}" if query else path})


def _handle_database_error(error: Exception) -> Response:
    if isinstance(error, sa.exc.InternalError) and not error.connection_invalidated:
        return _handle_unexpected_error(error)
    metrics.get_current_metrics().database_unavailable.labels(type(error).__name__).inc()
    event = disk.DISK_FULL if disk.is_disk_full_error(error) else "database unavailable"
    log.error(event, extra={"error": type(error).__name__})
    return problem_response(OutcomeUnknown() if lost_connections.is_outcome_unknown(error) else Unavailable())


def _handle_unexpected_error(error: Exception) -> Response:
    route = request.url_rule.rule if request.url_rule else None  # the path itself may contain the secret of a link
    log.exception("unexpected error", extra={"method": request.method, "route": route})
    problem = Problem(HTTP_DETAILS[500])
    problem.status, problem.code, problem.title = 500, HTTP_CODES[500], HTTP_TITLES[500]  # type: ignore[misc]
    return problem_response(problem)
