"""Opens files of users in every supported format."""

import bz2
import gzip
import io
import lzma
import re
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import PurePath
from typing import Any, BinaryIO, TextIO, cast

from flask_babel import gettext as _

from .django_dump import from_django
from .line_formats import from_csv, from_jsonl
from .records import Record, UnreadableFile

#: The formats, by file name extension.
ENDINGS = {".json": "django", ".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
KINDS = ("django", "csv", "jsonl")

#: The compressions that `dumpdata --output` supports, by file name extension, with the first bytes of such files.
COMPRESSED: dict[str, tuple[bytes, Any]] = {
    ".gz": (b"\x1f\x8b", gzip.open),
    ".bz2": (b"BZh", bz2.open),
    ".xz": (b"\xfd7zXZ", lzma.open),
}
ZIP = b"PK\x03\x04"

#: The first bytes of files that spreadsheets save as "Unicode".
UTF16 = (b"\xff\xfe", b"\xfe\xff")

#: The start of a line of `dumpdata --format jsonl`.
DJANGO_LINE = re.compile(rb'(\xef\xbb\xbf)?\s*\{\s*"model"\s*:')


def kind_of(name: str) -> str | None:
    """The format of a file by its name, also of a compressed one; or None."""
    path = PurePath(name.lower())
    return ENDINGS.get(PurePath(path.stem).suffix if path.suffix in COMPRESSED else path.suffix)


def is_compressed(content: bytes) -> bool:
    """Whether a file has the first bytes of a compressed file."""
    return content.startswith((ZIP, *(magic for magic, _open in COMPRESSED.values())))


def read_bytes(content: bytes, kind: str, left_out: Counter[str]) -> Iterator[Record]:
    """The records of a file in memory: see `read_records`."""
    return read_records(io.BytesIO(content), kind, left_out)


def read_records(file: BinaryIO, kind: str, left_out: Counter[str]) -> Iterator[Record]:
    """The records of a file, each read when it is needed.

    Args:
        file: UTF-8, with or without a byte order mark; compressed or not.
        kind: one of `KINDS`.
        left_out: counts the ignored entries and fields, by name.

    Raises:
        UnreadableFile: the file as a whole cannot be read.
    """
    text, is_dump = _open_text(file, kind)
    if is_dump:
        return from_django(text, left_out)
    return from_csv(text) if kind == "csv" else from_jsonl(text)


def open_dump(file: BinaryIO) -> TextIO:
    """The text of a Django dump, compressed or not.

    Raises:
        UnreadableFile: the file as a whole cannot be read.
    """
    return _open_text(file, "django")[0]


def _open_text(file: BinaryIO, kind: str) -> tuple[TextIO, bool]:
    """The text of a file, and whether it is a Django dump."""
    buffered = _decompress(io.BufferedReader(cast("io.RawIOBase", file)))
    beginning = buffered.peek(1)
    if beginning[:2] in UTF16:
        raise UnreadableFile(_("The file is UTF-16. Save it as UTF-8."))
    is_dump = kind == "django" or (kind == "jsonl" and DJANGO_LINE.match(beginning) is not None)
    # Lines that are not UTF-8 are rejected one by one, so let them through here.
    errors = "strict" if is_dump else "surrogateescape"
    text = io.TextIOWrapper(buffered, "utf-8-sig", errors, newline="")
    return text, is_dump


def _decompress(file: io.BufferedReader) -> io.BufferedReader:
    beginning = file.peek(1)
    if beginning.startswith(ZIP):
        raise UnreadableFile(_("The file is a ZIP archive. Extract it first."))
    for magic, opened in COMPRESSED.values():
        if beginning.startswith(magic):
            return io.BufferedReader(_Decompressed(opened(file, "rb")))
    return file


class _Decompressed(io.RawIOBase):
    """The content of a compressed file, which raises `UnreadableFile` if it is damaged."""

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
