"""JSON responses: written by orjson, with entity tags and conditional requests.

This is the only place that decides how dates and times look in responses: see `JSON_OPTIONS`.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

import orjson
from flask import Flask, Response
from flask.json.provider import JSONProvider

from userapi.core import context

from .application import CompleteResponse

#: How all dates and times in responses are written: UTC with `Z`, with microseconds, as `2026-11-24T17:45:00.123456Z`.
#: To write times without microseconds, add `orjson.OPT_OMIT_MICROSECONDS`.
JSON_OPTIONS = orjson.OPT_UTC_Z

Document = dict[str, Any]


class OrjsonProvider(JSONProvider):
    """Flask's JSON by orjson."""

    def dumps(self, obj: Any, **_options: Any) -> str:
        """JSON text of plain data, including dates, times and UUIDs."""
        return orjson.dumps(obj, option=JSON_OPTIONS).decode()

    def loads(self, s: str | bytes, **_options: Any) -> Any:
        """Plain data from JSON text."""
        return orjson.loads(s)


def configure(app: Flask) -> None:
    """Let Flask write JSON with orjson too."""
    app.json = OrjsonProvider(app)


def dump_json(document: Any) -> bytes:
    """JSON text of plain data, including dates and times."""
    return orjson.dumps(document, option=JSON_OPTIONS)


def dump_indented_json(document: Any) -> bytes:
    """JSON text for people to read."""
    return orjson.dumps(document, option=JSON_OPTIONS | orjson.OPT_INDENT_2)


def dump_sorted_json(document: Any) -> bytes:
    """JSON text with sorted members, for comparison."""
    return orjson.dumps(document, option=JSON_OPTIONS | orjson.OPT_SORT_KEYS)


def json_response(document: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON response."""
    return CompleteResponse(dump_json(document), status, headers, content_type="application/json")


def compute_etag(body: bytes) -> str:
    """The entity tag of a representation (RFC 9110, section 8.8.3)."""
    return hashlib.blake2b(body, digest_size=12).hexdigest()


def make_conditional(response: Response) -> Response:
    """Add an entity tag to a response; if the caller has this version already, empty it (304)."""
    request = context.current_request()
    response.headers["ETag"] = f'"{compute_etag(response.get_data())}"'
    if request.method in ("GET", "HEAD") and "HTTP_IF_NONE_MATCH" in request.environ:
        response.make_conditional(request)
    return response
