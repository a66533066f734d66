"""Schemas of the OpenAPI document as rows of a table: one for each field."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Schema = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class FieldRow:
    """One field.

    Attributes:
        name: such as `profile.city`.
        type: such as `string or null`.
        schema: the name of the schema that describes it; empty if it has none.
        is_required: whether it must be there.
        limits: such as `up to 128 characters`.
        values: the values it may have, if the document lists them.
        description: in Markdown.
        example: a value; None if there is none.
    """

    name: str
    type: str
    schema: str
    is_required: bool
    limits: Sequence[str]
    values: Sequence[Any]
    description: str
    example: Any = None


class Schemas:
    """The named schemas of a document."""

    def __init__(self, named: Mapping[str, Schema]) -> None:
        self.named = named

    def rows(self, schema: Schema, *, nested: bool, prefix: str = "") -> Iterator[FieldRow]:
        """The fields of an object.

        Args:
            schema: of the object.
            nested: whether the fields of objects in it follow, as `profile.city`. Otherwise, the type names the schema.
            prefix: before their names.
        """
        shape, _name = self._resolve(schema)
        required = shape.get("required", ())
        for name, part in shape.get("properties", {}).items():
            inner, schema_name = self._resolve(part)
            yield self.row(prefix + name, part, name in required)
            if nested and schema_name and "properties" in inner:
                yield from self.rows(inner, nested=True, prefix=f"{prefix}{name}.")

    def row(self, name: str, schema: Schema, is_required: bool, **known: Any) -> FieldRow:
        """A field or a parameter.

        Args:
            name: its name.
            schema: its schema.
            is_required: whether it must be there.
            known: `description` and `example`, where the schema does not have them.
        """
        shape, schema_name = self._resolve(schema)
        if shape.get("type") == "array":
            schema_name = self._resolve(shape["items"])[1]
        return FieldRow(
            name=name,
            type=self._type(schema),
            schema=schema_name,
            is_required=is_required,
            limits=list(_limits(shape)),
            values=[value for value in shape.get("enum", ()) if value is not None],
            description=known.get("description") or schema.get("description") or shape.get("description", ""),
            example=known.get("example"),
        )

    def names_of(self, schema: Schema) -> list[str]:
        """The names of a schema or of its alternatives; those without a name are left out."""
        names = (self._resolve(part)[1] for part in schema.get("anyOf", [schema]))
        return [name for name in names if name]

    def _resolve(self, schema: Schema) -> tuple[Schema, str]:
        """A schema without reference and null, and its name."""
        if "anyOf" in schema:
            (schema,) = [part for part in schema["anyOf"] if part != {"type": "null"}]
        if "$ref" in schema:
            name = str(schema["$ref"]).rpartition("/")[2]
            return self.named[name], name
        return schema, ""

    def _type(self, schema: Schema) -> str:
        shape, name = self._resolve(schema)
        kinds = shape.get("type")
        kind, *null = kinds if isinstance(kinds, list) else [kinds]
        if kind is None:
            return "read-only" if shape.get("readOnly") else "not allowed"
        if kind == "array":
            kind = f"array of {self._resolve(shape['items'])[1] or 'objects'}"
        elif "format" in shape:
            kind = f"{kind} ({shape['format']})"
        elif name:
            kind = name
        can_be_null = null or {"type": "null"} in schema.get("anyOf", ())
        return f"{kind} or null" if can_be_null else str(kind)


def _limits(shape: Schema) -> Iterator[str]:
    least, most = shape.get("minLength", 0), shape.get("maxLength")
    if most is not None:
        yield f"{least} to {most} characters" if least > 1 else f"up to {most} characters"
    if "maximum" in shape:
        yield f"{shape.get('minimum', 0)} to {shape['maximum']}"
    elif "minimum" in shape:
        yield f"{shape['minimum']} or more"
    if "default" in shape:
        default = shape["default"]
        yield f"default: {str(default).lower() if isinstance(default, bool) else default}"
