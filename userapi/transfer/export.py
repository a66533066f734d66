"""The export of every door: users as CSV or JSON Lines, read and written a page at a time, as the import takes them."""

import csv
import io
from collections.abc import Iterator, Mapping
from typing import Any, TextIO

import orjson
import sqlalchemy as sa

from userapi.audit import audit_log
from userapi.users.fields import EXPORTED_NAMES, PROFILE_NAMES
from userapi.users.models import user_groups, user_permissions

from . import line_formats, queries
from .records import PASSWORD_HASH, RIGHTS

#: A page of the documents of users.
Page = list[dict[str, Any]]

#: Users between two pieces of a download.
PIECE = 200

#: Says in a cell of a table that there is none.
NONE = "[]"

#: By this mark a spreadsheet knows the encoding.
BYTE_ORDER_MARK = "\ufeff"


def take_out(write: "Writer", filters: Mapping[str, Any], *, with_passwords: bool) -> Iterator[int]:
    """Write all users who match, as they were at one moment, and that it was done.

    Args:
        write: what makes lines of them.
        filters: as `list_queries.conditions` has them.
        with_passwords: whether password hashes go along, which are secrets.

    Yields:
        How many are written: none first, when the trail says that it begins, then after each page. The door commits.
    """
    written = 0
    asked = {name: (None, str(value)) for name, value in filters.items()} | {"passwords": (None, with_passwords)}
    event = audit_log.record("users.exported", changes={"count": (None, written), **asked})
    yield written
    with queries.snapshot() as connection:
        write.begin(queries.groups(connection), with_passwords=with_passwords)
        last_id = 0
        while page := _documents(connection, filters, last_id, queries.PAGE, with_passwords=with_passwords):
            last_id = page[-1]["id"]
            write.page(page)
            written += len(page)
            audit_log.amend(event, {"count": (None, written), **asked})
            yield written


def download(kind: str, filters: Mapping[str, Any], *, with_groups: bool) -> Iterator[str]:
    """The same file without hashes, in pieces; it keeps no connection while a slow client takes them.

    Args:
        kind: a key of `FORMATS`.
        filters: as `list_queries.conditions` has them.
        with_groups: whether JSON Lines tell the permissions of groups.
    """
    file = io.StringIO()
    write = FORMATS[kind](file)
    with queries.snapshot() as connection:
        write.begin(queries.groups(connection) if with_groups else {}, with_passwords=False)
    last_id = 0
    while True:
        with queries.snapshot() as connection:
            page = _documents(connection, filters, last_id, PIECE, with_passwords=False)
        if page:
            last_id = page[-1]["id"]
            write.page(page)
        yield file.getvalue()
        if not page:
            return
        file.seek(0)
        file.truncate()


def _documents(
    connection: sa.Connection, filters: Mapping[str, Any], last_id: int, most: int, *, with_passwords: bool
) -> Page:
    """The next users behind an id."""
    rows = queries.page(connection, filters, last_id, most)
    if not rows:
        return []
    held = {
        kind: queries.names_held(connection, table, rows[0].id, rows[-1].id)
        for kind, table in zip(RIGHTS, (user_groups, user_permissions), strict=True)
    }
    return [_document(row, held, with_passwords) for row in rows]


def _document(row: Any, held: Mapping[str, Mapping[int, list[str]]], with_passwords: bool) -> dict[str, Any]:
    document = {name: getattr(row, name) for name in EXPORTED_NAMES}
    described = row.profile_user_id is not None
    document["profile"] = {name: getattr(row, f"profile_{name}") for name in PROFILE_NAMES} if described else None
    document |= {kind: held[kind].get(row.id, []) for kind in RIGHTS}
    return document | ({PASSWORD_HASH: row.password_hash} if with_passwords else {})


class JsonLines:
    """Groups first, then users, one JSON object a line."""

    media_type = "application/jsonl"

    def __init__(self, file: TextIO) -> None:
        self.file = file

    def begin(self, groups: Mapping[str, list[str]], *, with_passwords: bool) -> None:
        """Write the groups with their permissions."""
        self.page([{"group": name, "permissions": codenames} for name, codenames in groups.items()])

    def page(self, documents: Page) -> None:
        """Write objects."""
        option = orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE
        self.file.write(b"".join(orjson.dumps(document, option=option) for document in documents).decode())


class Table:
    """CSV for spreadsheets and for the import: a column for each field, and of groups the names alone."""

    media_type = "text/csv"

    def __init__(self, file: TextIO) -> None:
        self.file = file
        self.writer = csv.writer(file, lineterminator="\n")

    def begin(self, groups: Mapping[str, list[str]], *, with_passwords: bool) -> None:
        """Write the names of the columns."""
        self.columns = line_formats.COLUMNS if with_passwords else line_formats.COLUMNS[:-1]
        self.file.write(BYTE_ORDER_MARK)
        self.writer.writerow(self.columns)

    def page(self, documents: Page) -> None:
        """Write rows."""
        for document in documents:
            profile = {line_formats.PROFILE + name: value for name, value in (document.pop("profile") or {}).items()}
            if document["is_staff"] and not document["groups"]:
                document["groups"] = NONE  # an empty cell would tell nothing, and the import put them into one
            values = document | profile
            self.writer.writerow([as_cell(values.get(column)) for column in self.columns])


Writer = JsonLines | Table
FORMATS: dict[str, type[JsonLines] | type[Table]] = {"jsonl": JsonLines, "csv": Table}


def as_cell(value: Any) -> str:
    """A value as a cell that no spreadsheet computes."""
    if value is None or value == []:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return orjson.dumps(value).decode()
    text = str(value) if not hasattr(value, "isoformat") else value.isoformat().replace("+00:00", "Z")
    return line_formats.cell(text)
