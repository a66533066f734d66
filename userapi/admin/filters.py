"""The filters above the lists of the staff site, read from the query string, which users may edit by hand.

An invalid filter is never ignored: the list would show more than was searched for, and an action on all matching users
would affect everyone. It stays in the form with an error, and the list is empty.
"""

import unicodedata
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, date, datetime, time
from typing import Any

from flask_babel import gettext as _

from userapi.auth.claims import parse_id
from userapi.http.fields import CONTROL_CATEGORIES, ISO_DATE, trim_text

#: Characters of a text.
MAX_LENGTH = 254

#: Invisible characters that are part of words: the zero-width non-joiner and joiner of Persian and Indian scripts.
JOINERS = "\u200c\u200d"

YES_OR_NO = {"true": True, "false": False}

#: Converts a text to a value; raises ValueError, with a message for users, when it is invalid.
Reader = Callable[[str], Any]


class Filters:
    """The filters of a list.

    Attributes:
        texts: by name, for the form and for query strings; invalid ones are unchanged.
        values: by name, of the valid ones.
        errors: messages by name, of the invalid ones.
    """

    def __init__(self, arguments: Mapping[str, str], readers: Mapping[str, Reader]) -> None:
        self.texts: dict[str, str] = {}
        self.values: dict[str, Any] = {}
        self.errors: dict[str, str] = {}
        for name, reader in readers.items():
            self._read(name, arguments.get(name, ""), reader)

    def _read(self, name: str, text: str, reader: Reader) -> None:
        if not text.strip():
            return
        try:
            value = reader(text)
        except ValueError as error:
            self.texts[name], self.errors[name] = text, str(error)
        else:
            self.texts[name], self.values[name] = value if isinstance(value, str) else trim_text(text), value


def read_words(text: str) -> str:
    """A text to search for, with ordinary spaces and without invisible characters from the clipboard."""
    return _check_text("".join(" " if character.isspace() else character for character in trim_text(text)), {"Cf"})


def read_exact(text: str) -> str:
    """A text that must equal the stored one, which may contain any kind of space."""
    return _check_text(trim_text(text))


def _check_text(text: str, rejected: Collection[str] = ()) -> str:
    if len(text) > MAX_LENGTH:
        raise ValueError(_("Longer than maximum length {max}.").format(max=MAX_LENGTH))
    categories = {unicodedata.category(character) for character in text if character not in JOINERS}
    if not text or not categories.isdisjoint({*CONTROL_CATEGORIES, *rejected}):
        raise ValueError(_("This contains invisible characters. Type it again."))
    return text


def reader_of(choices: Collection[str]) -> Reader:
    """A reader that accepts only these texts."""

    def read(text: str) -> str:
        if trim_text(text) not in choices:
            raise ValueError(_("Choose one of the options."))
        return trim_text(text)

    return read


def read_flag(text: str) -> bool:
    """True or false."""
    return YES_OR_NO[reader_of(YES_OR_NO)(text)]


def read_id(text: str) -> int:
    """The ID of a row."""
    found = parse_id(trim_text(text))
    if found is None:
        raise ValueError(_("Choose one of the options."))
    return found


def read_day(text: str) -> datetime:
    """The beginning of a day, in UTC."""
    try:
        day = date.fromisoformat(trim_text(text)) if ISO_DATE.fullmatch(trim_text(text)) else None
    except ValueError:
        day = None
    if day is None or not 1900 < day.year < 9000:
        raise ValueError(_("Enter a valid date, for example 2026-11-29."))
    return datetime.combine(day, time(tzinfo=UTC))
