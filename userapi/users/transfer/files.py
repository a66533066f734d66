"""Files of users: which kind one is, and how it is opened."""

import io
from collections import Counter
from collections.abc import Iterator
from typing import BinaryIO

from flask_babel import gettext as _

from .django_dump import from_django
from .lines import from_csv, from_jsonl
from .records import Record, UnreadableFile

#: The kinds that are read, by the end of a file's name.
ENDINGS = {".json": "django", ".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
KINDS = ("django", "csv", "jsonl")

#: How a file begins that spreadsheets call Unicode.
UTF16 = (b"\xff\xfe", b"\xfe\xff")


def open_bytes(content: bytes, kind: str, left_out: Counter[str]) -> Iterator[Record]:
    """`records` of a file that is in memory."""
    return records(io.BytesIO(content), kind, left_out)


def records(file: BinaryIO, kind: str, left_out: Counter[str]) -> Iterator[Record]:
    """What a file holds, read as it is needed.

    Args:
        file: UTF-8, with or without a byte order mark.
        kind: one of KINDS.
        left_out: counts what means nothing here, by its name.

    Raises:
        UnreadableFile: the file as a whole is not what it should be.
    """
    buffered = io.BufferedReader(file)  # type: ignore[type-var]
    if buffered.peek(2)[:2] in UTF16:
        raise UnreadableFile(_("The file is UTF-16. Save it as UTF-8."))
    # Of lines those that are no UTF-8 are refused each for itself.
    errors = "strict" if kind == "django" else "surrogateescape"
    text = io.TextIOWrapper(buffered, "utf-8-sig", errors, newline="")
    if kind == "django":
        return from_django(text, left_out)
    return from_csv(text) if kind == "csv" else from_jsonl(text)
