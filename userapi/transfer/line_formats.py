"""Reads CSV and JSON Lines files, which have a line for each user."""

import csv
import itertools
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, TextIO

import orjson
from flask_babel import gettext as _

from userapi.users.declaration import Declaration, get_declaration
from userapi.users.field_definition import Kind
from userapi.users.fields import EXPORTED_FIELDS, FLAGS, PROFILE_FIELD_NAMES

from .csv_cells import unescape_formula
from .profile_validation import PREFIX
from .records import EMAIL_VERIFIED, MEMBERSHIPS, PASSWORD_HASH, Record, UnreadableFile

#: The maximum length of a line in characters; a user has a few hundred.
MAX_LINE_LENGTH = 1_000_000

#: Column names of older exports of the staff site.
OLD_NAMES = {f"profile_{name}": PREFIX + name for name in PROFILE_FIELD_NAMES}

TRUE, FALSE = ("true", "t", "yes", "1"), ("false", "f", "no", "0")


class UnreadableLine(ValueError):
    """A line cannot be read; the next one may be readable."""


class Lines:
    """The lines of a text. Reading can continue after an unreadable line.

    Attributes:
        number: the number of the last line that was read, from 1.
        is_complete: whether that line ends with a line break.
    """

    def __init__(self, file: TextIO) -> None:
        self.file, self.number, self.is_complete = file, 0, True

    def __iter__(self) -> "Lines":
        return self

    def __next__(self) -> str:
        """The next line.

        Raises:
            UnreadableLine: it is too long or not UTF-8.
        """
        line = rest = self.file.readline(MAX_LINE_LENGTH)
        if not line:
            raise StopIteration
        self.number += 1
        while len(rest) == MAX_LINE_LENGTH and not rest.endswith("\n"):
            rest = self.file.readline(MAX_LINE_LENGTH)
        self.is_complete = rest.endswith(("\n", "\r"))
        if rest is not line:
            raise UnreadableLine(_("Longer than %(most)s characters.", most=MAX_LINE_LENGTH))
        try:
            line.encode()
        except UnicodeEncodeError as error:
            raise UnreadableLine(_("Not valid UTF-8. Save the file as UTF-8.")) from error
        return line


def list_columns(profile_fields: Iterable[str]) -> tuple[str, ...]:
    """The columns of a CSV file whose profiles have these fields; the last one is for secrets."""
    return (*EXPORTED_FIELDS, *(PREFIX + name for name in profile_fields), *MEMBERSHIPS, PASSWORD_HASH)


def from_csv(file: TextIO) -> Iterator[Record]:
    """The users of a CSV file. Its first line has the column names. Empty cells count as missing.

    Cells are separated by commas, or by semicolons, which spreadsheets use where the comma is the decimal mark.

    Spreadsheets add empty columns without a name and empty rows, and they leave out empty cells at the end of a row.
    None of these is an error.

    Raises:
        UnreadableFile: the first line does not have the column names.
    """
    lines, declaration = Lines(file), get_declaration()
    columns, delimiter = _read_header(lines, list_columns(declaration.names))
    flags = _list_flags(declaration)
    rows = csv.reader(lines, strict=True, delimiter=delimiter)
    while True:
        first = lines.number + 1
        try:
            cells = next(rows)
        except StopIteration:
            return
        except (csv.Error, UnreadableLine) as error:
            yield from _unreadable_records(first, lines.number, _reason(error))
            continue
        if not any(cell.strip() for cell in cells):
            continue
        reason = _find_misfit(cells, columns, is_complete=lines.is_complete)
        if reason:
            yield from _unreadable_records(first, lines.number, reason)
            continue
        yield Record(first, _parse_user(zip(columns, cells, strict=False), flags), last=lines.number)


def _find_misfit(cells: list[str], columns: list[str], *, is_complete: bool) -> str:
    """Why a row does not fit the columns, or an empty text."""
    if len(cells) < len(columns) and not is_complete:
        return str(_("The file ends in the middle of this line."))
    for number, (cell, column) in enumerate(itertools.zip_longest(cells, columns), 1):
        if cell and cell.strip() and not column:
            return str(_("Cell %(number)s has a value, but its column has no name in line 1.", number=number))
    return ""


def _reason(error: Exception) -> str:
    if str(error) == "unexpected end of data":
        return str(_("This line opens a quote that is never closed."))
    return _to_sentence(error)


def _unreadable_records(first: int, last: int, reason: str) -> Iterator[Record]:
    """A record for each line of an unreadable row. An unclosed quote turns many lines into one row."""
    yield Record(first, {}, error=reason)
    for number in range(first + 1, last + 1):
        yield Record(number, {}, error=str(_("Not read: it is inside a quote opened in line %(first)s.", first=first)))


def from_jsonl(file: TextIO) -> Iterator[Record]:
    """The users and groups of a file with one JSON object in each line."""
    lines = Lines(file)
    while True:
        try:
            line = next(lines)
            values = orjson.loads(line) if line.strip() else None
        except StopIteration:
            return
        except ValueError as error:
            reason = _to_sentence(error) if isinstance(error, UnreadableLine) else _("Not valid JSON.")
            yield Record(lines.number, {}, error=str(reason))
            continue
        if isinstance(values, dict):
            yield Record(lines.number, _convert_old_names(values))
        elif line.strip():
            yield Record(lines.number, {}, error=str(_("Not a JSON object.")))


def _read_header(lines: Lines, known: Sequence[str]) -> tuple[list[str], str]:
    """The column names and the delimiter."""
    try:
        first = next(lines, "")
        delimiter = ";" if ";" in first and "," not in first else ","
        rows = csv.reader(itertools.chain([first], lines), strict=True, delimiter=delimiter)
        columns = [OLD_NAMES.get(name, name) for name in (name.strip().lower() for name in next(rows, []))]
    except (csv.Error, UnreadableLine) as error:
        raise UnreadableFile(_("Line 1 cannot be read: %(reason)s", reason=_to_sentence(error))) from error
    while columns and not columns[-1]:
        columns.pop()
    named = [name for name in columns if name]
    unknown = [name for name in named if name not in known and name != EMAIL_VERIFIED]
    if "password" in unknown:
        raise UnreadableFile(_("Line 1 has a password column. Only hashes can be imported, in a password_hash column."))
    if unknown or "email" not in named or len(set(named)) < len(named):
        raise UnreadableFile(
            _(
                "Line 1 must list the column names, separated by commas, each name once. The column email is required. "
                "Known columns: %(known)s.",
                known=", ".join(known),
            )
            + (str(_(" Unknown columns: %(unknown)s.", unknown=", ".join(unknown)[:200])) if unknown else "")
        )
    return columns, delimiter


def _list_flags(declaration: Declaration) -> frozenset[str]:
    """The columns with yes or no."""
    return frozenset({*FLAGS, *(PREFIX + field.name for field in declaration.own if field.kind is Kind.FLAG)})


def _parse_user(cells: Iterator[tuple[str, str]], flags: Collection[str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    profile: dict[str, Any] = {}
    for column, cell in cells:
        if not cell or not column:
            continue
        text: Any = unescape_formula(cell)
        if column in flags:
            text = _parse_flag(text)
        if column.startswith(PREFIX):
            profile[column.removeprefix(PREFIX)] = text
        elif column in MEMBERSHIPS:
            values[column] = _split_names(text)
        else:
            values[column] = text
    return {**values, "profile": profile} if profile else values


def _convert_old_names(values: dict[str, Any]) -> dict[str, Any]:
    """Convert a user from an older export of the staff site to the current form."""
    if OLD_NAMES.keys().isdisjoint(values):
        return values
    old = {name.removeprefix("profile_"): values[name] for name in OLD_NAMES if name in values}
    return {name: value for name, value in values.items() if name not in OLD_NAMES} | {"profile": old}


def _split_names(text: str) -> Any:
    """The names in a cell, which is a JSON array or separated by semicolons."""
    if text.startswith("["):
        try:
            return orjson.loads(text)
        except ValueError:
            pass
    return [name.strip() for name in text.split(";") if name.strip()]


def _parse_flag(text: str) -> Any:
    word = text.strip().lower()
    return word in TRUE if word in TRUE or word in FALSE else text


def _to_sentence(error: Exception) -> str:
    text = str(error).rstrip(".")
    return f"{text[:1].upper()}{text[1:]}."
