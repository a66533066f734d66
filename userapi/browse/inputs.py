"""Inputs of forms, made from the schemas that the OpenAPI document holds: those that check what is sent."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

#: What an input is, by the format of a text.
FORMATS = {"email": "email", "password": "password", "date": "date"}

#: Plain inputs first, then those that stand together, then what is only ticked.
ORDER = {"group": 1, "checkbox": 2}


@dataclass(frozen=True, slots=True)
class Input:
    """One input, or a group of them.

    Attributes:
        name: as a form sends it: `profile.city`.
        label: the field's own name.
        kind: `text`, `email`, `password`, `date`, `number`, `checkbox`, `choice` or `group`.
        required: whether the schema wants it.
        nullable: whether null may be sent.
        hint: what the schema says of it besides.
        limit: how long or large it may be, as `≤ 150`.
        value: what it shows at first.
        options: what can be chosen.
        inputs: those of a group.
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


def of_body(
    schema: Mapping[str, Any], values: Mapping[str, Any], roles: Collection[str], prefix: str = ""
) -> list[Input]:
    """The inputs for what somebody may put into a body.

    A property without a type is only there to be refused, or to be sent back unchanged: nobody types it.

    Args:
        schema: of the body, or of an object in it.
        values: what the inputs show, as the API writes them.
        roles: of whom it is for, as the `x-set-by` of a property names them.
        prefix: stands before the names of those in an object, as `profile.`.
    """
    required = schema.get("required", ())
    inputs = [
        _input(prefix + name, part, required=name in required, value=values.get(name), roles=roles)
        for name, part in schema["properties"].items()
        if "type" in part or "anyOf" in part
        if "x-set-by" not in part or part["x-set-by"] in roles
    ]
    return sorted(inputs, key=lambda made: ORDER.get(made.kind, 0))


def of_query(parameters: Sequence[Mapping[str, Any]], values: Mapping[str, str]) -> list[Input]:
    """The inputs for what a query string may hold; a flag is a choice there, since it can be left out."""
    inputs = []
    for parameter in parameters:
        schema = {"description": parameter.get("description", ""), **parameter["schema"]}
        if schema.get("type") == "boolean":
            schema = {"description": schema["description"], "type": "string", "enum": ["true", "false"]}
        schema.pop("default", None)
        inputs.append(_input(parameter["name"], schema, required=False, value=values.get(parameter["name"])))
    return inputs


def flat(errors: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Messages by the names of inputs: `{"profile": {"zip": [...]}}` as `profile.zip`; `""` is no input's."""
    for name, messages in errors.items():
        if isinstance(messages, Mapping):
            yield from flat(messages, f"{prefix}{name}.")
        else:
            yield "" if name == "_schema" else f"{prefix}{name}", " ".join(map(str, messages))


def _input(name: str, schema: Mapping[str, Any], *, required: bool, value: Any, roles: Collection[str] = ()) -> Input:
    shape, nullable = _without_null(schema)
    kind = _kind(shape)
    inside = of_body(shape, value if isinstance(value, Mapping) else {}, roles, f"{name}.") if kind == "group" else ()
    return Input(
        name=name,
        label=name.rpartition(".")[2],
        kind=kind,
        required=required,
        nullable=nullable,
        hint=shape.get("description", ""),
        limit=_limit(shape),
        value="" if kind == "group" else _text(shape.get("default") if value is None else value),
        options=[option for option in shape.get("enum", ()) if option is not None],
        inputs=inside,
    )


def _without_null(schema: Mapping[str, Any]) -> tuple[Mapping[str, Any], bool]:
    """A schema, and whether null would do as well."""
    if "anyOf" in schema:
        (shape,) = [part for part in schema["anyOf"] if part != {"type": "null"}]
        return shape, len(schema["anyOf"]) > 1
    if isinstance(schema.get("type"), list):
        (kind,) = [kind for kind in schema["type"] if kind != "null"]
        return {**schema, "type": kind}, "null" in schema["type"]
    return schema, False


def _kind(shape: Mapping[str, Any]) -> str:
    if "enum" in shape:
        return "choice"
    kinds = {"object": "group", "boolean": "checkbox", "integer": "number", "number": "number"}
    return kinds.get(shape.get("type", ""), FORMATS.get(shape.get("format", ""), "text"))


def _limit(shape: Mapping[str, Any]) -> str:
    if "maximum" in shape:
        return f"{shape.get('minimum', 0)}–{shape['maximum']}"
    if shape.get("minLength", 0) > 1:
        return f"{shape['minLength']}–{shape['maxLength']}"
    return f"≤ {shape['maxLength']}" if "maxLength" in shape else ""


def _text(value: Any) -> str:
    """A value as an input holds it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)
