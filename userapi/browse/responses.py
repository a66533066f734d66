"""An answer of the API, taken apart for reading."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import orjson
from flask import Response, current_app, g
from markupsafe import Markup

from userapi.http.errors import MEDIA_TYPE

from . import inputs
from .highlighting import highlight, own_path

#: Headers worth reading; those that every answer carries are left out.
SHOWN_HEADERS = (
    "Allow", "Content-Type", "Vary", "Cache-Control", "ETag", "Link", "Location", "Retry-After", "WWW-Authenticate",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Answer:
    """What the API said.

    Attributes:
        status: as 200.
        reason: as "OK".
        headers: names and values.
        document: the body; None when there is none.
        body: the same, for reading.
        detail: what a refusal says.
        neighbours: the addresses of the pages before and after this one of a list.
        errors: messages by the names of inputs; `""` is no input's.
    """

    status: int
    reason: str
    headers: Sequence[tuple[str, str]]
    document: Any
    body: Markup | None
    detail: str
    neighbours: Mapping[str, str]
    errors: Mapping[str, str]


def read(response: Response, items: str | None) -> Answer:
    """Take an answer apart.

    Args:
        response: JSON, a problem document, or nothing.
        items: the address below which each `id` in `results` has one of its own, if there is such.
    """
    raw = response.get_data()
    document: Any = orjson.loads(raw) if raw else None
    is_problem = response.mimetype == MEDIA_TYPE
    headers = [(name, value) for name, value in response.headers if name in SHOWN_HEADERS]
    return Answer(
        status=response.status_code,
        reason=HTTPStatus(response.status_code).phrase,
        headers=[*headers, ("X-Request-ID", g.get("request_id", ""))],
        document=document,
        body=highlight(document, current_app.config["SITE_URL"], items) if raw else None,
        detail=document["detail"] if is_problem else "",
        neighbours=_neighbours(document),
        errors=dict(inputs.flat(document.get("errors", {}))) if is_problem else {},
    )


def _neighbours(document: Any) -> dict[str, str]:
    """The pages before and after this one of a list."""
    if not isinstance(document, dict):
        return {}
    paths = {name: own_path(document.get(name), current_app.config["SITE_URL"]) for name in ("previous", "next")}
    return {name: path for name, path in paths.items() if path}
