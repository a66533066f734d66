"""Drafts a declaration of profile fields from a Django dump, for `flask fields propose`.

The draft has each field of the user model that is not Django's own, and of each model with one entry for a user. An
import with the draft takes every value of these fields.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from typing import Any, TextIO

from flask_babel import gettext as _

from userapi.users.field_definition import Field, Kind
from userapi.users.fields import PROFILE
from userapi.users.own_fields import toml_writer
from userapi.users.own_fields.names import MAX_FIELDS, DeclarationError, check_name

from .django_columns import Column
from .django_dump import KNOWN_FIELDS, USER_MODEL_FIELDS
from .django_entries import read_entries
from .django_factors import is_factor
from .django_owners import key
from .django_profiles import OWNER, may_be_profile
from .records import UnreadableFile, printable

OWNERS = "CREATE TABLE owners (model TEXT, owner TEXT, PRIMARY KEY (model, owner)) WITHOUT ROWID"


class _Models:
    """The models of a dump that may have fields of profiles.

    Attributes:
        user_model: the name of the user model.
        counts: the entries by model.
        columns: the fields by model and name.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        connection.execute(OWNERS)
        self.connection = connection
        self.user_model = ""
        self.counts: Counter[str] = Counter()
        self.columns: dict[str, dict[str, Column]] = {}
        self.with_several: set[str] = set()

    def add(self, entry: dict[str, Any]) -> None:
        """Consider one entry."""
        model, fields = entry["model"], entry["fields"]
        if fields.keys() >= USER_MODEL_FIELDS:
            self.user_model = self.user_model or model
            self._add_values(model, {name: value for name, value in fields.items() if name not in KNOWN_FIELDS})
        elif may_be_profile(model, fields) and not is_factor(model, fields) and model not in self.with_several:
            owner = key(fields[OWNER] if OWNER in fields else entry.get("pk"))
            new = self.connection.execute("INSERT OR IGNORE INTO owners VALUES (?, ?)", (model, owner)).rowcount
            if not new:
                self.with_several.add(model)
                del self.counts[model], self.columns[model]
            elif owner != "null":
                self._add_values(model, {name: value for name, value in fields.items() if name != OWNER})

    def _add_values(self, model: str, values: dict[str, Any]) -> None:
        self.counts[model] += 1
        columns = self.columns.setdefault(model, {})
        for name, value in values.items():
            if name not in columns:
                columns[name] = Column(name, model)
            columns[name].add(value)

    def join_columns(self) -> list[Column]:
        """The fields, each name once: the built-in fields first, then those of the user model."""
        joined: dict[str, Column] = {}
        for model in sorted(self.columns, key=lambda model: (model != self.user_model, model)):
            for name, column in self.columns[model].items():
                if name in joined:
                    joined[name].join(column)
                else:
                    joined[name] = column
        built_in = [joined.pop(name) for name in PROFILE if name in joined]
        return [*built_in, *joined.values()]


def propose(file: TextIO, name: str) -> Iterator[str]:
    """The blocks of lines of the draft.

    Args:
        file: the dump, as `from_django` takes it.
        name: of the file.

    Raises:
        UnreadableFile: it is not a dump, it is incomplete, or it has no fields of profiles.
    """
    with closing(sqlite3.connect("", isolation_level=None)) as connection:
        connection.execute("BEGIN")
        models = _Models(connection)
        for _number, entry in read_entries(file):
            models.add(entry)
    declared: list[tuple[Column, Field]] = []
    left_out = []
    for column in models.join_columns():
        field = column.guess()
        reason = _find_reason(column, field) if len(declared) < MAX_FIELDS else _("There are too many fields.")
        if field is None or reason:
            left_out.append(f"{_place(column)}: {reason}")
        else:
            declared.append((column, field))
    if not declared:
        raise UnreadableFile(_("The dump has no fields for profiles besides those of Django's user model."))
    yield _comment(*_introduce(name, models, {field.name for _column, field in declared}))
    for column, field in declared:
        yield _comment(*_describe(column, field)) + toml_writer.write([field])
    if left_out:
        yield _comment(_("Not declared:"), *left_out)


def _find_reason(column: Column, field: Field | None) -> str:
    """Why a field cannot be declared, or an empty text."""
    if not column.count:
        return str(_("No entry has a value."))
    if field is None and column.name in PROFILE:
        return str(_("A value does not fit the built-in field of this name. Rename the field in the dump."))
    if field is None:
        return str(_("No type accepts all values: they are objects, references or very long texts."))
    if column.name not in PROFILE:
        try:
            check_name(column.name)
        except DeclarationError as error:
            return str(error)
    return ""


def _introduce(name: str, models: _Models, declared: set[str]) -> Iterator[str]:
    found = ", ".join(f"{printable(model)} {count:,}" for model, count in models.counts.items())
    yield _("A draft from %(name)s, with entries of %(models)s.", name=printable(name), models=found)
    yield _("The types and lengths are guesses from the values. Check them, and the labels.")
    yield _("The dump does not say who may read and write a field, or which ones are searched, unique or sensitive.")
    absent = [name for name in PROFILE if name not in declared]
    if absent:
        yield _("Built-in fields that the dump does not have are left out: %(names)s.", names=", ".join(absent))


def _describe(column: Column, field: Field) -> Iterator[str]:
    facts = {"place": _place(column), "count": f"{column.count:,}", "rows": f"{column.rows:,}"}
    if column.longest:
        yield _(
            "%(place)s: %(count)s of %(rows)s entries have a value, of at most %(longest)s characters.",
            longest=column.longest,
            **facts,
        )
    else:
        yield _("%(place)s: %(count)s of %(rows)s entries have a value.", **facts)
    if field.kind is Kind.INTEGER:
        yield _("If the numbers are ids of another model, delete this field: the ids mean nothing here.")
    if field.kind in (Kind.CHOICE, Kind.CHOICES):
        yield _("The options are those that occur. The Django model may have more.")
    if field.kind is Kind.FLAG:
        yield _("Django has a value for every user, also for those who never chose one.")


def _place(column: Column) -> str:
    return ", ".join(printable(f"{model}.{column.name}") for model in column.models)


def _comment(*lines: str) -> str:
    return "".join(f"# {line}\n" for line in lines)
