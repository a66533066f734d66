"""The filters of the user list by own profile fields: how they are read, and how the page shows them."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

from flask_babel import gettext as _
from marshmallow import ValidationError

from userapi.core.i18n import translate_messages
from userapi.html import profile_inputs
from userapi.http.fields import trim_text
from userapi.users import field_filters, field_key_queries
from userapi.users.declaration import get_declaration
from userapi.users.field_definition import Field, Find, Kind
from userapi.users.field_filters import FieldFilter
from userapi.users.list_queries import OWN_FIELDS


class Control(NamedTuple):
    """An input for a filter.

    Attributes:
        name: of the query parameter.
        label: of the field.
        options: values and labels of a select; None for a text input.
        is_beginning: whether the beginning of the value is enough.
    """

    name: str
    label: str
    options: list[tuple[str, str]] | None
    is_beginning: bool


def list_controls() -> list[Control]:
    """The inputs, in the order of the declaration."""
    return [_make_control(field) for field in get_declaration().searchable]


def _make_control(field: Field) -> Control:
    options: list[tuple[str, str]] | None = None
    if field.kind is Kind.FLAG:
        options = [("true", _("Yes")), ("false", _("No"))]
    elif field.kind in (Kind.CHOICE, Kind.CHOICES, Kind.COUNTRY):
        options = profile_inputs.list_options(field)
    return Control(_name(field), str(profile_inputs.get_label(field)), options, field.find is Find.BEGINNING)


def get_readers() -> dict[str, Callable[[str], FieldFilter]]:
    """What reads the filters, by name of the query parameter."""
    parameters = get_declaration().filters
    return {name: partial(_read, parameter) for name, parameter in parameters.items()}


def _read(parameter: Any, text: str) -> FieldFilter:
    try:
        found: FieldFilter = parameter.deserialize(trim_text(text))
    except ValidationError as error:
        raise ValueError(" ".join(translate_messages(error.messages))) from error
    return found


def collect(values: dict[str, Any], errors: dict[str, str]) -> None:
    """Replace these filters by the one that `list_queries` knows, and report those whose keys are incomplete.

    Args:
        values: of all filters of the list.
        errors: messages by filter.
    """
    names = {_name(field): field.name for field in get_declaration().searchable}
    found: Mapping[str, FieldFilter] = {names[name]: values.pop(name) for name in set(values) & set(names)}
    if found:
        values[OWN_FIELDS] = found
        for name in set(found) - field_key_queries.list_complete(found):
            errors[f"{field_filters.PREFIX}.{name}"] = field_filters.describe_incomplete(name)


def list_personal() -> set[str]:
    """The query parameters whose text may belong to one user: all but those with options."""
    return {control.name for control in list_controls() if control.options is None}


def _name(field: Field) -> str:
    return f"{field_filters.PREFIX}.{field.name}"
