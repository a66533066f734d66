"""The entries of a dump of Django, read one after the other: a JSON array, or one object a line."""

import json
import re
from collections.abc import Iterator
from typing import Any, TextIO

from flask_babel import gettext as _

from .records import UnreadableFile

#: Characters read in one piece, and the most that one entry may have: another application's can be long.
CHUNK, LONGEST_ENTRY = 2**18, 2**26

BETWEEN = re.compile(r"[\s,]*")


def entries(file: TextIO) -> Iterator[tuple[int, dict[str, Any]]]:
    """The entries and their numbers, from 1; only a few are in memory.

    Raises:
        UnreadableFile: it has neither form, or it is cut off.
    """
    decoder = json.JSONDecoder()
    buffer, number = "", 0
    while not buffer and (chunk := _read(file, 0)):
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
            chunk = _read(file, number, least=rest) if rest < LONGEST_ENTRY else ""
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


def _read(file: TextIO, number: int, least: int = 0) -> str:
    """The next piece; at least as long as the rest of the buffer, so that a long entry is not parsed too often."""
    try:
        return file.read(max(CHUNK, least))
    except UnicodeDecodeError as error:
        raise UnreadableFile(_("The file is not valid UTF-8 after entry %(number)s.", number=number)) from error
