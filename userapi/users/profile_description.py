"""The profile of a new user as JSON Schema (2020-12), for front ends that build their forms from it."""

from typing import Any

from flask_babel import gettext as _

from userapi.http import api_document
from userapi.http.responses import Document

from .declaration import get_declaration
from .field_definition import Field, Kind, Writer

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def describe_new_profile() -> Document:
    """The fields that a new user may send, with labels and hints in the current language.

    The limits of values are those of the API document.
    """
    declaration = get_declaration()
    described = api_document.describe_schema(declaration.new_profile)["properties"]
    required = list(declaration.needed_at_first)
    return {
        "$schema": DIALECT,
        "title": _("Profile"),
        "type": "object",
        "properties": {
            field.name: _describe(field, described[field.name], is_required=field.name in required)
            for field in declaration.fields
            if field.writer in (Writer.OWNER, Writer.ONCE)
        },
        "required": required,
        "additionalProperties": False,
    }


def _describe(field: Field, limits: dict[str, Any], *, is_required: bool) -> dict[str, Any]:
    found = {name: value for name, value in limits.items() if name not in ("description", "x-set-by")}
    if isinstance(found["type"], list) and is_required:
        found["type"] = found["type"][0]
        if "maxLength" in found:
            found["minLength"] = 1
    if field.kind is Kind.CHOICES:
        found["items"] = _list_options(field)
    elif field.kind in (Kind.CHOICE, Kind.COUNTRY) and field.is_own:
        found.pop("enum")
        options = _list_options(field)["oneOf"]
        found = {**found, "oneOf": options if is_required else [*options, {"type": "null"}]}
    hint = {"description": str(field.hint)} if field.hint else {}
    return {"title": str(field.label), **hint, **found, "examples": [field.example]}


def _list_options(field: Field) -> dict[str, Any]:
    from .own_fields import kinds  # an application without own fields does not need it

    return {"oneOf": [{"const": value, "title": label} for value, label in kinds.list_options(field)]}
