"""CSV for spreadsheets and for the import: every export, and the report of an import, writes its cells here.

A spreadsheet computes a cell that looks like a formula. Such a cell gets an apostrophe, which the import removes
(OWASP, CSV Injection).
"""

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TextIO

import orjson

#: Cells that need an apostrophe: the start of a formula, also after apostrophes and spaces, or a tab or line break,
#: which some programs drop before they look for a formula.
FORMULA = re.compile(r"'*(?:\s*[=+\-@＝＋－＠]|[\t\r\n])")

#: Excel does not read a file as UTF-8 without it.
BYTE_ORDER_MARK = "\ufeff"


def escape_formula(text: str) -> str:
    """A text as a cell that no spreadsheet computes."""
    return f"'{text}" if FORMULA.match(text) else text


def unescape_formula(cell: str) -> str:
    """The text that `escape_formula` was given."""
    return cell[1:] if cell[:1] == "'" and FORMULA.match(cell) else cell


def format_cell(value: Any) -> str:
    """A value as a cell: lists and objects as JSON, times in UTC with a Z, nothing and empty ones as an empty cell."""
    if value is None or value in ([], {}):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | dict):
        return orjson.dumps(value).decode()
    if isinstance(value, int):
        return str(value)  # a negative number is no formula
    text = value.isoformat().replace("+00:00", "Z") if hasattr(value, "isoformat") else str(value)
    return escape_formula(text)


class CsvWriter:
    """Writes a byte order mark, the column names, and rows.

    Args:
        file: opened with `newline=""`.
        columns: the names of the columns.
    """

    def __init__(self, file: TextIO, columns: Sequence[str]) -> None:
        self.columns = columns
        self.writer = csv.writer(file, lineterminator="\n")
        file.write(BYTE_ORDER_MARK)
        self.writer.writerow(columns)

    def write_rows(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Write rows, given as values by column; missing values are empty cells."""
        self.writer.writerows([format_cell(row.get(column)) for column in self.columns] for row in rows)
