"""Files with a line for each user: CSV, and JSON Lines."""

import csv
import itertools
from collections.abc import Iterator
from typing import Any, TextIO

import orjson
from flask_babel import gettext as _

from userapi.users.fields import EXPORTED_NAMES, FLAGS, PROFILE_NAMES

from .csv_cells import unescape_formula
from .records import EMAIL_VERIFIED, PASSWORD_HASH, RIGHTS, Record, UnreadableFile

#: Characters of a line; a user has a few hundred.
LONGEST_LINE = 1_000_000

PROFILE = "profile."
COLUMNS = (*EXPORTED_NAMES, *(PROFILE + name for name in PROFILE_NAMES), *RIGHTS, PASSWORD_HASH)

#: Names of columns in older exports of the staff site.
OLD_NAMES = {f"profile_{name}": PROFILE + name for name in PROFILE_NAMES}

TRUE, FALSE = ("true", "t", "yes", "1"), ("false", "f", "no", "0")


class UnreadableLine(ValueError):
    """A line that cannot be read; the next may be."""


class Lines:
    """The lines of a text; after one that cannot be read, reading goes on.

    Attributes:
        number: of the last line read, from 1.
        is_whole: whether that line has its line end.
    """

    def __init__(self, file: TextIO) -> None:
        self.file, self.number, self.is_whole = file, 0, True

    def __iter__(self) -> "Lines":
        return self

    def __next__(self) -> str:
        """The next line.

        Raises:
            UnreadableLine: it is too long, or no UTF-8.
        """
        line = rest = self.file.readline(LONGEST_LINE)
        if not line:
            raise StopIteration
        self.number += 1
        while len(rest) == LONGEST_LINE and not rest.endswith("\n"):
            rest = self.file.readline(LONGEST_LINE)
        self.is_whole = rest.endswith(("\n", "\r"))
        if rest is not line:
            raise UnreadableLine(_("Longer than %(most)s characters.", most=LONGEST_LINE))
        try:
            line.encode()
        except UnicodeEncodeError as error:
            raise UnreadableLine(_("Not valid UTF-8. Save the file as UTF-8.")) from error
        return line


def from_csv(file: TextIO) -> Iterator[Record]:
    """Users of a table whose first line names the columns; an empty cell tells nothing.

    Cells are separated by commas, or by semicolons as spreadsheets do where the comma is the decimal mark.

    What spreadsheets leave behind does no harm: columns without a name and without a text, rows of empty cells, and
    rows without their last empty cells.

    Raises:
        UnreadableFile: the first line does not name the columns.
    """
    lines = Lines(file)
    columns, delimiter = _header(lines)
    rows = csv.reader(lines, strict=True, delimiter=delimiter)
    while True:
        first = lines.number + 1
        try:
            cells = next(rows)
        except StopIteration:
            return
        except (csv.Error, UnreadableLine) as error:
            yield from _unread(first, lines.number, _reason(error))
            continue
        if not any(cell.strip() for cell in cells):
            continue
        reason = _misfit(cells, columns, is_whole=lines.is_whole)
        if reason:
            yield from _unread(first, lines.number, reason)
            continue
        yield Record(first, _user(zip(columns, cells, strict=False)), last=lines.number)


def _misfit(cells: list[str], columns: list[str], *, is_whole: bool) -> str:
    """Why a row does not fit the columns, or nothing."""
    if len(cells) < len(columns) and not is_whole:
        return str(_("The file ends in the middle of this line."))
    for number, (cell, column) in enumerate(itertools.zip_longest(cells, columns), 1):
        if cell and cell.strip() and not column:
            return str(_("Cell %(number)s has a value, but its column has no name in line 1.", number=number))
    return ""


def _reason(error: Exception) -> str:
    if str(error) == "unexpected end of data":
        return str(_("This line opens a quote that is never closed."))
    return _sentence(error)


def _unread(first: int, last: int, reason: str) -> Iterator[Record]:
    """Lines that cannot be read: a quote that is not closed makes one row of many, and each is named."""
    yield Record(first, {}, error=reason)
    for number in range(first + 1, last + 1):
        yield Record(number, {}, error=str(_("Not read: it is inside a quote opened in line %(first)s.", first=first)))


def from_jsonl(file: TextIO) -> Iterator[Record]:
    """Users, and groups, of a file with one JSON object a line."""
    lines = Lines(file)
    while True:
        try:
            line = next(lines)
            values = orjson.loads(line) if line.strip() else None
        except StopIteration:
            return
        except ValueError as error:
            reason = _sentence(error) if isinstance(error, UnreadableLine) else _("Not valid JSON.")
            yield Record(lines.number, {}, error=str(reason))
            continue
        if isinstance(values, dict):
            yield Record(lines.number, _with_profile(values))
        elif line.strip():
            yield Record(lines.number, {}, error=str(_("Not a JSON object.")))


def _header(lines: Lines) -> tuple[list[str], str]:
    """The names of the columns, and what separates the cells."""
    try:
        first = next(lines, "")
        delimiter = ";" if ";" in first and "," not in first else ","
        rows = csv.reader(itertools.chain([first], lines), strict=True, delimiter=delimiter)
        columns = [OLD_NAMES.get(name, name) for name in (name.strip().lower() for name in next(rows, []))]
    except (csv.Error, UnreadableLine) as error:
        raise UnreadableFile(_("Line 1 cannot be read: %(reason)s", reason=_sentence(error))) from error
    while columns and not columns[-1]:
        columns.pop()
    named = [name for name in columns if name]
    unknown = [name for name in named if name not in COLUMNS and name != EMAIL_VERIFIED]
    if "password" in unknown:
        raise UnreadableFile(_("Line 1 has a password column. Only hashes can be imported, in a password_hash column."))
    if unknown or "email" not in named or len(set(named)) < len(named):
        raise UnreadableFile(
            _(
                "Line 1 must list the column names, separated by commas, each name once. The column email is required. "
                "Known columns: %(known)s.",
                known=", ".join(COLUMNS),
            )
            + (str(_(" Unknown columns: %(unknown)s.", unknown=", ".join(unknown)[:200])) if unknown else "")
        )
    return columns, delimiter


def _user(cells: Iterator[tuple[str, str]]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    profile: dict[str, str] = {}
    for column, cell in cells:
        if not cell or not column:
            continue
        text = unescape_formula(cell)
        if column.startswith(PROFILE):
            profile[column.removeprefix(PROFILE)] = text
        elif column in RIGHTS:
            values[column] = _names(text)
        elif column in FLAGS:
            values[column] = _flag(text)
        else:
            values[column] = text
    return {**values, "profile": profile} if profile else values


def _with_profile(values: dict[str, Any]) -> dict[str, Any]:
    """A user of an older export of the staff site, in the shape of the present one."""
    if OLD_NAMES.keys().isdisjoint(values):
        return values
    old = {name.removeprefix("profile_"): values[name] for name in OLD_NAMES if name in values}
    return {name: value for name, value in values.items() if name not in OLD_NAMES} | {"profile": old}


def _names(text: str) -> Any:
    """Names in a cell: a JSON array, or separated by semicolons."""
    if text.startswith("["):
        try:
            return orjson.loads(text)
        except ValueError:
            pass
    return [name.strip() for name in text.split(";") if name.strip()]


def _flag(text: str) -> Any:
    word = text.strip().lower()
    return word in TRUE if word in TRUE or word in FALSE else text


def _sentence(error: Exception) -> str:
    text = str(error).rstrip(".")
    return f"{text[:1].upper()}{text[1:]}."
