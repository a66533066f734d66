"""Finds the fields of profiles in a Django dump.

Without a declaration, a profile is an entry with all built-in fields. If the application declares the fields of
profiles, those with the same names are taken from the user model, and from each model that has an entry for a user: one
with a field `user`, or with `profile` in its name. A model with several entries for a user is no profile.
"""

import json
import re
import sqlite3
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from decimal import Decimal
from typing import Any, NamedTuple

from userapi.users.declaration import get_declaration
from userapi.users.field_definition import Field, Kind
from userapi.users.fields import PROFILE_FIELDS

from . import django_owners
from .django_owners import key
from .records import printable

#: How to recognize the profile of the seed project, whose entries must all have a user.
PROFILE_MODEL_FIELDS = {field.name for field in PROFILE_FIELDS if field.is_in_django}

#: The field of a profile that refers to its user, and a part of the names of models that may refer in another way.
OWNER = "user"
PROFILE_MODEL = "profile"

#: Applications of Django and of libraries, whose models are no profiles.
LIBRARIES = re.compile(r"(admin|auth|authtoken|account|contenttypes|mfa|otp_\w+|sessions|sites|socialaccount)\.")

#: How Django writes a number with many decimal places.
EXPONENT = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,20})?E[+-]?[0-9]{1,2}")

#: Models with several entries for a user that were only profiles by their fields.
SEVERAL = """
    SELECT model, count(*) FROM profiles JOIN claims ON claims.profile = number WHERE NOT is_certain
    GROUP BY model HAVING count(*) > count(DISTINCT user)
"""
STRAY = """
    SELECT model, count(*) FROM profiles
    WHERE NOT is_certain AND number NOT IN (SELECT profile FROM owned) GROUP BY model
"""
#: Profiles without a user, and further profiles of a user.
NOT_OWNED = """
    SELECT number, entry, user IS NOT NULL
    FROM profiles LEFT JOIN claims ON claims.profile = number
    WHERE is_certain AND number NOT IN (SELECT profile FROM owned) ORDER BY number
"""


class StrayProfile(NamedTuple):
    """An entry of a profile that no user gets.

    Attributes:
        number: of the entry.
        entry: its name.
        has_user: whether its user has another profile.
    """

    number: int
    entry: str
    has_user: bool


class Profiles:
    """The fields of profiles in a dump.

    Args:
        connection: the temporary database.
        left_out: counts the ignored entries and fields, by model.
    """

    def __init__(self, connection: sqlite3.Connection, left_out: Counter[str]) -> None:
        self.connection, self.left_out = connection, left_out
        declaration = get_declaration()
        self.fields = declaration.by_name
        #: The fields that are taken from any model.
        self.declared = frozenset() if declaration.is_default else frozenset(declaration.names)

    def is_profile(self, model: str, fields: dict[str, Any]) -> bool:
        """Whether an entry of a model that is not known otherwise may be a profile."""
        if fields.keys() >= PROFILE_MODEL_FIELDS:
            return True
        return may_be_profile(model, fields) and not self.declared.isdisjoint(fields)

    def add(self, number: int, label: str, model: str, pk: Any, fields: dict[str, Any]) -> None:
        """Store the entry of a profile."""
        taken = {name: value for name, value in fields.items() if name in self.fields}
        for name in fields.keys() - taken.keys() - {OWNER}:
            if fields[name]:
                self.left_out[printable(f"{model}.{name}")] += 1
        owner = key(fields[OWNER]) if OWNER in fields else None
        is_certain = fields.keys() >= PROFILE_MODEL_FIELDS
        row = (number, label, model, key(pk), owner, json.dumps(taken), is_certain)
        self.connection.execute("INSERT INTO profiles VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        if owner is None:
            others = fields.keys() - (PROFILE_MODEL_FIELDS if is_certain else taken.keys())
            possible = {django_owners.PK: pk} | {name: fields[name] for name in others}
            links = [
                (model, printable(name), number, key(value))
                for name, value in possible.items()
                if django_owners.may_refer(value)
            ]
            self.connection.executemany("INSERT INTO links VALUES (?, ?, ?, ?)", links)

    def resolve(self) -> None:
        """Give each user the profiles that refer to the user, and leave out models that are no profiles.

        Raises:
            UnreadableFile: references are ambiguous.
        """
        django_owners.resolve_owners(self.connection)
        for model, count in self.connection.execute(SEVERAL).fetchall():
            self.left_out[model] += count
            for table in ("owned", "claims"):
                found = "SELECT number FROM profiles WHERE model = ?"
                self.connection.execute(f"DELETE FROM {table} WHERE profile IN ({found})", (model,))  # noqa: S608
            self.connection.execute("DELETE FROM profiles WHERE model = ?", (model,))
        for model, count in self.connection.execute(STRAY):
            self.left_out[f"{model} without its user"] += count

    def stray(self) -> Iterator[StrayProfile]:
        """The entries that are certainly profiles, but that no user gets."""
        yield from map(StrayProfile._make, self.connection.execute(NOT_OWNED))

    def merge(self, user: dict[str, Any], profiles: Iterable[tuple[str, dict[str, Any]]]) -> dict[str, Any] | None:
        """The profile of a user. A field that several models have is that of the first one with a value.

        Args:
            user: the fields of the user model.
            profiles: models and fields of the entries that refer to the user.

        Returns:
            The values by field, or None if no model has one.
        """
        merged = {name: convert(self.fields[name], user[name]) for name in self.declared & user.keys()}
        for model, fields in profiles:
            for name, value in fields.items():
                converted = convert(self.fields[name], value)
                if merged.get(name) in (None, ""):
                    merged[name] = converted
                elif converted not in (None, "", merged[name]):
                    self.left_out[f"{model}.{name}"] += 1
        return merged or None


def may_be_profile(model: str, fields: Collection[str]) -> bool:
    """Whether each entry of a model may belong to one user."""
    return not LIBRARIES.match(model) and (OWNER in fields or PROFILE_MODEL in model.partition(".")[2])


def convert(field: Field, value: Any) -> Any:
    """A value as the API writes it, where Django writes the same value in another way."""
    match field.kind:
        case Kind.DECIMAL:
            return _to_decimal(value)
        case Kind.CHOICE if type(value) is int:
            return str(value)
        case Kind.CHOICES if isinstance(value, str) and not value.startswith("[") and value not in field.options:
            return [part.strip() for part in value.split(",") if part.strip()]
        case Kind.CHOICES if isinstance(value, list):
            return [str(each) if type(each) is int else each for each in value]
    return value


def _to_decimal(value: Any) -> Any:
    """A number as a text without an exponent; other values are kept as they are."""
    if type(value) in (int, float) or (isinstance(value, str) and EXPONENT.fullmatch(value)):
        return format(Decimal(str(value)), "f")
    return value
