"""Rows to JSON: a small serialiser derived from a marshmallow schema, which stays the only description.

Marshmallow's own dump of a page of 50 costs forty times as much; `tests/house` proves that both give the same.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import orjson
from flask import Flask, Response
from flask.json.provider import JSONProvider
from marshmallow import Schema, fields

from . import context
from .application import Answer

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
    """A field made from the row as a whole.

    Args:
        prepare: gives, once for each answer, the function that makes the value of each row.
    """

    def __init__(self, prepare: Callable[[], Callable[[Any], Any]], **options: Any) -> None:
        super().__init__(dump_only=True, **options)
        self.prepare = prepare

    def serialize(self, attr: str, obj: Any, accessor: Any = None, **kwargs: Any) -> Any:
        """The computed value."""
        return self.prepare()(obj)


class Renderer:
    """Turns rows into a schema's documents.

    A nested schema's fields are columns prefixed with its name, as `profile_city`; when the first of them is None, so
    is the whole (a left join that found nothing).

    Args:
        schema: describes the document.
        columns: the names of a row's first values, in order; a row may have more.
    """

    def __init__(self, schema: Schema, columns: Sequence[str]) -> None:
        computed = {name: field for name, field in schema.dump_fields.items() if isinstance(field, Computed)}
        display = _display(schema, {name: f"row[{index}]" for index, name in enumerate(columns)})
        # A display is twice as fast as a loop over the fields. It is made of the names of fields and of numbers alone.
        self._render = eval(f"lambda rows, {', '.join(computed)}: [{display} for row in rows]")  # noqa: S307
        self._preparations = [field.prepare for field in computed.values()]

    def one(self, row: Any) -> Document:
        """The document of a row."""
        return self.many((row,))[0]

    def many(self, rows: Iterable[Any]) -> list[Document]:
        """The documents of rows."""
        documents: list[Document] = self._render(rows, *(prepare() for prepare in self._preparations))
        return documents


def _display(schema: Schema, values: Mapping[str, str], prefix: str = "") -> str:
    """The Python expression of a document, as `{"id": row[0], "url": url(row)}`."""
    parts = []
    for name, field in schema.dump_fields.items():
        if isinstance(field, Computed):
            value = f"{name}(row)"
        elif isinstance(field, fields.Nested):
            first = values[f"{name}_{next(iter(field.schema.dump_fields))}"]
            value = f"None if {first} is None else {_display(field.schema, values, f'{name}_')}"
        else:
            value = values[prefix + name]
        parts.append(f"{name!r}: {value}")
    return "{" + ", ".join(parts) + "}"


def dumps(document: Any) -> bytes:
    """JSON text of plain data, dates and instants included."""
    return orjson.dumps(document, option=OPTIONS)


def sorted_dumps(document: Any) -> bytes:
    """The same for every order of the members: for comparison."""
    return orjson.dumps(document, option=OPTIONS | orjson.OPT_SORT_KEYS)


def answer(document: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON answer."""
    return Answer(dumps(document), status, headers, content_type="application/json")


def etag(body: bytes) -> str:
    """The entity tag of a representation (RFC 9110, section 8.8.3)."""
    return hashlib.blake2b(body, digest_size=12).hexdigest()


def conditional(response: Response) -> Response:
    """Tag an answer, and empty it when the caller has it already (304)."""
    asked = context.asked()
    response.headers["ETag"] = f'"{etag(response.get_data())}"'
    if asked.method in ("GET", "HEAD") and "HTTP_IF_NONE_MATCH" in asked.environ:
        response.make_conditional(asked)
    return response
