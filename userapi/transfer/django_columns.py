"""Guesses what the values of a field in a Django dump are: the type of profile field that accepts all of them."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from flask import current_app
from marshmallow import ValidationError

from userapi.users.field_definition import Field, Kind, Required, Writer
from userapi.users.field_types import AnyField, input_field
from userapi.users.fields import PROFILE
from userapi.users.own_fields import kinds

from .django_profiles import convert
from .profile_validation import add_zone

#: The maximum lengths to choose from.
LENGTHS = (20, 50, 100, 150, 255, 500, 1000, 2000, kinds.MAX_LENGTH)

#: A text with so few different values is a choice, if each of them occurs so often on average.
MAX_CHOICES, MIN_REPETITIONS = 10, 10

#: The number of different options of lists, and the length of an option.
MAX_OPTIONS, MAX_OPTION_LENGTH = 50, 100

#: In this order, the first type that accepts every value is the guess. A type is guessed from fewer values than it
#: accepts: the digits of a text may begin with zeros.
GUESSED: dict[Kind, Callable[[str, Any], bool]] = {
    Kind.FLAG: lambda _name, value: isinstance(value, bool),
    Kind.INTEGER: lambda _name, value: type(value) is int,
    Kind.DECIMAL: lambda _name, value: type(value) in (int, float) or _has_fraction(value),
    Kind.DATE: lambda _name, value: isinstance(value, str),
    Kind.TIMESTAMP: lambda _name, value: isinstance(value, str),
    Kind.COUNTRY: lambda name, value: "country" in name and isinstance(value, str),
    Kind.EMAIL: lambda _name, value: isinstance(value, str),
    Kind.PHONE: lambda _name, value: isinstance(value, str) and value.startswith("+"),
    Kind.URL: lambda _name, value: isinstance(value, str),
    Kind.TEXT: lambda _name, value: isinstance(value, str),
    Kind.PARAGRAPH: lambda _name, value: isinstance(value, str),
}


class Column:
    """The values of one field of a model.

    Args:
        name: of the field.
        model: the model.

    Attributes:
        models: the models that have the field.
        rows: their entries.
        count: the entries with a value.
        longest: the length of the longest text.
    """

    def __init__(self, name: str, model: str) -> None:
        self.name = name
        self.models: tuple[str, ...] = (model,)
        self.rows = self.count = self.longest = 0
        self.has_lists = False
        self.options: dict[str, None] | None = {}
        self.candidates = _make_candidates(name)

    def add(self, value: Any) -> None:
        """Consider the value of an entry."""
        self.rows += 1
        if value in (None, "", [], {}):
            return
        self.count += 1
        if isinstance(value, str):
            self.longest = max(self.longest, len(value))
        found = _as_list(value)
        self.has_lists = self.has_lists or found is not None
        self._add_options([value] if found is None else found)
        self.candidates = [
            (field, tested) for field, tested in self.candidates if _accepts(field, tested, self.name, value)
        ]

    def join(self, other: "Column") -> None:
        """Consider the values of a field of another model with the same name."""
        self.models += other.models
        self.rows, self.count = self.rows + other.rows, self.count + other.count
        self.longest = max(self.longest, other.longest)
        self.has_lists = self.has_lists or other.has_lists
        self._add_options(None if other.options is None else list(other.options))
        kinds_of_other = {field.kind for field, _tested in other.candidates}
        self.candidates = [pair for pair in self.candidates if pair[0].kind in kinds_of_other]

    def guess(self) -> Field | None:
        """The field that accepts all values, or None if no type does, or without any value."""
        if not self.count:
            return None
        required = Required.NEW if self.count == self.rows and len(self.models) == 1 else Required.NO
        if self.name in PROFILE:
            return self._widen(PROFILE[self.name], required) if self.candidates else None
        if self.has_lists:
            return self._choose(Kind.CHOICES, required) if self.options else None
        if not self.candidates:
            return None
        guessed = self.candidates[0][0]
        if guessed.kind is Kind.TEXT and self._are_choices():
            return self._choose(Kind.CHOICE, required)
        if guessed.kind is Kind.FLAG:
            return guessed  # Django has a value for everyone, which no one may have chosen
        length = _round_up(self.longest) if kinds.KINDS[guessed.kind].length else 0
        return replace(guessed, max_length=length, required=required)

    def _add_options(self, values: list[Any] | None) -> None:
        if self.options is None or values is None or not all(map(_is_option, values)):
            self.options = None
        else:
            self.options |= dict.fromkeys(values)
        if self.options is not None and len(self.options) > MAX_OPTIONS:
            self.options = None

    def _are_choices(self) -> bool:
        return self.options is not None and 1 < len(self.options) <= min(MAX_CHOICES, self.count // MIN_REPETITIONS)

    def _choose(self, kind: Kind, required: Required) -> Field:
        options = {option: dict[str, str]() for option in self.options or ()}
        return replace(_own_field(self.name, kind), options=options, required=required)

    def _widen(self, built_in: Field, required: Required) -> Field:
        usual = current_app.config.get(built_in.length_setting, built_in.max_length)
        if self.longest > usual and built_in.max_length:
            length = min(_round_up(self.longest), built_in.column_length or built_in.max_length)
            built_in = replace(built_in, max_length=length, length_setting="")
        return replace(built_in, required=required)


def _make_candidates(name: str) -> list[tuple[Field, AnyField]]:
    if name in PROFILE:
        widest = replace(PROFILE[name], length_setting="")
        widest = replace(widest, max_length=widest.column_length or widest.max_length)
        return [(widest, input_field(widest))]
    fields = [_own_field(name, kind) for kind in GUESSED]
    return [(field, input_field(field)) for field in fields if _is_usable(field.kind)]


def _is_usable(kind: Kind) -> bool:
    """Whether the library that a type needs is installed."""
    try:
        kinds.check_library(kind)
    except ImportError:
        return False
    return True


def _own_field(name: str, kind: Kind) -> Field:
    known = kinds.KINDS[kind]
    return Field(
        name,
        kind,
        name.replace("_", " ").capitalize(),
        "",
        max_length=kinds.MAX_LENGTH if known.length else 0,
        is_nullable=True,
        writer=Writer.OWNER,
        is_stored=False,
        autocomplete=known.autocomplete,
        is_own=True,
    )


def _accepts(field: Field, tested: AnyField, name: str, value: Any) -> bool:
    if field.is_own and not GUESSED[field.kind](name, value):
        return False
    converted = convert(field, value)
    try:
        tested.deserialize(add_zone(converted) if field.kind is Kind.TIMESTAMP else converted)
    except ValidationError:
        return False
    return True


def _as_list(value: Any) -> list[Any] | None:
    """A list, also one in a text, as Django writes arrays of PostgreSQL; None for anything else."""
    if isinstance(value, str) and value.startswith("["):
        try:
            value = json.loads(value)
        except ValueError:
            return None
    return value if isinstance(value, list) else None


def _has_fraction(value: Any) -> bool:
    """Whether a text may be a number with decimal places; digits alone may be a code."""
    return isinstance(value, str) and not value.removeprefix("-").isdigit()


def _is_option(value: Any) -> bool:
    return (
        isinstance(value, str)
        and 0 < len(value) <= MAX_OPTION_LENGTH
        and value == value.strip()
        and value.isprintable()
        and not value.startswith("[")
    )


def _round_up(length: int) -> int:
    return next((step for step in LENGTHS if step >= length), LENGTHS[-1])
