"""The declaration of profile fields: a TOML file with a table `[profile.NAME]` for each field, in their order.

Every error is one line that names the field and what is wrong with it. Nothing in the file is evaluated.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from userapi.users.field_definition import Field, Find, Kind, Reader, Required, Writer
from userapi.users.fields import PROFILE

from . import attributes
from .attributes import FIND, READ, REQUIRED, WRITE, Table
from .kinds import BY_NAME, KINDS, MAX_LENGTH, check_library
from .names import MAX_FIELDS, DeclarationError, check_name, quote
from .rules import check_claims, check_rules
from .texts import ENGLISH, TextByLanguage

#: What can be declared about own fields.
KEYS = frozenset(
    {"type", "max", "options", "label", "hint", "autocomplete", "required", "must_from", "read", "write", "find"}
    | {"unique", "sensitive", "claim", "list", "export"}
)

#: What can be declared about built-in fields.
BUILT_IN_KEYS = frozenset({"type", "max", "label", "hint", "autocomplete", "required", "must_from"})

#: The names of the kinds of built-in fields.
BUILT_IN_KINDS = {Kind.TEXT: "line", Kind.BIRTHDAY: "date"}


def read(path: str | Path) -> tuple[Field, ...]:
    """The fields that a file declares, in order.

    Raises:
        DeclarationError: the file cannot be read or is not valid; one line that names the field.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise DeclarationError(f"Cannot read {path}: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise DeclarationError(f"{path} is not UTF-8.") from error
    return parse(text)


def parse(text: str) -> tuple[Field, ...]:
    """The fields that a text declares, in order.

    Raises:
        DeclarationError: it is not valid.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise DeclarationError(f"This is not TOML: {' '.join(str(error).split())}.") from error
    except RecursionError as error:
        raise DeclarationError("The arrays or tables are nested too deeply.") from error
    for key in document:
        if key != "profile":
            raise DeclarationError(f"{quote(key)}: Unknown. Declare fields in tables such as [profile.company].")
    tables = document.get("profile")
    if not isinstance(tables, dict):
        raise DeclarationError("There is no table [profile.NAME] for any field.")
    if len(tables) > MAX_FIELDS:
        raise DeclarationError(f"profile: There are {len(tables)} fields; the maximum is {MAX_FIELDS}.")
    fields = tuple(read_field(name, values) for name, values in tables.items())
    check_claims(fields)
    return fields


def read_field(name: str, values: Any) -> Field:
    """The field that a table declares.

    Raises:
        DeclarationError: it is not valid.
    """
    check_name(name)
    if not isinstance(values, dict):
        raise DeclarationError(f"profile.{name}: Must be a table [profile.{name}].")
    table = Table(name, values)
    field = _read_built_in(table, PROFILE[name]) if name in PROFILE else _read_own(table)
    check_rules(field)
    return field


def _read_built_in(table: Table, built_in: Field) -> Field:
    table.check_keys(BUILT_IN_KEYS, "This field is built in, so this cannot be changed.")
    kind = BUILT_IN_KINDS[built_in.kind]
    if table.text("type", kind) != kind:
        raise table.error("type", f"This field is built in and is always {quote(kind)}.")
    changed: dict[str, Any] = {}
    if "max" in table.values:
        longest = built_in.column_length or built_in.max_length
        if not longest:
            raise table.error("max", "Only texts have a maximum length.")
        changed |= {"max_length": table.number("max", longest), "length_setting": ""}
    if "label" in table.values:
        changed["label"] = table.translated("label", "")
    if "hint" in table.values:
        changed["hint"] = table.translated("hint", "")
    if "autocomplete" in table.values:
        changed["autocomplete"] = table.autocomplete("")
    required = table.choice("required", REQUIRED, built_in.required)
    return replace(
        built_in, **changed, required=required, is_nullable=required is Required.NO and built_in.empty is None,
        must_from=table.day("must_from"),
    )  # fmt: skip


def _read_own(table: Table) -> Field:
    table.check_keys(KEYS, "Unknown.")
    kind = table.choice("type", BY_NAME, None)
    own_kind = KINDS[kind]
    try:
        check_library(kind)
    except ImportError as error:
        raise table.error("type", 'Needs the library phonenumbers. Install it: pip install "userapi[phone]"') from error
    if "max" in table.values and not own_kind.length:
        raise table.error("max", f"A field of the type {own_kind.name} has no maximum length.")
    options = attributes.read_options(table, is_needed=kind in (Kind.CHOICE, Kind.CHOICES))
    max_length = table.number("max", MAX_LENGTH, own_kind.length) if own_kind.length else 0
    label = table.translated("label", table.name.replace("_", " ").capitalize())
    hint = table.translated("hint", "")
    return Field(
        table.name,
        kind,
        label,
        _describe(label, hint),
        _example(kind, max_length, options),
        max_length=max_length,
        required=table.choice("required", REQUIRED, Required.NO),
        is_nullable=True,
        writer=table.choice("write", WRITE, Writer.OWNER),
        is_stored=False,
        hint=hint,
        autocomplete=table.autocomplete(own_kind.autocomplete),
        is_own=True,
        must_from=table.day("must_from"),
        reader=table.choice("read", READ, Reader.OWNER),
        find=table.choice("find", FIND, Find.NO),
        is_unique=table.flag("unique"),
        is_sensitive=table.flag("sensitive"),
        is_in_own_export=table.flag("export", default=True),
        is_listed=table.flag("list"),
        claim=table.text("claim", ""),
        options=options,
    )


def _describe(label: TextByLanguage, hint: Any) -> str:
    """The description for the API document, in English if there is an English text."""
    texts = [dict(text).get(ENGLISH) or next(iter(text))[1] for text in (label, hint) if text]
    return " ".join(text if text.endswith((".", "!", "?")) else f"{text}." for text in texts)


def _example(kind: Kind, max_length: int, options: Mapping[str, Any]) -> Any:
    if kind in (Kind.CHOICE, Kind.CHOICES):
        first = next(iter(options))
        return first if kind is Kind.CHOICE else [first]
    example = KINDS[kind].example
    if kind is Kind.URL and len(example) > max_length:
        return "http://a.example"[:max_length]
    return example[:max_length].strip() if max_length else example
