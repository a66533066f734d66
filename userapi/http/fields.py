"""Marshmallow fields that accept exactly what the contract describes.

They check input. Dates and times in responses are written by `userapi.http.responses`, whose `JSON_OPTIONS` define
microseconds and time zones.
"""

import re
import unicodedata
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import orjson
from flask import current_app
from flask_babel import gettext as _
from flask_babel import lazy_gettext
from marshmallow import ValidationError, fields, validate

from userapi.core import clock
from userapi.core.i18n import get_offered_languages

from .responses import dump_json

ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
EARLIEST_BIRTH = date(1900, 1, 1)

#: Characters that no line of text may contain: controls (NUL, line ends, escapes), lone surrogates, line separators.
CONTROL_CATEGORIES = frozenset({"Cc", "Cs", "Zl", "Zp"})

#: Control characters that a text with several lines may contain.
LAYOUT = frozenset("\n\t")

#: Invisible characters whose Unicode category does not say so.
BLANK_CHARACTERS = frozenset("\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")

#: Bidirectional control characters, which change the direction of the text after them: up to U+202E and U+2069.
DIRECTION_CONTROLS = re.compile("[\u202a-\u202e\u2066-\u2069]")

#: The first character of the Unicode categories of marks, which need another character, and of separators.
INVISIBLE_CATEGORIES = frozenset("MZ")


def trim_text(text: str) -> str:
    """A text without the surrounding spaces and invisible format characters that are often pasted with it."""
    first, last = 0, len(text)
    while first < last and _is_trimmed(text[first]):
        first += 1
    while last > first and _is_trimmed(text[last - 1]):
        last -= 1
    return text[first:last]


def _is_trimmed(character: str) -> bool:
    return character.isspace() or unicodedata.category(character) == "Cf"


def fold_text(text: str) -> str:
    """A text normalised for comparison: case-folded NFKC."""
    if text.isascii():
        return text.lower()  # which is the same, and quicker
    return unicodedata.normalize("NFKC", text).casefold()


def has_visible_character(text: str) -> bool:
    """Whether a text has a visible character."""
    return any(
        character not in BLANK_CHARACTERS
        and (category := unicodedata.category(character)) not in ("Cc", "Cf", "Cs")
        and category[0] not in INVISIBLE_CATEGORIES
        for character in text
    )


def length_check(minimum: int | None = None, maximum: int | None = None) -> validate.Length:
    """A length validator with a translated message."""
    if minimum is None:
        return validate.Length(max=maximum, error=lazy_gettext("Longer than maximum length {max}."))
    if maximum is None:
        return validate.Length(min=minimum, error=lazy_gettext("Shorter than minimum length {min}."))
    return validate.Length(minimum, maximum, error=lazy_gettext("Length must be between {min} and {max}."))


def range_check(minimum: int, maximum: int) -> validate.Range:
    """A range validator with a translated message."""
    sentence = lazy_gettext("Must be greater than or equal to {min} and less than or equal to {max}.")
    return validate.Range(minimum, maximum, error=sentence)


def choice_check(choices: Sequence[str]) -> validate.OneOf:
    """A choice validator with a translated message."""
    return validate.OneOf(choices, error=lazy_gettext("Must be one of: {choices}."))


class Line(fields.String):
    """One line of text as it was typed, without control characters.

    Args:
        maximum: the most characters (code points) it may have.
        minimum: the fewest; with 1 or more, one of them must be visible.
        formatting: whether invisible format characters (Unicode category Cf) are allowed.
        directing: whether bidirectional control characters are; the marks U+200E and U+200F are none.
        trim: whether surrounding spaces and invisible characters are removed.
    """

    def __init__(
        self,
        maximum: int,
        minimum: int = 0,
        *,
        formatting: bool = True,
        directing: bool = True,
        trim: bool = False,
        **options: Any,
    ) -> None:
        checks = [length_check(maximum=maximum), *([length_check(minimum)] if minimum else [])]
        super().__init__(validate=checks, **options)
        self.minimum, self.maximum, self.trim = minimum, maximum, trim
        self.directing = directing
        self.refused = CONTROL_CATEGORIES if formatting else CONTROL_CATEGORIES | {"Cf"}

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text: str = super()._deserialize(value, attr, data, **kwargs)
        if self.trim:
            text = trim_text(text)
        checked = text[: self.maximum + 1]  # the text is too long anyway
        if not checked.isprintable() and any(unicodedata.category(character) in self.refused for character in checked):
            raise ValidationError(_("Control characters are not allowed."))
        if not self.directing and DIRECTION_CONTROLS.search(checked):
            raise ValidationError(_("Control characters are not allowed."))
        if self.minimum and not has_visible_character(checked):
            raise ValidationError(_("Must not be blank."))
        return text


class ConfigurableLine(Line):
    """One line of text whose maximum length is a setting.

    Args:
        setting: its name.
        column_length: the length of the database column.
        minimum: as in `Line`.
    """

    def __init__(self, setting: str, column_length: int, minimum: int = 0, **options: Any) -> None:
        super().__init__(column_length, minimum, **options)
        self.setting = setting

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        length_check(maximum=current_app.config[self.setting])(text)
        return text


class Name(Line):
    """One line of text that is empty or has a visible character, and has no bidirectional control characters."""

    def __init__(self, maximum: int, minimum: int = 0, **options: Any) -> None:
        super().__init__(maximum, minimum, directing=False, **options)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        if text and not has_visible_character(text[: self.maximum + 1]):
            raise ValidationError(_("Contains no visible characters. Enter a name, or leave this empty."))
        return text


class Paragraph(fields.String):
    """Text with a visible character, whose line breaks are stored as line feeds."""

    def __init__(self, maximum: int, **options: Any) -> None:
        super().__init__(validate=[length_check(maximum=maximum), length_check(1)], **options)
        self.maximum = maximum

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        typed: str = super()._deserialize(value, attr, data, **kwargs)
        text = typed.replace("\r\n", "\n").replace("\r", "\n")
        checked = text[: self.maximum + 1]  # the text is too long anyway
        if DIRECTION_CONTROLS.search(checked) or any(
            unicodedata.category(character) in CONTROL_CATEGORIES and character not in LAYOUT for character in checked
        ):
            raise ValidationError(_("Control characters are not allowed."))
        if not has_visible_character(checked):
            raise ValidationError(_("Must not be blank."))
        return text


class Password(fields.String):
    """A password exactly as it was typed; the policy is checked where it is set."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("metadata", {"format": "password"})
        super().__init__(load_only=True, validate=length_check(maximum=MAX_PASSWORD_LENGTH), **options)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text: str = super()._deserialize(value, attr, data, **kwargs)
        checked = text[: MAX_PASSWORD_LENGTH + 1]
        if "\x00" in checked or any(unicodedata.category(character) == "Cs" for character in checked):
            raise ValidationError(_("Contains characters that are not allowed in passwords."))
        return text


class NewPassword(Password):
    """A new password. The OpenAPI document states the lengths that the policy allows."""


#: Above the policy's limit, so that the policy reports the error; low enough to be fast.
MAX_PASSWORD_LENGTH = 1024

#: The maximum length that the policy allows, in characters after NFKC.
MAX_NEW_PASSWORD_LENGTH = 128


class Birthday(fields.Date):
    """A date of birth as YYYY-MM-DD, not in the future."""

    def deserialize(self, value: Any, attr: str | None = None, data: Any = None, **kwargs: Any) -> Any:
        # A form has only texts, and sends an empty one for no date.
        return super().deserialize(None if value == "" and self.allow_none else value, attr, data, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> date:
        if not isinstance(value, str) or not ISO_DATE.fullmatch(value):
            raise _not_a_date()
        try:
            day = date.fromisoformat(value)
        except ValueError as error:
            raise _not_a_date() from error
        if day > clock.today():
            raise ValidationError(_("Must not be in the future."))
        if day < EARLIEST_BIRTH:
            raise ValidationError(_("Must not be before %(day)s.", day=EARLIEST_BIRTH))
        return day


def _not_a_date() -> ValidationError:
    return ValidationError(_("Not a valid date; use YYYY-MM-DD."))


class Flag(fields.Boolean):
    """True or false; in a form, which has only texts, `true` or `false`."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:
        if isinstance(value, bool):
            return value
        if value in ("true", "false") and isinstance(value, str):
            return value == "true"
        raise self.make_error("invalid", input=value)


class Language(fields.String):
    """The BCP 47 tag of an available language."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("metadata", {"description": "The language of emails to the user, such as `de`."})
        super().__init__(**options)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text: str = super()._deserialize(value, attr, data, **kwargs)
        if text not in get_offered_languages():
            raise ValidationError(_("Must be one of: {choices}.").format(choices=", ".join(get_offered_languages())))
        return text


class Timestamp(fields.DateTime):
    """A UTC time in an output schema: for the OpenAPI document, and for the test that compares it with our responses.

    Schemas do not render responses: `userapi.http.responses` does, and its `JSON_OPTIONS` define how times are written,
    here too.
    """

    def _serialize(self, value: datetime | None, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else orjson.loads(dump_json(value))
