"""Files of users: which kind one is, and how it is opened."""

import bz2
import gzip
import io
import lzma
import re
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import PurePath
from typing import Any, BinaryIO, cast

from flask_babel import gettext as _

from .django_dump import from_django
from .line_formats import from_csv, from_jsonl
from .records import Record, UnreadableFile

#: The kinds that are read, by the end of a file's name.
ENDINGS = {".json": "django", ".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
KINDS = ("django", "csv", "jsonl")

#: What `dumpdata --output` compresses with, by the end of the name, and how such a file begins.
COMPRESSED: dict[str, tuple[bytes, Any]] = {
    ".gz": (b"\x1f\x8b", gzip.open),
    ".bz2": (b"BZh", bz2.open),
    ".xz": (b"\xfd7zXZ", lzma.open),
}
ZIP = b"PK\x03\x04"

#: How a file begins that spreadsheets call Unicode.
UTF16 = (b"\xff\xfe", b"\xfe\xff")

#: How the lines of `dumpdata --format jsonl` begin.
DJANGO_LINE = re.compile(rb'(\xef\xbb\xbf)?\s*\{\s*"model"\s*:')


def kind_of(name: str) -> str | None:
    """The kind of a file by its name, compressed or not; None if the name does not tell."""
    path = PurePath(name.lower())
    return ENDINGS.get(PurePath(path.stem).suffix if path.suffix in COMPRESSED else path.suffix)


def is_compressed(content: bytes) -> bool:
    """Whether a file begins like a compressed one."""
    return content.startswith((ZIP, *(magic for magic, _open in COMPRESSED.values())))


def open_bytes(content: bytes, kind: str, left_out: Counter[str]) -> Iterator[Record]:
    """`records` of a file that is in memory."""
    return records(io.BytesIO(content), kind, left_out)


def records(file: BinaryIO, kind: str, left_out: Counter[str]) -> Iterator[Record]:
    """What a file holds, read as it is needed.

    Args:
        file: UTF-8, with or without a byte order mark; compressed or not.
        kind: one of KINDS.
        left_out: counts what means nothing here, by its name.

    Raises:
        UnreadableFile: the file as a whole is not what it should be.
    """
    buffered = _uncompressed(io.BufferedReader(cast("io.RawIOBase", file)))
    beginning = buffered.peek(1)
    if beginning[:2] in UTF16:
        raise UnreadableFile(_("The file is UTF-16. Save it as UTF-8."))
    is_dump = kind == "django" or (kind == "jsonl" and DJANGO_LINE.match(beginning) is not None)
    # Of lines those that are no UTF-8 are refused each for itself.
    errors = "strict" if is_dump else "surrogateescape"
    text = io.TextIOWrapper(buffered, "utf-8-sig", errors, newline="")
    if is_dump:
        return from_django(text, left_out)
    return from_csv(text) if kind == "csv" else from_jsonl(text)


def _uncompressed(file: io.BufferedReader) -> io.BufferedReader:
    beginning = file.peek(1)
    if beginning.startswith(ZIP):
        raise UnreadableFile(_("The file is a ZIP archive. Extract it first."))
    for magic, opened in COMPRESSED.values():
        if beginning.startswith(magic):
            return io.BufferedReader(_Unpacked(opened(file, "rb")))
    return file


class _Unpacked(io.RawIOBase):
    """The content of a compressed file; a damaged one is an expected failure."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        try:
            found = self.file.read(len(view))
        except (EOFError, OSError, zlib.error, lzma.LZMAError) as error:
            raise UnreadableFile(_("The compressed file is damaged or incomplete.")) from error
        view[: len(found)] = found
        return len(found)
