"""What an extension adds to the service."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import flask
from sqlalchemy.orm import DeclarativeBase

from userapi.core.db import Base
from userapi.core.environment import ConfigurationError
from userapi.core.hooks import After, ClaimsFunction, Inside, PersonalData, Rule
from userapi.users.field_definition import Field
from userapi.users.permission_names import ACTIONS, KINDS, PermissionKind

from . import attribute_checks, models
from .staff_views import StaffView

#: Part of the names of tables, permissions, commands and URLs.
NAME = re.compile(r"[a-z][a-z0-9]{1,19}")
KIND = re.compile(r"[a-z][a-z0-9_]{0,39}")


@dataclass(frozen=True)
class Extension:
    """What an extension adds to the service.

    Attributes:
        name: of the extension, two to twenty characters of a-z and 0-9.
        fields: of the profiles of users, besides those of the setting PROFILE_FIELDS.
        rules: functions that may deny acts.
        subscribers: functions that are called with events.
        claims: adds claims to access tokens.
        personal_data: what the extension stores about a user, by their id, for the download of their data.
        blueprints: each with the beginning of its URLs. A `userapi.extending.Blueprint` is part of the API; a plain
            one of Flask is not, and its views are public unless they are marked.
        staff: pages of the staff site.
        templates: a folder of templates; one with the name of one of the service replaces it.
        translations: a folder of catalogues, for the texts of the extension.
        commands: of the command `flask`.
        permissions: kinds of records that permissions are about.
        models: the base class of the models, whose metadata `make_metadata` makes.
        migrations: the folder of their migrations.

    Raises:
        ConfigurationError: in one line.
    """

    name: str
    fields: Sequence[Field] = ()
    rules: Sequence[Rule] = ()
    subscribers: Sequence[Inside | After] = ()
    claims: ClaimsFunction | None = None
    personal_data: PersonalData | None = None
    blueprints: Sequence[tuple[flask.Blueprint, str]] = ()
    staff: Sequence[type[StaffView]] = ()
    templates: Path | None = None
    translations: Path | None = None
    commands: Sequence[click.Command] = ()
    permissions: Sequence[PermissionKind] = ()
    models: type[DeclarativeBase] | None = None
    migrations: Path | None = None

    def __post_init__(self) -> None:
        for attribute in attribute_checks.FOLDERS:
            if isinstance(folder := getattr(self, attribute), str):
                object.__setattr__(self, attribute, Path(folder))
        try:
            self._check()
        except ConfigurationError as error:
            raise ConfigurationError(f"extension {self.name}: {error}") from None

    def _check(self) -> None:
        if not isinstance(self.name, str) or not NAME.fullmatch(self.name):
            raise ConfigurationError("The name must be 2 to 20 characters of a-z and 0-9.")
        for table in Base.metadata.tables:
            if table == self.name or table.startswith(f"{self.name}_"):
                raise ConfigurationError(f"The name is that of a table of the service, {table}. Choose another one.")
        attribute_checks.check(self)
        if (self.models is None) != (self.migrations is None):
            raise ConfigurationError("Models need migrations, and migrations need models.")
        for path in self.migrations.glob("*.py") if self.migrations else ():
            if not path.name.startswith((f"{self.name}_", "__")):
                raise ConfigurationError(f"migration {path.name}: Its id must begin with {self.name}_.")
        if self.models is not None:
            models.check_tables(self.name, self.models.metadata)
            models.keep_ids_unique(self.models.metadata)
        for kind in self.permissions:
            if not KIND.fullmatch(kind.name) or kind.name in (ours.name for ours in KINDS):
                raise ConfigurationError(f"permissions: {kind.name}: Not a plain name, or one of the service.")
            if unknown := set(kind.actions) - set(ACTIONS):
                raise ConfigurationError(f"permissions: {kind.name}: {min(unknown)}: Not one of {', '.join(ACTIONS)}.")
