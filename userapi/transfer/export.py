"""The export of users as CSV or JSON Lines, for the shell and the staff site. The import can read both."""

import io
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple, TextIO

import orjson
import sqlalchemy as sa

from userapi.audit import audit_log
from userapi.federation import moving
from userapi.mfa import moving_in
from userapi.users import terms
from userapi.users.declaration import get_declaration
from userapi.users.fields import EXPORTED_FIELDS, TERMS_FIELDS
from userapi.users.group_models import user_groups, user_permissions

from . import line_formats, queries
from .csv_cells import CsvWriter
from .profile_validation import PREFIX
from .records import IDENTITIES, MEMBERSHIPS, PASSWORD_HASH, SECOND_FACTORS

#: Some users in the form of the export.
Page = list[dict[str, Any]]

#: The fields of profiles in an export, each with the column that has it, or "" for an own field.
ProfileFields = tuple[tuple[str, str], ...]


class Parts(NamedTuple):
    """What an export contains besides the fields of users.

    Attributes:
        profile_fields: the fields of profiles.
        with_passwords: whether to include password hashes.
    """

    profile_fields: ProfileFields
    with_passwords: bool


#: The number of users that a download sends at a time.
DOWNLOAD_PAGE = 200

#: The cell of a staff member who is in no group.
NO_GROUPS = "[]"


def export_users(
    export: "Export",
    filters: Mapping[str, Any],
    *,
    with_passwords: bool,
    with_factors: bool = False,
    with_identities: bool = False,
    with_sensitive: bool = False,
) -> Iterator[int]:
    """Write all users who match, as of one moment, and record it in the audit log.

    Args:
        export: one of `FORMATS`, for the file.
        filters: as for `list_queries.build_conditions`.
        with_passwords: whether to include password hashes, which are secrets.
        with_factors: whether to include the second factors of users, with the secrets of apps.
        with_identities: whether to include the accounts at other services that sign in here.
        with_sensitive: whether to include the profile fields that are declared as sensitive.

    Yields:
        The number of users written so far: 0 when the event is recorded, then after each page. The caller commits.
    """
    written = 0
    more = {"factors": with_factors, "identities": with_identities, "sensitive": with_sensitive}
    included = {"passwords": (None, with_passwords)} | {name: (None, True) for name, value in more.items() if value}
    facts = {name: (None, str(value)) for name, value in filters.items()} | included
    event = audit_log.record("users.exported", changes={"count": (None, written), **facts})
    yield written
    parts = Parts(_list_profile_fields(with_sensitive=with_sensitive), with_passwords)
    with queries.snapshot() as connection:
        export.start(queries.groups(connection), parts)
        last_id = 0
        while page := _read_page(connection, filters, last_id, queries.PAGE_SIZE, parts):
            if with_factors:
                _add(SECOND_FACTORS, moving_in.read(connection, page[0]["id"], page[-1]["id"]), page)
            if with_identities:
                _add(IDENTITIES, moving.read(connection, page[0]["id"], page[-1]["id"]), page)
            last_id = page[-1]["id"]
            export.write_users(page)
            written += len(page)
            audit_log.amend(event, {"count": (None, written), **facts})
            yield written


def stream_export(kind: str, filters: Mapping[str, Any], *, with_groups: bool) -> Iterator[str]:
    """The pieces of an export without secrets and sensitive fields.

    No connection is held while a slow client reads them.

    Args:
        kind: a key of `FORMATS`.
        filters: as for `list_queries.build_conditions`.
        with_groups: whether JSON Lines begins with the groups and their permissions.
    """
    file = io.StringIO()
    export = FORMATS[kind](file)
    parts = Parts(_list_profile_fields(with_sensitive=False), with_passwords=False)
    with queries.snapshot() as connection:
        export.start(queries.groups(connection) if with_groups else {}, parts)
    last_id = 0
    while True:
        with queries.snapshot() as connection:
            page = _read_page(connection, filters, last_id, DOWNLOAD_PAGE, parts)
        if page:
            last_id = page[-1]["id"]
            export.write_users(page)
        yield file.getvalue()
        if not page:
            return
        file.seek(0)
        file.truncate()


def _list_profile_fields(*, with_sensitive: bool) -> ProfileFields:
    declaration = get_declaration()
    return tuple(
        (name, column)
        for name, column in declaration.columns
        if with_sensitive or not declaration.by_name[name].is_sensitive
    )


def _read_page(connection: sa.Connection, filters: Mapping[str, Any], last_id: int, limit: int, parts: Parts) -> Page:
    """The users with the next ids."""
    rows = queries.page(connection, filters, last_id, limit)
    if not rows:
        return []
    held = {
        kind: queries.member_names(connection, table, rows[0].id, rows[-1].id)
        for kind, table in zip(MEMBERSHIPS, (user_groups, user_permissions), strict=True)
    }
    return [_user(row, held, parts) for row in rows]


def _add(name: str, values: Mapping[int, Any], page: Page) -> None:
    """Add a field to the users of a page who have it."""
    for user in page:
        if user["id"] in values:
            user[name] = values[user["id"]]


def _user(row: Any, held: Mapping[str, Mapping[int, list[str]]], parts: Parts) -> dict[str, Any]:
    user = {name: getattr(row, name) for name in EXPORTED_FIELDS}
    if user["terms_version"] is None:
        for name in TERMS_FIELDS:
            del user[name]
    user["profile"] = None if row.profile_user_id is None else _profile(row, parts.profile_fields)
    user |= {kind: held[kind].get(row.id, []) for kind in MEMBERSHIPS}
    return user | ({PASSWORD_HASH: row.password_hash} if parts.with_passwords else {})


def _profile(row: Any, fields: ProfileFields) -> dict[str, Any]:
    own = row.profile_extra or {}
    return {name: getattr(row, column) if column else own.get(name) for name, column in fields}


class JsonLinesExport:
    """Groups first, then users, one JSON object a line."""

    media_type = "application/jsonl"

    def __init__(self, file: TextIO) -> None:
        self.file = file

    def start(self, groups: Mapping[str, list[str]], parts: Parts) -> None:
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

    def start(self, groups: Mapping[str, list[str]], parts: Parts) -> None:
        """Write the column names."""
        columns = line_formats.list_columns(name for name, _column in parts.profile_fields)
        if not terms.are_in_force():
            columns = tuple(name for name in columns if name not in TERMS_FIELDS)
        self.writer = CsvWriter(self.file, columns if parts.with_passwords else columns[:-1])

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
    profile = {PREFIX + name: value for name, value in (user["profile"] or {}).items()}
    # The import puts staff without groups in their file into the built-in group, and an empty cell says nothing.
    groups = NO_GROUPS if user["is_staff"] and not user["groups"] else user["groups"]
    return {**user, **profile, "groups": groups}
