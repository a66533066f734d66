"""Users as CSV or JSON Lines, a page at a time, so that a million cost no more memory than fifty."""

import csv
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any

from flask import Response, stream_with_context

from userapi.core import clock, rendering
from userapi.users import queries

#: Columns of an export: what the list and the form show, and no more.
COLUMNS = queries.SHOWN

#: What a spreadsheet takes for the beginning of a formula (OWASP, CSV Injection).
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")

#: Rows between two pieces of the answer.
PIECE = 200


def answer(kind: str, rows: Iterable[Any]) -> Response:
    """Users as a download.

    Args:
        kind: a key of `KINDS`.
        rows: their documents' columns, read as they are written.
    """
    write, mimetype = KINDS[kind]
    name = f"users-{clock.now():%Y%m%d-%H%M%S}.{kind}"
    response = Response(stream_with_context(write(rows)), mimetype=mimetype)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _csv(rows: Iterable[Any]) -> Iterator[str]:
    pieces = _Pieces()
    writer = csv.writer(pieces)
    writer.writerow(COLUMNS)
    for number, row in enumerate(rows, 1):
        writer.writerow([_cell(row[index]) for index in range(len(COLUMNS))])
        if number % PIECE == 0:
            yield pieces.take()
    yield pieces.take()


def _jsonl(rows: Iterable[Any]) -> Iterator[bytes]:
    for row in rows:
        yield rendering.dumps(dict(zip(COLUMNS, row, strict=False))) + b"\n"


class _Pieces:
    """What the CSV writer has written since it was last taken."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def write(self, text: str) -> None:
        """Keep a text."""
        self.texts.append(text)

    def take(self) -> str:
        """Give what was kept."""
        text = "".join(self.texts)
        self.texts.clear()
        return text


def _cell(value: Any) -> str:
    """A value as a cell that no spreadsheet computes: the apostrophe makes text of it."""
    if value is None:
        return ""
    text = value.isoformat() if isinstance(value, datetime) else str(value)
    text = text.replace("\x00", "")
    return f"'{text}" if text.startswith(FORMULA) or text.lstrip().startswith(FORMULA) else text


Writer = Callable[[Iterable[Any]], Iterator[Any]]

KINDS: dict[str, tuple[Writer, str]] = {
    "csv": (_csv, "text/csv"),
    "jsonl": (_jsonl, "application/jsonl"),
}
