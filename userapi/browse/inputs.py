"""Inputs of forms, built from the schemas in the OpenAPI document, which also validate what is sent."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask_babel import gettext as _
from flask_babel import ngettext

#: The type of an input, by the `format` of a string.
FORMATS = {"email": "email", "password": "password", "date": "date"}

#: Plain inputs first, then groups, then checkboxes.
ORDER = {"group": 1, "checkbox": 2}


@dataclass(frozen=True, slots=True)
class Input:
    """One input, or a group of them.

    Attributes:
        name: in the form: `profile.city`.
        label: the name of the field.
        kind: `text`, `email`, `password`, `date`, `number`, `checkbox`, `choice` or `group`.
        required: whether the schema requires it.
        nullable: whether null is allowed.
        hint: its description in the schema.
        limit: maximum length or range, such as "Up to 150 characters.".
        value: its initial value.
        options: the values to choose from.
        inputs: of a group.
    """

    name: str
    label: str
    kind: str
    required: bool
    nullable: bool
    hint: str
    limit: str
    value: str = ""
    options: Sequence[str] = ()
    inputs: Sequence["Input"] = ()

    @property
    def is_secret(self) -> bool:
        """Whether its value is left out of commands that are copied."""
        return self.kind == "password" or self.name.endswith("token")


def body_inputs(
    schema: Mapping[str, Any], values: Mapping[str, Any], roles: Collection[str], prefix: str = ""
) -> list[Input]:
    """The inputs for a request body.

    Properties without a type are left out: they are read-only, or only named to be rejected.

    Args:
        schema: of the body, or of an object in it.
        values: the initial values, as the API writes them.
        roles: of the caller, as the `x-set-by` of a property names them.
        prefix: before the names of inputs in an object, such as `profile.`.
    """
    required = schema.get("required", ())
    inputs = [
        _input(prefix + name, part, required=name in required, value=values.get(name), roles=roles)
        for name, part in schema["properties"].items()
        if "type" in part or "anyOf" in part
        if "x-set-by" not in part or part["x-set-by"] in roles
    ]
    return sorted(inputs, key=lambda item: ORDER.get(item.kind, 0))


def query_inputs(parameters: Sequence[Mapping[str, Any]], values: Mapping[str, str]) -> list[Input]:
    """The inputs for query parameters. A boolean becomes a choice, because it can be left out."""
    inputs = []
    for parameter in parameters:
        schema = {"description": parameter.get("description", ""), **parameter["schema"]}
        if schema.get("type") == "boolean":
            schema = {"description": schema["description"], "type": "string", "enum": ["true", "false"]}
        schema.pop("default", None)
        inputs.append(_input(parameter["name"], schema, required=False, value=values.get(parameter["name"])))
    return inputs


def _input(name: str, schema: Mapping[str, Any], *, required: bool, value: Any, roles: Collection[str] = ()) -> Input:
    shape, nullable = _without_null(schema)
    kind = _input_kind(shape)
    inside = (
        body_inputs(shape, value if isinstance(value, Mapping) else {}, roles, f"{name}.") if kind == "group" else ()
    )
    return Input(
        name=name,
        label=name.rpartition(".")[2],
        kind=kind,
        required=required,
        nullable=nullable,
        hint=shape.get("description", ""),
        limit=_describe_limit(shape),
        value="" if kind == "group" else _input_value(shape.get("default") if value is None else value),
        options=[option for option in shape.get("enum", ()) if option is not None],
        inputs=inside,
    )


def _without_null(schema: Mapping[str, Any]) -> tuple[Mapping[str, Any], bool]:
    """A schema without null, and whether it allows null."""
    if "anyOf" in schema:
        (shape,) = [part for part in schema["anyOf"] if part != {"type": "null"}]
        return shape, len(schema["anyOf"]) > 1
    if isinstance(schema.get("type"), list):
        (kind,) = [kind for kind in schema["type"] if kind != "null"]
        return {**schema, "type": kind}, "null" in schema["type"]
    return schema, False


def _input_kind(shape: Mapping[str, Any]) -> str:
    if "enum" in shape:
        return "choice"
    kinds = {"object": "group", "boolean": "checkbox", "integer": "number", "number": "number"}
    return kinds.get(shape.get("type", ""), FORMATS.get(shape.get("format", ""), "text"))


def _describe_limit(shape: Mapping[str, Any]) -> str:
    if "maximum" in shape:
        text = _("%(least)s to %(most)s.", least=shape.get("minimum", 0), most=shape["maximum"])
    elif "maxLength" not in shape:
        text = ""
    elif (least := shape.get("minLength", 0)) > 1:
        most = shape["maxLength"]
        text = ngettext("%(least)s to %(num)s character.", "%(least)s to %(num)s characters.", most, least=least)
    else:
        text = ngettext("Up to %(num)s character.", "Up to %(num)s characters.", shape["maxLength"])
    return str(text)


def _input_value(value: Any) -> str:
    """A value as the text of an input."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return json.dumps(value, ensure_ascii=False)
    return "" if value is None else str(value)
