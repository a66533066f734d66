"""Rows to JSON: a small serialiser derived from a marshmallow schema, which stays the only description.

Marshmallow's own dump of a page of 50 costs forty times as much; `tests/house` proves that both give the same.
"""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import orjson
from flask import Flask, Response, request
from flask.json.provider import JSONProvider
from marshmallow import Schema, fields

#: Instants as `2026-11-24T17:45:00Z`, to the microsecond.
OPTIONS = orjson.OPT_UTC_Z

Document = dict[str, Any]


class FastJSON(JSONProvider):
    """Flask's JSON by orjson."""

    def dumps(self, obj: Any, **_options: Any) -> str:
        """JSON text of plain data, dates, instants and UUIDs included."""
        return orjson.dumps(obj, option=OPTIONS).decode()

    def loads(self, s: str | bytes, **_options: Any) -> Any:
        """Plain data of JSON text."""
        return orjson.loads(s)


def configure(app: Flask) -> None:
    """Let Flask write JSON as we do."""
    app.json = FastJSON(app)


class Computed(fields.Field[Any]):
    """A field made from other columns of the row.

    Args:
        compute: takes the row's values by name.
    """

    def __init__(self, compute: Callable[[Mapping[str, Any]], Any], **options: Any) -> None:
        super().__init__(dump_only=True, **options)
        self.compute = compute

    def serialize(self, attr: str, obj: Any, accessor: Any = None, **kwargs: Any) -> Any:
        """The computed value."""
        return self.compute(obj)


def renderer(schema: Schema) -> Callable[[Any], Document]:
    """Make the function that turns a row's mapping into the schema's document.

    A nested schema's fields are read from columns prefixed with its name, as `profile_city`; when its first is None, so
    is the whole (a left join that found nothing).
    """
    parts: list[tuple[str, Callable[[Mapping[str, Any]], Any]]] = []
    for name, field in schema.dump_fields.items():
        if isinstance(field, fields.Nested):
            parts.append((name, _nested(name, field.schema)))
        elif isinstance(field, Computed):
            parts.append((name, field.compute))
        else:
            parts.append((name, _column(field.attribute or name)))

    def render(row: Any) -> Document:
        return {name: part(row) for name, part in parts}

    return render


def _column(name: str) -> Callable[[Mapping[str, Any]], Any]:
    return lambda row: row[name]


def _nested(prefix: str, schema: Any) -> Callable[[Mapping[str, Any]], Any]:
    names = [(name, f"{prefix}_{name}") for name in schema.dump_fields]
    first = names[0][1]

    def part(row: Mapping[str, Any]) -> Any:
        if row[first] is None:
            return None
        return {name: row[column] for name, column in names}

    return part


def dumps(document: Any) -> bytes:
    """JSON text of plain data, dates and instants included."""
    return orjson.dumps(document, option=OPTIONS)


def answer(document: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON answer."""
    return Response(dumps(document), status, headers, mimetype="application/json")


def etag(body: bytes) -> str:
    """The entity tag of a representation (RFC 9110, section 8.8.3)."""
    return hashlib.blake2b(body, digest_size=12).hexdigest()


def conditional(response: Response) -> Response:
    """Tag an answer, and empty it when the caller has it already (304)."""
    response.set_etag(etag(response.get_data()))
    if request.method in ("GET", "HEAD"):
        response.make_conditional(request)
    return response
