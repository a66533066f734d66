"""The attributes of one field in the declaration, each read with the type that it needs."""

import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from userapi.users.field_definition import Find, Reader, Required, Writer

from .names import DeclarationError, quote
from .texts import ENGLISH, TextByLanguage

REQUIRED = {"no": Required.NO, "new": Required.NEW, "ask": Required.ASK, "must": Required.MUST}
READ = {"owner": Reader.OWNER, "staff": Reader.STAFF}
WRITE = {"owner": Writer.OWNER, "once": Writer.ONCE, "staff": Writer.STAFF, "system": Writer.NO_ONE}
FIND = {"no": Find.NO, "exact": Find.EXACT, "beginning": Find.BEGINNING}

LANGUAGE_TAG = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,2}", re.ASCII)
AUTOCOMPLETE = re.compile(r"[a-z][a-z0-9 -]{0,59}", re.ASCII)

#: The maximum length of labels, hints and options.
MAX_TEXT_LENGTH = 200
MAX_OPTION_LENGTH = 100
MAX_OPTIONS = 300


class Table:
    """The table of one field.

    Args:
        name: of the field.
        values: what TOML has.
    """

    def __init__(self, name: str, values: Mapping[str, Any]) -> None:
        self.name, self.values = name, values

    def error(self, key: str, reason: str) -> DeclarationError:
        """An error about an attribute."""
        shown = key if re.fullmatch(r"[a-z_]{1,30}", key) else quote(key)
        return DeclarationError(f"profile.{self.name}: {shown}: {reason}")

    def check_keys(self, known: frozenset[str], reason: str) -> None:
        """Reject attributes that do not exist."""
        for key in self.values:
            if key not in known:
                raise self.error(key, reason)

    def text(self, key: str, default: str) -> str:
        """A text."""
        value = self.values.get(key, default)
        if not isinstance(value, str):
            raise self.error(key, "Must be a text.")
        return value

    def flag(self, key: str, *, default: bool = False) -> bool:
        """True or false."""
        value = self.values.get(key, default)
        if not isinstance(value, bool):
            raise self.error(key, "Must be true or false.")
        return value

    def number(self, key: str, highest: int, default: int = 1) -> int:
        """A number from 1."""
        value = self.values.get(key, default)
        if type(value) is not int or not 1 <= value <= highest:
            raise self.error(key, f"Must be a whole number from 1 to {highest}.")
        return value

    def day(self, key: str) -> date | None:
        """A date, or None."""
        value = self.values.get(key)
        if value is not None and (not isinstance(value, date) or isinstance(value, datetime)):
            raise self.error(key, "Must be a date such as 2027-03-01, without quotation marks.")
        return value

    def choice(self, key: str, choices: Mapping[str, Any], default: Any) -> Any:
        """One of the choices. Without a default, it must be there."""
        value = self.values.get(key)
        if value is None and default is not None:
            return default
        if not isinstance(value, str) or value not in choices:
            raise self.error(key, f"Must be one of: {', '.join(choices)}.")
        return choices[value]

    def autocomplete(self, default: str) -> str:
        """The tokens of the HTML attribute."""
        value = self.text("autocomplete", default)
        if value and not AUTOCOMPLETE.fullmatch(value):
            raise self.error("autocomplete", "Must be tokens of HTML, such as organization.")
        return value

    def translated(self, key: str, default: str) -> Any:
        """A text, or texts by language; an empty default stands for no text."""
        return read_translated(self, key, self.values[key]) if key in self.values else _in_english(default)


def _in_english(text: str) -> Any:
    return TextByLanguage(((ENGLISH, text),)) if text else ""


def read_translated(table: Table, key: str, value: Any) -> TextByLanguage:
    """A text, which is in English, or a table of texts by language."""
    texts = {ENGLISH: value} if isinstance(value, str) else value
    if not isinstance(texts, dict) or not texts:
        raise table.error(key, 'Must be a text, or texts by language such as { en = "Company", de = "Firma" }.')
    for language, text in texts.items():
        if not LANGUAGE_TAG.fullmatch(language):
            raise table.error(key, f"{quote(language)} is not the tag of a language, such as de.")
        if not isinstance(text, str) or not _is_one_line(text, MAX_TEXT_LENGTH):
            raise table.error(key, f"Must be one line with at most {MAX_TEXT_LENGTH} characters in each language.")
    return TextByLanguage(tuple(texts.items()))


def read_options(table: Table, *, is_needed: bool) -> dict[str, Mapping[str, str]]:
    """The options of a choice, with their labels by language; an option without labels is its own label."""
    if not is_needed:
        if "options" in table.values:
            raise table.error("options", "Only fields of the types choice and choices have options.")
        return {}
    value = table.values.get("options")
    if isinstance(value, list):
        if not all(isinstance(option, str) for option in value) or len(set(value)) < len(value):
            raise table.error("options", "Must be different texts.")
        value = dict.fromkeys(value, "")
    if not isinstance(value, dict) or not 0 < len(value) <= MAX_OPTIONS:
        raise table.error("options", f'Must be a list of 1 to {MAX_OPTIONS} texts, such as ["small", "large"].')
    options: dict[str, Mapping[str, str]] = {}
    for option, label in value.items():
        if not _is_one_line(option, MAX_OPTION_LENGTH) or option != option.strip() or option.startswith("["):
            raise table.error(
                "options",
                f"An option is one line with at most {MAX_OPTION_LENGTH} characters, and does not begin with [.",
            )
        options[option] = dict(read_translated(table, "options", label)) if label else {}
    return options


def _is_one_line(text: str, maximum: int) -> bool:
    return bool(text.strip()) and len(text) <= maximum and text.isprintable()
