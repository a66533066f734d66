"""`flask fields …`: the declaration of profile fields, and the values that are stored."""

import csv
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from flask import current_app
from flask_babel import gettext as _
from flask_babel import ngettext
from marshmallow import ValidationError

from userapi.core.db import db
from userapi.core.i18n import translate_messages
from userapi.transfer.csv_cells import unescape_formula
from userapi.users import email_address, field_reindex
from userapi.users.declaration import get_declaration
from userapi.users.field_definition import Field
from userapi.users.field_types import input_field
from userapi.users.fields import PROFILE_FIELDS
from userapi.users.own_fields import checking, dropping, filling, queries, report_view, toml_file, toml_writer
from userapi.users.own_fields.filling import Given
from userapi.users.own_fields.names import DeclarationError, check_name

from . import field_proposals, inputs, outputs, tables
from .failures import Group

group = Group("fields", help="Fields of profiles: show and check the declaration, fill, index and drop fields.")
group.add_command(field_proposals.propose)

#: More digits than an id has.
MAX_DIGITS = 19

#: Invalid lines of a file that are shown.
MAX_SHOWN = 20


class ValueFile:
    """A CSV file with a value of a field for each user.

    Args:
        field: the field.
        path: the file.

    Raises:
        click.ClickException: it lacks a column.
    """

    def __init__(self, field: Field, path: str) -> None:
        self.problems: list[str] = []
        self._field, self._path = field, path
        self._input = input_field(field)
        with self._open() as reader:
            names = reader.fieldnames or ()
        self._user_column = next((name for name in ("id", "email") if name in names), "")
        self._value_column = next((name for name in (f"profile.{field.name}", field.name) if name in names), "")
        if not self._user_column or not self._value_column:
            raise click.ClickException(
                _("%(file)s needs a column id or email, and a column %(name)s.", file=path, name=field.name)
            )

    def read_batches(self) -> Iterator[list[Given]]:
        """The values by user. Lines that are not valid are left out and added to `problems`."""
        with self._open() as reader:
            for rows in iter(lambda: list(itertools.islice(self._read_rows(reader), queries.BATCH_SIZE)), []):
                ids = queries.find_user_ids(
                    "id" if self._user_column == "id" else "email_key", {row[1] for row in rows}
                )
                self.problems += [
                    str(_("%(place)s: There is no such user.", place=place))
                    for place, key, _value in rows
                    if key not in ids
                ]
                yield [Given(place, ids[key], value) for place, key, value in rows if key in ids]

    def _read_rows(self, reader: Any) -> Iterator[tuple[str, Any, Any]]:
        for row in reader:
            place = str(_("line %(number)s", number=reader.line_num))
            text = unescape_formula(row[self._value_column] or "")
            if not text:
                continue
            try:
                yield place, self._parse_user(row[self._user_column] or ""), self._input.deserialize(text)
            except ValidationError as error:
                self.problems.append(f"{place}: {' '.join(translate_messages(error.messages))}")

    def _parse_user(self, text: str) -> Any:
        if self._user_column == "email":
            return email_address.key_or_none(unescape_formula(text))
        return int(text) if text.isascii() and text.isdigit() and len(text) < MAX_DIGITS else None

    @contextmanager
    def _open(self) -> Iterator[Any]:
        try:
            with Path(self._path).open(encoding="utf-8-sig", newline="") as stream:
                yield csv.DictReader(stream)
        except (UnicodeDecodeError, csv.Error) as error:
            raise click.ClickException(
                _("%(file)s is not a CSV file in UTF-8: %(reason)s.", file=self._path, reason=error)
            ) from error


@group.command()
def show() -> None:
    """Print the present declaration as TOML, to start from or to compare."""
    path = current_app.config["PROFILE_FIELDS"]  # without the fields of extensions
    click.echo(toml_writer.write(toml_file.read(path) if path else PROFILE_FIELDS), nl=False)


@group.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False), required=False)
def check(file: str | None) -> None:
    """Count missing, invalid and undeclared values, by field.

    With FILE, compare the values with the declaration in it, before you use it. Nothing is written or locked. The exit
    code is 1 if values are invalid.
    """
    try:
        fields = toml_file.read(file) if file else get_declaration().fields
    except DeclarationError as error:
        raise click.ClickException(f"{file}: {error}") from error
    with outputs.progress_bar() as bar:
        task = bar.add_task(_("Profiles"), total=None)
        found = checking.check_values(fields, lambda seen: bar.update(task, completed=seen))
    rows = [
        (name, str(counts.valid), str(counts.missing), str(counts.invalid)) for name, counts in found.fields.items()
    ]
    tables.show((_("field"), _("valid"), _("missing"), _("invalid")), rows)
    for name, count in found.undeclared.items():
        text = ngettext(
            "%(name)s is not declared; %(num)s profile has a value.",
            "%(name)s is not declared; %(num)s profiles have a value.",
            count,
            name=name,
        )
        click.echo(text)
    invalid = sum(counts.invalid for counts in found.fields.values())
    if invalid:
        raise click.ClickException(ngettext("%(num)s value is invalid.", "%(num)s values are invalid.", invalid))


@group.command()
@click.argument("name")
@click.option("--value", help="The value for every user who has none, as in a form.")
@click.option(
    "--from",
    "file",
    type=click.Path(exists=True, dir_okay=False),
    help="A CSV file with the column id or email, and a column of the name of the field.",
)
def fill(name: str, value: str | None, file: str | None) -> None:
    """Give the field NAME a value where there is none. Existing values and users without a profile are not changed.

    Each batch is committed: to continue after an interruption, run the command again.
    """
    field = _declared_field(name)
    if (value is None) == (file is None):
        raise click.UsageError(_("Use either --value or --from."))
    if value is not None and field.is_unique:
        raise click.UsageError(_("The values of %(name)s are unique, so use --from.", name=name))
    source = None if file is None else ValueFile(field, file)
    batches = filling.give_to_all(field, _parse(field, str(value))) if source is None else source.read_batches()
    progress = filling.start(field)
    db.session.commit()
    with outputs.progress_bar() as bar:
        task = bar.add_task(_("Users"), total=None)
        for batch in batches:
            filling.fill_batch(field, batch, progress)
            db.session.commit()
            bar.update(task, advance=len(batch))
    problems = [] if source is None else source.problems
    problems += progress.rejected
    click.echo(ngettext("Filled %(num)s profile.", "Filled %(num)s profiles.", progress.filled))
    if problems:
        click.echo("\n".join(problems[:MAX_SHOWN]), err=True)
        raise click.ClickException(
            ngettext("%(num)s value was rejected.", "%(num)s values were rejected.", len(problems))
        )


@group.command()
@click.argument("name")
@inputs.yes_option
def drop(name: str, yes: bool) -> None:
    """Delete all values of the field NAME, which is no longer declared, also from the audit log."""
    try:
        check_name(name)
    except DeclarationError as error:
        raise click.ClickException(str(error)) from error
    if name in get_declaration().by_name:
        raise click.ClickException(
            _("%(name)s is declared. Remove it from the declaration and restart every server first.", name=name)
        )
    inputs.confirm(_("Delete all values of %(name)s, also from the audit log?", name=name), yes=yes)
    event_id = dropping.start(name)
    db.session.commit()
    users = 0
    with outputs.progress_bar() as bar:
        task = bar.add_task(_("Users"), total=None)
        for users in dropping.drop_values(name, event_id):
            db.session.commit()
            bar.update(task, completed=users)
        task = bar.add_task(_("Events"), total=None)
        for events in dropping.drop_history(name):
            db.session.commit()
            bar.update(task, completed=events)
    click.echo(ngettext("Deleted the value of %(num)s user.", "Deleted the values of %(num)s users.", users))


@group.command()
@click.argument("name")
def reindex(name: str) -> None:
    """Write the search keys of the field NAME, after it became searchable or unique.

    Run it when every server has the declaration. Servers can run at the same time; to continue after an interruption,
    run it again. The exit code is 1 if users have the same value of a unique field.
    """
    field = _declared_field(name)
    if not field.is_keyed:
        raise click.ClickException(
            _("%(name)s has no search keys, because its declaration has neither find nor unique.", name=name)
        )
    with outputs.progress_bar() as bar:
        task = bar.add_task(_("Profiles"), total=None)
        done = field_reindex.reindex(field, lambda seen: bar.update(task, completed=seen))
    click.echo(
        ngettext("Wrote the search keys of %(num)s user.", "Wrote the search keys of %(num)s users.", done.written)
    )
    for user_id, owner_id in itertools.islice(done.duplicates.items(), MAX_SHOWN):
        click.echo(_("User %(id)s has the same value as user %(owner)s.", id=user_id, owner=owner_id), err=True)
    if done.duplicates:
        raise click.ClickException(
            ngettext(
                "%(num)s user has a value that another user has. Change one of the two, and run this command again.",
                "%(num)s users have a value that another user has. Change these values, and run this command again.",
                len(done.duplicates),
            )
        )


@group.command("sql")
def print_view() -> None:
    """Print the SQL of a view with one typed column for each field, for reports. Sensitive fields are left out."""
    click.echo(report_view.write_view(get_declaration().fields, db.engine.dialect.name), nl=False)


def _declared_field(name: str) -> Field:
    found = get_declaration().by_name.get(name)
    if found is None:
        raise click.ClickException(
            _("%(name)s is not declared. To see all fields, run `flask fields check`.", name=name)
        )
    return found


def _parse(field: Field, text: str) -> Any:
    try:
        value = input_field(field).deserialize(text)
    except ValidationError as error:
        raise click.UsageError(f"--value: {' '.join(translate_messages(error.messages))}") from error
    if value == "":
        raise click.UsageError(_("--value must not be empty."))
    return value
