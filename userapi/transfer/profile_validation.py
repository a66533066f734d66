"""Checks the profiles in files by the rules of the API, which depend on the fields that the application declares."""

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from flask_babel import gettext as _

from userapi.core.problems import ValidationFailed
from userapi.users import profile_edits
from userapi.users.declaration import Declaration, get_declaration
from userapi.users.field_definition import Kind
from userapi.users.field_types import input_field

from .field_loading import KnownFields

#: The start of the names of profile fields in CSV files and in reports.
PREFIX = "profile."


class LoadedProfile(NamedTuple):
    """A profile in a file.

    Attributes:
        columns: the valid columns, own fields together in `extra`; None if no value is valid.
        invalid: the reasons by invalid field.
        missing: the reasons by missing field.
    """

    columns: dict[str, Any] | None
    invalid: dict[str, str]
    missing: dict[str, str]


class ProfileRules:
    """The rules for profiles.

    Args:
        declaration: the fields of profiles.

    Attributes:
        never_empty: the fields without which a profile is not stored.
    """

    def __init__(self, declaration: Declaration) -> None:
        self.known = KnownFields({field.name: input_field(field) for field in declaration.fields})
        self.required = tuple(field.name for field in declaration.fields if field.is_required)
        self.own = frozenset(field.name for field in declaration.own)
        self.moments = frozenset(field.name for field in declaration.own if field.kind is Kind.TIMESTAMP)
        # Clients of the built-in declaration rely on a date of birth; other profiles may lack any field.
        self.never_empty = frozenset(
            field.name
            for field in declaration.fields
            if declaration.is_default and field.is_required and field.empty is None
        )

    def load(self, values: Any) -> LoadedProfile:
        """Check a profile. Null and empty values count as missing."""
        if values is None:
            return LoadedProfile(None, {}, {})
        if not isinstance(values, Mapping):
            return LoadedProfile(None, {"profile": str(_("Must be an object."))}, {})
        present = {name: value for name, value in values.items() if value not in (None, "", [])}
        if not present:
            return LoadedProfile(None, {}, {})
        for name in self.moments & present.keys():
            present[name] = add_zone(present[name])
        valid, invalid = self.known.load(present)
        missing = {PREFIX + name: str(_("Missing.")) for name in self.required if name not in present}
        if self.own:
            valid, too_large = self._to_columns(valid)
            invalid |= too_large
        return LoadedProfile(valid or None, {PREFIX + name: reason for name, reason in invalid.items()}, missing)

    def _to_columns(self, valid: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
        """The columns; and the reason for each own field, if all of them together are too large."""
        columns = {name: value for name, value in valid.items() if name not in self.own}
        own = {name: value for name, value in valid.items() if name in self.own}
        try:
            profile_edits.require_small(own)
        except ValidationFailed as error:
            messages: Any = error.errors
            return columns, dict.fromkeys(own, messages["profile"]["_schema"][0])
        return columns | ({"extra": own} if own else {}), {}


@lru_cache(maxsize=4)
def _rules_of(declaration: Declaration) -> ProfileRules:
    return ProfileRules(declaration)


def get_profile_rules() -> ProfileRules:
    """The rules of the current application."""
    return _rules_of(get_declaration())


def add_zone(value: Any) -> Any:
    """A time, in UTC if it has no zone, as in all files."""
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return value
    return f"{value}Z" if moment.tzinfo is None else value
