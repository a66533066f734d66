"""Reads the entries of a Django dump one by one, from a JSON array or from JSON Lines."""

import json
import re
from collections.abc import Iterator
from typing import Any, TextIO

from flask_babel import gettext as _

from .records import UnreadableFile

#: The number of characters to read at a time, and the maximum length of an entry: other applications have long ones.
CHUNK_SIZE, MAX_ENTRY_LENGTH = 2**18, 2**26

BETWEEN = re.compile(r"[\s,]*")


def read_entries(file: TextIO) -> Iterator[tuple[int, dict[str, Any]]]:
    """The entries with their numbers, from 1. Only a few are in memory at a time.

    Raises:
        UnreadableFile: it has another format, or it is incomplete.
    """
    decoder = json.JSONDecoder()
    buffer, number = "", 0
    while not buffer and (chunk := _read_chunk(file, 0)):
        buffer = chunk.lstrip()
    if not buffer.startswith(("[", "{")):
        raise UnreadableFile(_("This is not a file from `manage.py dumpdata`: it must start with [ or {."))
    is_array = buffer.startswith("[")
    at = int(is_array)
    while True:
        at = BETWEEN.match(buffer, at).end()  # type: ignore[union-attr]
        if is_array and buffer.startswith("]", at):
            return
        try:
            entry, at = decoder.raw_decode(buffer, at)
        except (ValueError, RecursionError) as error:
            rest = len(buffer) - at
            chunk = _read_chunk(file, number, least=rest) if rest < MAX_ENTRY_LENGTH else ""
            if not chunk and not rest and not is_array:
                return
            if not chunk:
                reason = _("The dump is damaged or incomplete after entry %(number)s. Create it again.", number=number)
                raise UnreadableFile(reason) from error
            buffer, at = buffer[at:] + chunk, 0
            continue
        number += 1
        if not (
            isinstance(entry, dict) and isinstance(entry.get("fields"), dict) and isinstance(entry.get("model"), str)
        ):
            raise UnreadableFile(_("Entry %(number)s is not in the format of `manage.py dumpdata`.", number=number))
        yield number, entry


def _read_chunk(file: TextIO, number: int, least: int = 0) -> str:
    """The next characters: at least as many as the buffer has, so that a long entry is not parsed too often."""
    try:
        return file.read(max(CHUNK_SIZE, least))
    except UnicodeDecodeError as error:
        raise UnreadableFile(_("The file is not valid UTF-8 after entry %(number)s.", number=number)) from error
