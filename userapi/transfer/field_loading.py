"""Loads the values of a record by their fields, and says what is wrong with the others."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flask_babel import gettext as _
from marshmallow import ValidationError

from userapi.users.field_types import AnyField

from .records import printable
from .usual_values import Reader, find_reader


@dataclass
class KnownFields:
    """The fields that records may have.

    Attributes:
        fields: what checks the values.
        readers: what accepts values in their usual form without these checks; by default, those of `usual_values`.
    """

    fields: Mapping[str, AnyField]
    readers: dict[str, Reader] = field(default_factory=dict)

    def __post_init__(self) -> None:
        found = {name: find_reader(known) for name, known in self.fields.items()}
        self.readers = {name: reader for name, reader in found.items() if reader is not None} | self.readers

    def load(self, values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
        """The valid values by field, and the reasons by invalid or unknown field."""
        readers = self.readers
        valid: dict[str, Any] = {}
        invalid: dict[str, str] = {}
        for name, value in values.items():
            reader = readers.get(name)
            usual = None if reader is None else reader(value)
            if usual is None:
                _load(self.fields.get(name), name, value, valid, invalid)
            else:
                valid[name] = usual
        return valid, invalid


def load_fields(known: Mapping[str, AnyField], values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """The same for fields that few records have."""
    valid: dict[str, Any] = {}
    invalid: dict[str, str] = {}
    for name, value in values.items():
        _load(known.get(name), name, value, valid, invalid)
    return valid, invalid


def _load(known: AnyField | None, name: str, value: Any, valid: dict[str, Any], invalid: dict[str, str]) -> None:
    """Check one value by its field, and add it to the valid values or the reason to the invalid ones."""
    if known is None:
        hint = _("Only hashes can be imported, as password_hash.") if name == "password" else _("Unknown field.")
        invalid[printable(name)] = str(hint)
        return
    try:
        valid[name] = known.deserialize(value)
    except ValidationError as error:
        invalid[name] = _join_messages(error.messages)


def _join_messages(messages: Any) -> str:
    if isinstance(messages, dict):
        return _join_messages(list(messages.values()))
    return " ".join(dict.fromkeys(_join_messages(each) if not isinstance(each, str) else each for each in messages))


def join_reasons(reasons: Mapping[str, str]) -> str:
    """Reasons by field, in one line."""
    return "; ".join(f"{name}: {reason}" for name, reason in reasons.items())
