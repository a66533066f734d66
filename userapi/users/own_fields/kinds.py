"""The kinds of own fields: what the values of each are, and how they are shown, searched and made up."""

import hashlib
import random
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from marshmallow import fields as marshmallow_fields

from userapi.http.fields import Timestamp, fold_text
from userapi.users import email_address
from userapi.users.field_definition import MAX_KEY_LENGTH, Field, Kind

from . import input_types as types
from . import phone_numbers
from .countries import country_codes, list_countries
from .texts import TextByLanguage

AnyField = marshmallow_fields.Field[Any]

#: The length of a text whose declaration names none, and the maximum that it can name.
DEFAULT_LENGTH, MAX_LENGTH = 255, 4000

#: The digits at the end of the search key of a long text.
DIGEST_LENGTH = 64


@dataclass(frozen=True)
class OwnKind:
    """A kind of own fields.

    Attributes:
        name: in the declaration.
        make: makes the marshmallow field that validates input.
        example: a value, as JSON has it.
        length: the maximum length of a text whose declaration names none; 0 if the declaration cannot name one.
        has_keys: whether lists can be filtered by such a field.
        has_beginnings: whether they can be filtered by the beginning of its values.
        autocomplete: the HTML attribute of a field that declares none.
        sql_type: the type in a view for reporting: `text`, `integer`, `decimal`, `boolean`, `date`, `timestamp` or
            `json`.
    """

    name: str
    make: Callable[..., AnyField]
    example: Any
    length: int = 0
    has_keys: bool = True
    has_beginnings: bool = False
    autocomplete: str = ""
    sql_type: str = "text"


def _of_length(field_type: type[Any]) -> Callable[..., AnyField]:
    return lambda field, **options: field_type(field.max_length, **options)


def _of_options(field_type: type[Any]) -> Callable[..., AnyField]:
    return lambda field, **options: field_type(tuple(field.options), **options)


def _plain(field_type: type[Any]) -> Callable[..., AnyField]:
    return lambda _field, **options: field_type(**options)


def _with(make: Callable[..., AnyField], **metadata: Any) -> Callable[..., AnyField]:
    """The same with metadata for the API document."""
    return lambda field, **options: make(
        field, **{**options, "metadata": {**metadata, **(options.get("metadata") or {})}}
    )


KINDS: dict[Kind, OwnKind] = {
    Kind.TEXT: OwnKind("line", _of_length(types.OneLine), "Wren Ltd.", DEFAULT_LENGTH, has_beginnings=True),
    Kind.PARAGRAPH: OwnKind(
        "text", _of_length(types.Paragraph), "First line\nSecond line", DEFAULT_LENGTH, has_keys=False,
    ),
    Kind.INTEGER: OwnKind("integer", _plain(types.WholeNumber), 42, sql_type="integer"),
    Kind.DECIMAL: OwnKind("decimal", _plain(types.DecimalText), "12.50", sql_type="decimal"),
    Kind.FLAG: OwnKind("flag", _plain(types.YesOrNo), True, sql_type="boolean"),
    Kind.DATE: OwnKind("date", _plain(types.Day), "2026-11-29", sql_type="date"),
    Kind.TIMESTAMP: OwnKind("moment", _plain(types.Moment), "2026-11-29T08:30:00Z", sql_type="timestamp"),
    Kind.CHOICE: OwnKind("choice", _of_options(types.Choice), None),
    Kind.CHOICES: OwnKind(
        "choices", _with(_of_options(types.Choices), uniqueItems=True), None, sql_type="json",
    ),
    Kind.EMAIL: OwnKind(
        "email", _with(_plain(types.Email), format="email"), "wren@example.com", has_beginnings=True,
        autocomplete="email",
    ),
    Kind.URL: OwnKind(
        "url", _with(_of_length(types.WebUrl), format="uri"), "https://example.com/wren", DEFAULT_LENGTH,
        has_beginnings=True, autocomplete="url",
    ),
    Kind.PHONE: OwnKind(
        "phone", _plain(types.Phone), "+442079460018", has_beginnings=True, autocomplete="tel",
    ),
    Kind.COUNTRY: OwnKind("country", _plain(types.Country), "GB", autocomplete="country"),
}  # fmt: skip

#: The kinds by their names in the declaration.
BY_NAME = {own_kind.name: kind for kind, own_kind in KINDS.items()}


def input_field(field: Field, **options: Any) -> AnyField:
    """The marshmallow field that validates what clients send; it deserializes to the JSON value that is stored.

    Args:
        field: an own field.
        options: for the marshmallow field, such as `required`.
    """
    given = options.pop("metadata", {})
    description = f"{field.description} {given.get('description', '')}".rstrip()
    made = KINDS[field.kind].make(field, metadata={**given, "description": description}, **options)
    if field.check is not None:
        made.validators.append(field.check)
    return made


def output_field(field: Field, **options: Any) -> AnyField:
    """The marshmallow field that describes what the API returns."""
    options.setdefault("allow_none", True)
    options["metadata"] = {"description": field.description, **options.get("metadata", {})}
    match field.kind:
        case Kind.INTEGER:
            return marshmallow_fields.Integer(**options)
        case Kind.FLAG:
            return marshmallow_fields.Boolean(**options)
        case Kind.DATE:
            return marshmallow_fields.Date(**options)
        case Kind.TIMESTAMP:
            return Timestamp(**options)
        case Kind.CHOICES:
            return marshmallow_fields.List(marshmallow_fields.String(), **options)
    formats = {Kind.EMAIL: "email", Kind.URL: "uri"}
    if field.kind in formats:
        options["metadata"]["format"] = formats[field.kind]
    return marshmallow_fields.String(**options)


def list_options(field: Field) -> list[tuple[str, str]]:
    """The values to choose from, with their labels in the current language; nothing for kinds without a choice."""
    if field.kind is Kind.COUNTRY:
        return list_countries()
    return [
        (value, str(TextByLanguage(tuple(labels.items()))) if labels else value)
        for value, labels in field.options.items()
    ]


def search_keys(field: Field, value: Any) -> Sequence[str]:
    """A value as filters and unique fields see it; each chosen option has a key of its own.

    Two values are the same if they have the same key. A long text has only its beginning in the key, and a digest.
    """
    match field.kind:
        case Kind.CHOICES:
            return [fold_key(option) for option in value]
        case Kind.EMAIL:
            return [email_address.key_or_none(value) or fold_key(value)]
        case Kind.DECIMAL:
            return [_decimal_key(value)]
        case Kind.FLAG:
            return ["true" if value else "false"]
    return [fold_key(str(value))]


def fold_key(text: str) -> str:
    """A text as it is in search keys; a long one has only its beginning there, and a digest."""
    key = fold_visible(text)
    if len(key) <= MAX_KEY_LENGTH:
        return key
    return key[: MAX_KEY_LENGTH - DIGEST_LENGTH] + hashlib.sha256(key.encode()).hexdigest()


def fold_visible(text: str) -> str:
    """A text of which only what can be seen counts, without case.

    Compatibility forms, invisible format characters and the number of spaces do not matter.
    """
    visible = "".join(character for character in text if unicodedata.category(character) != "Cf")
    return " ".join(fold_text(visible).split())


def _decimal_key(text: str) -> str:
    """A decimal number without zeros at its end."""
    short = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if short == "-0" else short


def draw_value(field: Field, chance: random.Random, number: int) -> Any:
    """A made-up value for a sample user.

    Args:
        field: an own field.
        chance: where random numbers come from.
        number: of the user; in the values of a field whose values are unique.
    """
    options = tuple(field.options)
    day = f"20{chance.randrange(10, 26)}-{chance.randrange(1, 13):02}-{chance.randrange(1, 29):02}"
    match field.kind:
        case Kind.INTEGER:
            return number if field.is_unique else chance.randrange(100)
        case Kind.DECIMAL:
            return f"{number if field.is_unique else chance.randrange(1000)}.{chance.randrange(100):02}"
        case Kind.FLAG:
            return chance.random() < 0.5
        case Kind.DATE:
            return day
        case Kind.TIMESTAMP:
            return f"{day}T{chance.randrange(24):02}:{chance.randrange(60):02}:00Z"
        case Kind.CHOICE:
            return chance.choice(options)
        case Kind.CHOICES:
            return [option for option in options if chance.random() < 0.4] or [options[0]]
        case Kind.EMAIL:
            return f"{field.name}{number}@example.com"
        case Kind.URL:
            return f"https://example.com/{number}"[: field.max_length]
        case Kind.PHONE:
            return f"+4420{70000000 + number % 10_000_000}"
        case Kind.COUNTRY:
            return chance.choice(country_codes())
    return f"{field.label} {number}"[-field.max_length :].strip()


def check_library(kind: Kind) -> None:
    """Check that the library that a kind needs is installed.

    Raises:
        ImportError: it is not.
    """
    if kind is Kind.PHONE:
        phone_numbers.load_library()
