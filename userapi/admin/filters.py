"""The filters above the lists of the staff site: read from the query string, which people also edit by hand.

A filter that cannot be read is never dropped: the list would show more than was searched for, and an action on all
that match would reach everybody. It stays in the form with what is wrong with it, and the list is empty.
"""

import unicodedata
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, date, datetime, time
from typing import Any

from flask_babel import gettext as _

from userapi.auth.claims import parse_id
from userapi.http.fields import CONTROL_CATEGORIES, ISO_DATE, trim_text

#: The most characters of a text.
LONGEST = 254

#: Invisible characters that belong to words: the zero-width non-joiner and joiner of Persian and of Indian scripts.
JOINERS = "\u200c\u200d"

YES_OR_NO = {"true": True, "false": False}

#: Makes a value of a text; raises ValueError, with a sentence for people, when it cannot.
Reader = Callable[[str], Any]


class Filters:
    """What a list is narrowed by.

    Attributes:
        texts: by name, to fill the form with and to make query strings of; those that cannot be read as they came.
        values: by name, of those that can be read.
        errors: by name, what is wrong with the others.
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


def words(text: str) -> str:
    """A text to look for, with ordinary spaces and without what comes along when it is pasted."""
    return _checked("".join(" " if character.isspace() else character for character in trim_text(text)), {"Cf"})


def exact(text: str) -> str:
    """A text that must be the stored one, which may have any spaces inside."""
    return _checked(trim_text(text))


def _checked(text: str, refused: Collection[str] = ()) -> str:
    if len(text) > LONGEST:
        raise ValueError(_("Longer than maximum length {max}.").format(max=LONGEST))
    categories = {unicodedata.category(character) for character in text if character not in JOINERS}
    if not text or not categories.isdisjoint({*CONTROL_CATEGORIES, *refused}):
        raise ValueError(_("This contains invisible characters. Type it again."))
    return text


def one_of(choices: Collection[str]) -> Reader:
    """A reader of one of these."""

    def read(text: str) -> str:
        if trim_text(text) not in choices:
            raise ValueError(_("Choose one of the options."))
        return trim_text(text)

    return read


def yes_or_no(text: str) -> bool:
    """A reader of a choice between both."""
    return YES_OR_NO[one_of(YES_OR_NO)(text)]


def row_id(text: str) -> int:
    """A reader of the id of one of the rows to choose from."""
    found = parse_id(trim_text(text))
    if found is None:
        raise ValueError(_("Choose one of the options."))
    return found


def midnight(text: str) -> datetime:
    """A reader of a day: its beginning, in UTC."""
    try:
        day = date.fromisoformat(trim_text(text)) if ISO_DATE.fullmatch(trim_text(text)) else None
    except ValueError:
        day = None
    if day is None or not 1900 < day.year < 9000:
        raise ValueError(_("Enter a valid date, for example 2026-11-29."))
    return datetime.combine(day, time(tzinfo=UTC))
