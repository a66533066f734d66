"""Refusals: one class for each, one shape for all (RFC 9457, `application/problem+json`)."""

import logging
from typing import Any, ClassVar

import orjson
import sqlalchemy as sa
from flask import Flask, Response, render_template, request
from flask_babel import lazy_gettext
from marshmallow import ValidationError
from werkzeug.exceptions import HTTPException
from werkzeug.http import HTTP_STATUS_CODES

from . import disk, metrics
from .i18n import translated
from .negotiation import PROGRAM_PATHS, prefers_page

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"

#: Where programs call: whatever they accept, a refusal is data.
DATA_PATHS = ("/userapi", "/api-token-", *PROGRAM_PATHS)

#: What the database says when it is away or overloaded rather than wrong.
UNAVAILABLE = (sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.TimeoutError)


class Problem(Exception):
    """A refusal that the caller can act on.

    Attributes:
        status: the HTTP status code.
        code: a stable snake_case word for programs.
        title: what is wrong, the same for every occurrence; in the caller's language when it is read.
        detail: what is wrong this time and what to do next, likewise.
        errors: messages by field, nested as the input was.
        example_errors: such messages, for the OpenAPI document.
        headers: HTTP headers that go with the answer.
    """

    status: ClassVar[int] = 400
    code: ClassVar[str] = "bad_request"
    title: ClassVar[str] = lazy_gettext("Bad request")
    detail: str = ""
    example_errors: ClassVar[dict[str, Any]] = {}

    def __init__(
        self,
        detail: str | None = None,
        *,
        errors: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        if detail is not None:
            self.detail = detail
        self.errors = translated(errors) if errors else None
        self.headers = headers or {}

    def __str__(self) -> str:
        return str(self.detail or self.title)


class ValidationFailed(Problem):
    """The input is malformed or breaks a rule of a field."""

    code = "validation_failed"
    title = lazy_gettext("Validation failed")
    detail = lazy_gettext("Some fields need attention; see errors.")
    example_errors: ClassVar = {"email": ["Missing data for required field."]}


class MalformedBody(Problem):
    """The body is not what its Content-Type says."""

    code = "malformed_body"
    title = lazy_gettext("Malformed body")


class NotSignedIn(Problem):
    """No credentials came with a request that needs some (RFC 6750, section 3.1)."""

    status = 401
    code = "not_authenticated"
    title = lazy_gettext("Not signed in")
    detail = lazy_gettext("Send an access token: Authorization: Bearer <token>. POST /api-token-auth/ gives one.")

    def __init__(self, detail: str | None = None, **options: Any) -> None:
        super().__init__(detail, **options)
        self.headers.setdefault("WWW-Authenticate", 'Bearer realm="userapi"')


class PermissionDenied(Problem):
    """The caller is known and may not do this."""

    status = 403
    code = "permission_denied"
    title = lazy_gettext("Permission denied")
    detail = lazy_gettext("Your account does not have the right to do this.")


class NotFound(Problem):
    """There is no such object."""

    status = 404
    code = "not_found"
    title = lazy_gettext("Not found")
    detail = lazy_gettext("There is nothing at this address.")


class NotAcceptable(Problem):
    """The caller takes no media type that the operation can answer with."""

    status = 406
    code = "not_acceptable"
    title = lazy_gettext("Not acceptable")
    detail = lazy_gettext("The answer is application/json; name it in the Accept header, or leave the header out.")


class PreconditionFailed(Problem):
    """`If-Match` names another state than the present one (RFC 9110, section 13.1.1)."""

    status = 412
    code = "precondition_failed"
    title = lazy_gettext("Precondition failed")
    detail = lazy_gettext("The object was changed since you read it. Read it again and repeat your change.")


class Unavailable(Problem):
    """A part the service needs is away or overloaded for the moment."""

    status = 503
    code = "unavailable"
    title = lazy_gettext("Service unavailable")
    detail = lazy_gettext("The service cannot answer just now. Try again in a moment.")

    def __init__(self, detail: str | None = None, **options: Any) -> None:
        super().__init__(detail, **options)
        self.headers.setdefault("Retry-After", "2")


def document(problem: Problem) -> dict[str, Any]:
    """The members of a problem document (RFC 9457, section 3.1)."""
    members: dict[str, Any] = {
        "type": "about:blank",
        "title": str(problem.title),
        "status": problem.status,
        "detail": str(problem.detail or problem.title),
        "code": problem.code,
    }
    if problem.errors:
        members["errors"] = problem.errors
    return members


def example(kind: type[Problem]) -> dict[str, Any]:
    """A problem document of a class, for the OpenAPI document."""
    members = {
        "type": "about:blank",
        "title": str(kind.title),
        "status": kind.status,
        "detail": str(kind.detail or kind.title),
        "code": kind.code,
    }
    return {**members, "errors": kind.example_errors} if kind.example_errors else members


def answer(problem: Problem) -> Response:
    """Render a problem: a page for a browser outside the API, else a problem document.

    Inside the API it becomes a page in `userapi.browse`, which knows what else can be called there.
    """
    if _is_for_browser():
        page = render_template("pages/problem.html", problem=problem)
        response = Response(page, problem.status, mimetype="text/html")
    else:
        response = Response(orjson.dumps(document(problem)), problem.status, mimetype=MEDIA_TYPE)
    response.headers.update(problem.headers)
    return response


def _is_for_browser() -> bool:
    return prefers_page() and not request.path.startswith(DATA_PATHS)


#: Codes of refusals that come from HTTP itself, not from a rule of ours.
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
    413: lazy_gettext("Request entity too large"),
    415: lazy_gettext("Unsupported media type"),
    500: lazy_gettext("Internal server error"),
}
HTTP_DETAILS = {
    400: lazy_gettext("The request could not be understood."),
    404: NotFound.detail,
    405: lazy_gettext("This address does not take that method; see the Allow header."),
    408: lazy_gettext("The body of the request did not arrive in time. Send the request again."),
    413: lazy_gettext("The body is larger than 1 MiB."),
    415: lazy_gettext("Send application/json, application/x-www-form-urlencoded or multipart/form-data."),
    500: lazy_gettext("Something went wrong on our side. Quote the X-Request-ID of this answer when you report it."),
}


def from_http(error: HTTPException) -> Problem:
    """Say an HTTP error of Werkzeug's as a problem, its headers kept."""
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
    """Render whatever is raised in the one shape."""
    app.register_error_handler(Problem, answer)
    app.register_error_handler(ValidationError, lambda error: answer(ValidationFailed(errors=error.messages_dict)))
    app.register_error_handler(HTTPException, _refuse_http)
    for kind in UNAVAILABLE:
        app.register_error_handler(kind, _refuse_unavailable)
    app.register_error_handler(Exception, _refuse_unexpected)


def _refuse_http(error: HTTPException) -> Any:
    if error.code is not None and error.code < 400:
        return error
    return answer(from_http(error))


def _refuse_unavailable(error: Exception) -> Response:
    metrics.counted().database_unavailable.labels(type(error).__name__).inc()
    event = disk.DISK_FULL if disk.is_full_error(error) else "database unavailable"
    log.error(event, extra={"error": type(error).__name__})
    return answer(Unavailable())


def _refuse_unexpected(error: Exception) -> Response:
    route = request.url_rule.rule if request.url_rule else None  # the path itself may hold the secret of a link
    log.exception("unexpected error", extra={"method": request.method, "route": route})
    problem = Problem(HTTP_DETAILS[500])
    problem.status, problem.code, problem.title = 500, HTTP_CODES[500], HTTP_TITLES[500]  # type: ignore[misc]
    return answer(problem)
