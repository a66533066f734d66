"""The inputs of a form for the fields of a profile: what a page shows of each, and how the page's texts are read."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask_babel import gettext as _
from werkzeug.datastructures import MultiDict

from userapi.users.declaration import get_declaration
from userapi.users.field_definition import Field, Kind

from .forms import Form

#: Before the names of fields in the names of inputs.
PREFIX = "profile."

#: The input that names the checkboxes of a form, because browsers do not send those that are not checked.
CHECKBOXES = "checkboxes"

#: The types of inputs by kind; all others are one line of text.
TYPES = {
    Kind.BIRTHDAY: "date",
    Kind.PARAGRAPH: "textarea",
    Kind.FLAG: "checkbox",
    Kind.DATE: "date",
    Kind.TIMESTAMP: "datetime-local",
    Kind.CHOICE: "select",
    Kind.CHOICES: "checkboxes",
    Kind.COUNTRY: "select",
    Kind.EMAIL: "email",
    Kind.URL: "url",
    Kind.PHONE: "tel",
}

#: More HTML attributes. An input of the type `number` would change its number when someone scrolls.
ATTRIBUTES = {
    Kind.INTEGER: {"inputmode": "numeric", "dir": "ltr"},
    Kind.DECIMAL: {"inputmode": "decimal", "dir": "ltr"},
    Kind.TIMESTAMP: {"step": "any"},
    Kind.EMAIL: {"dir": "ltr", "spellcheck": "false", "autocapitalize": "none"},
    Kind.URL: {"dir": "ltr"},
    Kind.PHONE: {"dir": "ltr"},
}

#: What a browser sends of an input of the type `datetime-local`.
LOCAL_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,6})?)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class ProfileInput:
    """The input of one field.

    Attributes:
        name: in the form, such as `profile.company`.
        label: in the language of the page, like the hint.
        type: of HTML, or `textarea`, `select` or `checkboxes`.
        value: a text; of checkboxes, the texts of those that are checked.
        options: values with their labels.
        attributes: of HTML.
        is_required: whether the field needs a value.
        is_read_only: whether the caller may not change it.
    """

    name: str
    label: Any
    hint: Any
    type: str
    value: Any
    options: Sequence[tuple[str, str]]
    attributes: Mapping[str, str]
    is_required: bool
    is_read_only: bool


def list_inputs(
    fields: Iterable[Field], stored: Mapping[str, Any], form: Form, writable: Collection[str]
) -> list[ProfileInput]:
    """The inputs of fields, filled in with what was typed into the form, or else with the stored values.

    Args:
        fields: those that the form shows.
        stored: values by the names of fields.
        form: of the page.
        writable: the names of the fields that the caller may change.
    """
    typed = form.values if CHECKBOXES in form.values else {}
    return [_make_input(field, stored.get(field.name), form, typed, field.name in writable) for field in fields]


def _make_input(field: Field, stored: Any, form: Form, typed: Mapping[str, Any], is_writable: bool) -> ProfileInput:
    name, kind = PREFIX + field.name, TYPES.get(field.kind, "text")
    value = to_input(field, stored)
    if is_writable:
        unchecked = [] if field.kind is Kind.CHOICES else ""
        is_unchecked = name in typed.get(CHECKBOXES, "").split()
        value = form.values.get(name, unchecked if is_unchecked else value)
    if field.kind is Kind.CHOICES and isinstance(value, str):
        value = [value] if value else []
    hint = field.hint
    if field.kind is Kind.TIMESTAMP:
        hint = " ".join(filter(None, (str(hint), _("Date and time in UTC."))))
    attributes = dict(ATTRIBUTES.get(field.kind, {}))
    if field.autocomplete:
        attributes["autocomplete"] = field.autocomplete
    if field.kind is Kind.BIRTHDAY:
        attributes["min"] = "1900-01-01"
    return ProfileInput(
        name=name,
        label=get_label(field),
        hint=hint,
        type=kind,
        value=value,
        options=list_options(field, value),
        attributes=attributes,
        is_required=field.is_required,
        is_read_only=not is_writable,
    )


def get_label(field: Field) -> Any:
    """The label of a field in the language of the page, or its name."""
    return field.label or field.name


def list_options(field: Field, chosen: Any = "") -> list[tuple[str, str]]:
    """The options of a field with their labels in the language of the page.

    Args:
        field: of any kind; only some have options.
        chosen: values that are listed even if they are no longer offered.
    """
    if field.kind not in (Kind.CHOICE, Kind.CHOICES, Kind.COUNTRY):
        return []
    from userapi.users.own_fields import kinds  # an application without own fields does not need it

    options = kinds.list_options(field)
    offered = {value for value, _text in options}
    more = [chosen] if isinstance(chosen, str) else chosen
    return options + [(value, value) for value in more if value and value not in offered]


def describe_value(field: Field, value: Any) -> str:
    """A value as a text to read, in the language of the page; empty without one."""
    if value in (None, "", []):
        return ""
    if field.kind is Kind.FLAG:
        return str(_("Yes") if value else _("No"))
    if field.kind in (Kind.CHOICE, Kind.CHOICES, Kind.COUNTRY):
        labels = dict(list_options(field, value))
        return ", ".join(labels[each] for each in ([value] if isinstance(value, str) else value))
    return str(value)


def to_input(field: Field, value: Any) -> Any:
    """A stored value as the text of its input; as a list, if it has several checkboxes."""
    if field.kind is Kind.CHOICES:
        return list(value or ())
    if value is None:
        return ""
    if field.kind is Kind.FLAG:
        return "true" if value else "false"
    if field.kind is Kind.TIMESTAMP and isinstance(value, str):
        return _to_local_time(value)
    return str(value)


def _to_local_time(text: str) -> str:
    """A time in UTC in the shortest form of HTML, to milliseconds."""
    moment = datetime.fromisoformat(text).replace(tzinfo=None)
    if not moment.second and not moment.microsecond:
        return moment.isoformat(timespec="minutes")
    return moment.isoformat(timespec="milliseconds").removesuffix(".000")


def read_sent(sent: MultiDict[str, str]) -> dict[str, Any]:
    """The values of a form by name: a text, or a list where a name was sent more than once."""
    return {name: texts[0] if len(texts) == 1 else texts for name, texts in sent.lists()}


def read_profile(values: Mapping[str, Any], checkboxes: str, stored: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a profile in a form, as the API takes them.

    Args:
        values: by the names of fields.
        checkboxes: the text of the input that names them.
        stored: the values that the form had shown.
    """
    by_name = get_declaration().by_name
    named = [name.removeprefix(PREFIX) for name in checkboxes.split()]
    unchecked = {name: _unchecked(by_name[name], stored.get(name)) for name in named if name in by_name}
    read = {**unchecked, **values}
    return {
        name: to_api(by_name[name], value, stored.get(name)) if name in by_name else value
        for name, value in read.items()
    }


def _unchecked(field: Field, stored: Any) -> str:
    """What it means that nothing is checked: a flag that was never set stays so, unless it is required."""
    return "false" if field.kind is Kind.FLAG and (field.is_required or stored is not None) else ""


def to_api(field: Field, value: Any, stored: Any) -> Any:
    """The text of an input as the API takes it; one that was not changed is the stored value."""
    if field.kind is not Kind.TIMESTAMP or not isinstance(value, str):
        return value
    if value and value == to_input(field, stored):
        return stored
    return f"{value}Z" if LOCAL_TIME.fullmatch(value) else value
