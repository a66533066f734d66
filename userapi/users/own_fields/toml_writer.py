"""A declaration as TOML, as `flask fields show` prints it."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from enum import Enum
from typing import Any

from userapi.core.i18n import to_english
from userapi.users.field_definition import Field, Find, Reader, Required, Writer
from userapi.users.fields import PROFILE

from .attributes import FIND, READ, REQUIRED, WRITE
from .kinds import KINDS
from .texts import ENGLISH, TextByLanguage

#: A key that needs no quotation marks.
BARE_KEY = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)


def write(fields: Iterable[Field]) -> str:
    """The TOML that declares the fields; reading it gives the same fields."""
    return "\n".join(_write_field(field) for field in fields) or "[profile]\n"


def _write_field(field: Field) -> str:
    attributes = _list_own_attributes(field) if field.is_own else _list_built_in_attributes(field)
    lines = [f"{key} = {_to_toml(value)}" for key, value in attributes if value is not None]
    return "\n".join([f"[profile.{field.name}]", *lines]) + "\n"


def _list_own_attributes(field: Field) -> Iterator[tuple[str, Any]]:
    kind = KINDS[field.kind]
    yield "type", kind.name
    yield "max", field.max_length or None
    yield "options", _options(field.options)
    yield "label", _texts(field.label)
    yield "hint", _texts(field.hint)
    yield "autocomplete", field.autocomplete if field.autocomplete != kind.autocomplete else None
    yield "required", _unless(field.required, Required.NO, REQUIRED)
    yield "must_from", field.must_from
    yield "read", _unless(field.reader, Reader.OWNER, READ)
    yield "write", _unless(field.writer, Writer.OWNER, WRITE)
    yield "find", _unless(field.find, Find.NO, FIND)
    yield "unique", field.is_unique or None
    yield "sensitive", field.is_sensitive or None
    yield "export", False if not field.is_in_own_export else None
    yield "claim", field.claim or None
    yield "list", field.is_listed or None


def _list_built_in_attributes(field: Field) -> Iterator[tuple[str, Any]]:
    built_in = PROFILE[field.name]
    is_other_length = (field.max_length, field.length_setting) != (built_in.max_length, built_in.length_setting)
    yield "max", field.max_length if is_other_length else None
    yield "label", _texts(field.label) if field.label != built_in.label else None
    yield "hint", _texts(field.hint) if field.hint != built_in.hint else None
    yield "autocomplete", field.autocomplete if field.autocomplete != built_in.autocomplete else None
    yield "required", _unless(field.required, built_in.required, REQUIRED)
    yield "must_from", field.must_from


def _unless(value: Enum, default: Enum, names: Mapping[str, Any]) -> str | None:
    """The name of a value; None if it is the default."""
    return None if value is default else next(name for name, known in names.items() if known is value)


def _texts(text: Any) -> Any:
    """A text, or texts by language; None if there is none."""
    if not text:
        return None
    if not isinstance(text, TextByLanguage):
        return to_english(text)
    return dict(text)[ENGLISH] if [tag for tag, _text in text] == [ENGLISH] else dict(text)


def _options(options: Mapping[str, Mapping[str, str]]) -> Any:
    if not options:
        return None
    if not any(options.values()):
        return list(options)
    return {option: dict(labels) or "" for option, labels in options.items()}


def _to_toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_key(key)} = {_to_toml(inner)}" for key, inner in value.items()) + " }"
    if isinstance(value, list):
        return f"[{', '.join(map(_to_toml, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    return value.isoformat() if isinstance(value, date) else str(value) if isinstance(value, int) else _quote(value)


def _key(text: str) -> str:
    return text if BARE_KEY.fullmatch(text) else _quote(text)


def _quote(text: str) -> str:
    """A text in quotation marks; TOML has the escapes of JSON, and wants one for U+007F."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
