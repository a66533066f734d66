"""Parses a response of the API for its page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import orjson
from flask import Response, current_app, g
from markupsafe import Markup

from userapi.html.forms import flatten_errors
from userapi.http.errors import MEDIA_TYPE

from .highlighting import highlight, own_path

#: The headers to show; those of every response are left out.
SHOWN_HEADERS = (
    "Allow", "Content-Type", "Vary", "Cache-Control", "ETag", "Link", "Location", "Retry-After", "WWW-Authenticate",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ApiResponse:
    """A response of the API.

    Attributes:
        status: such as 200.
        reason: such as "OK".
        headers: names and values.
        document: the body; None when there is none.
        body: the same as HTML.
        code, detail: of an error.
        neighbours: the paths of the previous and next page of a list.
        errors: messages by the names of inputs; `""` for the request as a whole.
    """

    status: int
    reason: str
    headers: Sequence[tuple[str, str]]
    document: Any
    body: Markup | None
    code: str
    detail: str
    neighbours: Mapping[str, str]
    errors: Mapping[str, list[str]]


def parse_response(response: Response, items: str | None) -> ApiResponse:
    """Parse a response.

    Args:
        response: JSON, a problem document, or nothing.
        items: the path below which each `id` in `results` has a path of its own, if there is one.
    """
    raw = response.get_data()
    document: Any = orjson.loads(raw) if raw else None
    is_problem = response.mimetype == MEDIA_TYPE
    headers = [(name, ", ".join(response.headers.getlist(name))) for name in SHOWN_HEADERS if name in response.headers]
    return ApiResponse(
        status=response.status_code,
        reason=HTTPStatus(response.status_code).phrase,
        headers=[*headers, ("X-Request-ID", g.get("request_id", ""))],
        document=document,
        body=highlight(document, current_app.config["SITE_URL"], items, foldable=True) if raw else None,
        code=document["code"] if is_problem else "",
        detail=document["detail"] if is_problem else "",
        neighbours=_neighbours(document),
        errors=flatten_errors(document.get("errors", {})) if is_problem else {},
    )


def _neighbours(document: Any) -> dict[str, str]:
    """The paths of the previous and next page of a list."""
    if not isinstance(document, dict):
        return {}
    paths = {name: own_path(document.get(name), current_app.config["SITE_URL"]) for name in ("previous", "next")}
    return {name: path for name, path in paths.items() if path}
