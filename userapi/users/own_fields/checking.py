"""Do the stored values fit a declaration? Only reads: a page at a time, without a lock or a transaction."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from marshmallow import ValidationError

from userapi.users import field_types
from userapi.users.field_definition import Field
from userapi.users.fields import PROFILE, is_same

from . import kinds, queries


@dataclass
class FieldCounts:
    """What was found about one field.

    Attributes:
        valid: profiles with a valid value.
        missing: profiles without a value.
        invalid: profiles whose value could not be stored today.
    """

    valid: int = 0
    missing: int = 0
    invalid: int = 0


@dataclass
class Findings:
    """What was found about all fields.

    Attributes:
        profiles: the number of profiles.
        fields: the counts by declared field.
        undeclared: profiles with a value, by field that is not declared.
    """

    profiles: int = 0
    fields: dict[str, FieldCounts] = field(default_factory=dict)
    undeclared: dict[str, int] = field(default_factory=dict)


def check_values(fields: Iterable[Field], progress: Callable[[int], None]) -> Findings:
    """Compare the values of all profiles with a declaration.

    Args:
        fields: the declaration.
        progress: called with the number of profiles after each page.
    """
    validators = {declared.name: _validator(declared) for declared in fields}
    findings = Findings(fields={name: FieldCounts() for name in validators})
    last = 0
    while page := queries.read_profiles(last):
        for row in page:
            _check_profile(row._mapping, validators, findings)
        last = page[-1].user_id
        findings.profiles += len(page)
        progress(findings.profiles)
    return findings


def _validator(declared: Field) -> Callable[[Any], bool]:
    if declared.is_own:
        own = kinds.input_field(declared)
        return lambda value: is_same(own.deserialize(value), value)
    built_in = field_types.input_field(declared)
    return lambda value: built_in.deserialize(value if isinstance(value, str) else value.isoformat()) == value


def _check_profile(row: Mapping[Any, Any], validators: Mapping[str, Callable[[Any], bool]], found: Findings) -> None:
    values = {name: row[name] for name in PROFILE} | (row["extra"] or {})
    for name, is_valid in validators.items():
        value = values.pop(name, None)
        counts = found.fields[name]
        if value in (None, ""):
            counts.missing += 1
        elif _holds(is_valid, value):
            counts.valid += 1
        else:
            counts.invalid += 1
    for name, value in values.items():
        if value not in (None, ""):
            found.undeclared[name] = found.undeclared.get(name, 0) + 1


def _holds(is_valid: Callable[[Any], bool], value: Any) -> bool:
    try:
        return is_valid(value)
    except ValidationError:
        return False
