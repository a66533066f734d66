"""Recognises values in their usual form, which are valid without a look at every rule (decision 0109).

An import checks twenty values of each user. Most of them are plain texts, flags and hashes for which a few comparisons
decide. All others, and every value that is invalid, are left to the marshmallow fields, so that there is one set of
rules and messages. A reader here must never accept what its field rejects, nor read it in another way.
"""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any

from flask import current_app

from userapi.core import clock
from userapi.http.fields import BLANK_CHARACTERS, EARLIEST_BIRTH, Birthday, ConfigurableLine, Flag, Line, Name
from userapi.security import legacy_hashes
from userapi.users import email_address
from userapi.users.field_types import AnyField, EmailAddress

#: Returns a value as the marshmallow field deserializes it, or None if the field has to look at it.
Reader = Callable[[Any], Any]

#: Hashes of the common algorithms, whose second group is canonical base64 of the usual length: what is left to check is
#: the first group, which says how they were computed and is the same for many users.
HASHES = tuple(
    re.compile(pattern, re.ASCII)
    for pattern in (
        r"((?:argon2)?\$argon2id\$v=19\$[mtp=,0-9]+\$)([A-Za-z0-9+/]{21}[AQgw]\$[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048])",
        r"(pbkdf2_sha256\$[0-9]+\$)([A-Za-z0-9]+\$[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=)",
    )
)

#: A time in UTC as JSON files have it, and a date.
UTC_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{6})?(Z|\+00:00)", re.ASCII)
DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)

#: The years of usual times.
EARLIEST_TIME = datetime(1970, 1, 1, tzinfo=UTC)

#: The usual hashes have about 100 characters, the column has room for 255.
MAX_HASH_LENGTH = 200


def is_plain_line(text: Any, minimum: int, maximum: int) -> bool:
    """Whether a value is a text of these lengths that has only printable characters and begins with a visible one.

    Such a text has no control or format characters, and no blanks around it.
    """
    return (
        type(text) is str
        and minimum <= len(text) <= maximum
        and text != ""
        and ("!" <= text[0] <= "~" or (text[0].isalnum() and text[0] not in BLANK_CHARACTERS))
        and text[-1] != " "
        and text.isprintable()
    )


def find_reader(field: AnyField) -> Reader | None:
    """The reader of a marshmallow field; None if only the field knows its rules."""
    maker = MAKERS.get(type(field))
    return None if maker is None or field.allow_none else maker(field)


def _line(field: Any) -> Reader | None:
    minimum, maximum = field.minimum, field.maximum
    if len(field.validators) != (2 if minimum else 1):
        return None  # it has other rules too
    shortest = minimum or 1

    def read(value: Any) -> str | None:
        # Most texts are ASCII, for which this is quicker.
        if type(value) is str and shortest <= len(value) <= maximum and value.isascii() and value.isprintable():
            return value if value[0] != " " != value[-1] else None
        return value if is_plain_line(value, minimum, maximum) else None

    return read


def _configurable_line(field: Any) -> Reader | None:
    minimum, maximum, setting = field.minimum, field.maximum, field.setting
    if _line(field) is None:
        return None
    return lambda value: value if is_plain_line(value, minimum, min(maximum, current_app.config[setting])) else None


def _email(field: Any) -> Reader | None:
    minimum, maximum = field.minimum, field.maximum

    def read(value: Any) -> str | None:
        if not is_plain_line(value, minimum, maximum):
            return None
        try:
            email_address.normal_form(value)
        except ValueError:
            return None
        return str(value)

    return read


def _flag(_field: Any) -> Reader:
    return lambda value: value if value is True or value is False else None


def _birthday(_field: Any) -> Reader:
    def read(value: Any) -> date | None:
        if type(value) is not str or not DATE.fullmatch(value):
            return None
        try:
            day = date.fromisoformat(value)
        except ValueError:
            return None
        return day if EARLIEST_BIRTH <= day <= clock.today() else None

    return read


def read_past_time(value: Any) -> datetime | None:
    """A time in UTC until now: the `Reader` of times in the past."""
    if type(value) is not str or not UTC_TIME.fullmatch(value):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return moment if EARLIEST_TIME <= moment <= clock.now() else None


def read_hash(value: Any) -> str | None:
    """A hash of one of the common algorithms, if its cost is accepted: the `Reader` of password hashes."""
    if type(value) is str and len(value) < MAX_HASH_LENGTH:
        for pattern in HASHES:
            found = pattern.fullmatch(value)
            if found is not None:
                return value if _is_usable(pattern, found[1]) else None
    return None


@lru_cache(maxsize=256)
def _is_usable(pattern: re.Pattern[str], parameters: str) -> bool:
    """Whether hashes that begin with these parameters are accepted."""
    example = ("A" * 22 + "$" + "A" * 43) if "argon2" in parameters else ("A$" + "A" * 43 + "=")
    try:
        legacy_hashes.parse_legacy_hash(parameters + example)
    except legacy_hashes.UnusableHash:
        return False
    return pattern.fullmatch(parameters + example) is not None


#: What makes the reader of a field, by the exact class: a subclass may have other rules.
MAKERS: dict[type, Callable[[Any], Reader | None]] = {
    Line: _line,
    Name: _line,
    ConfigurableLine: _configurable_line,
    EmailAddress: _email,
    Flag: _flag,
    Birthday: _birthday,
}
