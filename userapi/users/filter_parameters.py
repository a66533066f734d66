"""The query parameters of a list that filter by own profile fields."""

from collections.abc import Iterable
from typing import Any

from marshmallow import fields

from userapi.http.bodies import PYTHON_FLAGS
from userapi.http.fields import Line

from .field_definition import MAX_KEY_LENGTH, Field, Find, Kind
from .field_filters import PREFIX, FieldFilter
from .own_fields import kinds

#: The maximum length of a text to look for.
MAX_LENGTH = 254

#: Characters of a text that are compared with the beginnings of keys: after them, the key of a long text has a digest.
MAX_BEGINNING = MAX_KEY_LENGTH - kinds.DIGEST_LENGTH

#: Kinds whose filters accept any line of text, because a value that looks different can have the same key.
TEXTS = (Kind.TEXT, Kind.EMAIL, Kind.URL)


class FilterField(fields.Field[FieldFilter]):
    """The query parameter of a filter.

    Args:
        field: an own field with `find`.
    """

    def __init__(self, field: Field) -> None:
        comparison = "begins with this text" if field.find is Find.BEGINNING else "is this value"
        metadata: dict[str, Any] = {
            "type": "string",
            "description": f"Only users whose profile field `{field.name}` {comparison}, regardless of case.",
        }
        if field.options:
            metadata["enum"] = list(field.options)
        super().__init__(metadata=metadata)
        self.field = field
        self.reader: Any = Line(MAX_LENGTH, 1) if field.kind in TEXTS else kinds.input_field(field)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> FieldFilter:
        if self.field.find is Find.BEGINNING:
            return FieldFilter(_fold_beginning(self.field, Line(MAX_LENGTH, 1).deserialize(value)), True)
        if self.field.kind is Kind.FLAG:
            value = PYTHON_FLAGS.get(value, value)
        found = self.reader.deserialize([value] if self.field.kind is Kind.CHOICES else value)
        return FieldFilter(kinds.search_keys(self.field, found)[0], False)


def _fold_beginning(field: Field, text: str) -> str:
    if field.kind is Kind.PHONE:  # stored as +442079460018
        text = "".join(character for character in text if character.isdigit() or character == "+")
    return kinds.fold_visible(text)[:MAX_BEGINNING]


def make_parameters(searchable: Iterable[Field]) -> dict[str, Any]:
    """The query parameters of filters, by name."""
    return {f"{PREFIX}.{field.name}": FilterField(field) for field in searchable}
