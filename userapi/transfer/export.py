"""The export of users as CSV or JSON Lines, for the shell and the staff site. The import can read both."""

import io
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TextIO

import orjson
import sqlalchemy as sa

from userapi.audit import audit_log
from userapi.mfa import moving_in
from userapi.users.fields import EXPORTED_FIELDS, PROFILE_FIELD_NAMES
from userapi.users.models import user_groups, user_permissions

from . import line_formats, queries
from .csv_cells import CsvWriter
from .records import MEMBERSHIPS, PASSWORD_HASH, SECOND_FACTORS

#: Some users in the form of the export.
Page = list[dict[str, Any]]

#: The number of users that a download sends at a time.
DOWNLOAD_PAGE = 200

#: The cell of a staff member who is in no group.
NO_GROUPS = "[]"


def export_users(
    export: "Export", filters: Mapping[str, Any], *, with_passwords: bool, with_factors: bool = False
) -> Iterator[int]:
    """Write all users who match, as of one moment, and record it in the audit log.

    Args:
        export: one of `FORMATS`, for the file.
        filters: as for `list_queries.build_conditions`.
        with_passwords: whether to include password hashes, which are secrets.
        with_factors: whether to include the second factors of users, with the secrets of apps.

    Yields:
        The number of users written so far: 0 when the event is recorded, then after each page. The caller commits.
    """
    written = 0
    secrets = {"passwords": (None, with_passwords)} | ({"factors": (None, True)} if with_factors else {})
    facts = {name: (None, str(value)) for name, value in filters.items()} | secrets
    event = audit_log.record("users.exported", changes={"count": (None, written), **facts})
    yield written
    with queries.snapshot() as connection:
        export.start(queries.groups(connection), with_passwords=with_passwords)
        last_id = 0
        while page := _read_page(connection, filters, last_id, queries.PAGE_SIZE, with_passwords=with_passwords):
            if with_factors:
                _add_factors(connection, page)
            last_id = page[-1]["id"]
            export.write_users(page)
            written += len(page)
            audit_log.amend(event, {"count": (None, written), **facts})
            yield written


def stream_export(kind: str, filters: Mapping[str, Any], *, with_groups: bool) -> Iterator[str]:
    """The pieces of an export without password hashes. No connection is held while a slow client reads them.

    Args:
        kind: a key of `FORMATS`.
        filters: as for `list_queries.build_conditions`.
        with_groups: whether JSON Lines begins with the groups and their permissions.
    """
    file = io.StringIO()
    export = FORMATS[kind](file)
    with queries.snapshot() as connection:
        export.start(queries.groups(connection) if with_groups else {}, with_passwords=False)
    last_id = 0
    while True:
        with queries.snapshot() as connection:
            page = _read_page(connection, filters, last_id, DOWNLOAD_PAGE, with_passwords=False)
        if page:
            last_id = page[-1]["id"]
            export.write_users(page)
        yield file.getvalue()
        if not page:
            return
        file.seek(0)
        file.truncate()


def _read_page(
    connection: sa.Connection, filters: Mapping[str, Any], last_id: int, limit: int, *, with_passwords: bool
) -> Page:
    """The users with the next ids."""
    rows = queries.page(connection, filters, last_id, limit)
    if not rows:
        return []
    held = {
        kind: queries.member_names(connection, table, rows[0].id, rows[-1].id)
        for kind, table in zip(MEMBERSHIPS, (user_groups, user_permissions), strict=True)
    }
    return [_user(row, held, with_passwords) for row in rows]


def _add_factors(connection: sa.Connection, page: Page) -> None:
    factors = moving_in.read(connection, page[0]["id"], page[-1]["id"])
    for user in page:
        if user["id"] in factors:
            user[SECOND_FACTORS] = factors[user["id"]]


def _user(row: Any, held: Mapping[str, Mapping[int, list[str]]], with_passwords: bool) -> dict[str, Any]:
    user = {name: getattr(row, name) for name in EXPORTED_FIELDS}
    has_profile = row.profile_user_id is not None
    user["profile"] = {name: getattr(row, f"profile_{name}") for name in PROFILE_FIELD_NAMES} if has_profile else None
    user |= {kind: held[kind].get(row.id, []) for kind in MEMBERSHIPS}
    return user | ({PASSWORD_HASH: row.password_hash} if with_passwords else {})


class JsonLinesExport:
    """Groups first, then users, one JSON object a line."""

    media_type = "application/jsonl"

    def __init__(self, file: TextIO) -> None:
        self.file = file

    def start(self, groups: Mapping[str, list[str]], *, with_passwords: bool) -> None:
        """Write the groups, given as codenames of permissions by name."""
        write_json_lines(self.file, ({"group": name, "permissions": codenames} for name, codenames in groups.items()))

    def write_users(self, users: Page) -> None:
        """Write a page of users."""
        write_json_lines(self.file, users)


class CsvExport:
    """Users with one column for each field; of their groups it has only the names."""

    media_type = "text/csv"

    def __init__(self, file: TextIO) -> None:
        self.file = file

    def start(self, groups: Mapping[str, list[str]], *, with_passwords: bool) -> None:
        """Write the column names."""
        columns = line_formats.COLUMNS if with_passwords else line_formats.COLUMNS[:-1]
        self.writer = CsvWriter(self.file, columns)

    def write_users(self, users: Page) -> None:
        """Write a page of users."""
        self.writer.write_rows(_csv_row(user) for user in users)


Export = JsonLinesExport | CsvExport
FORMATS: dict[str, type[JsonLinesExport] | type[CsvExport]] = {"jsonl": JsonLinesExport, "csv": CsvExport}


def write_json_lines(file: TextIO, objects: Iterable[Mapping[str, Any]]) -> None:
    """Write JSON objects, one a line."""
    option = orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE
    file.write(b"".join(orjson.dumps(each, option=option) for each in objects).decode())


def _csv_row(user: dict[str, Any]) -> dict[str, Any]:
    """The cells of a user, by column."""
    profile = {line_formats.PROFILE + name: value for name, value in (user["profile"] or {}).items()}
    # The import puts staff without groups in their file into the built-in group, and an empty cell says nothing.
    groups = NO_GROUPS if user["is_staff"] and not user["groups"] else user["groups"]
    return {**user, **profile, "groups": groups}
