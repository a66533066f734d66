"""Output of commands: expected errors become one line that says why the command failed and what to do."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
import sqlalchemy as sa
from flask.cli import AppGroup
from flask_babel import gettext as _

from userapi.core import database_errors
from userapi.core.problems import Problem
from userapi.security.key_folder import KeyFolderError


def expected() -> tuple[type[Exception], ...]:
    """The errors that a command may encounter and that are not bugs."""
    from alembic.util import CommandError  # the server imports Alembic only if it has to migrate

    return (Problem, KeyFolderError, CommandError, sa.exc.DBAPIError)


class CannotStart(Exception):
    """The server cannot start on this machine; the text says why and what to do."""


class Group(AppGroup):
    """A group of commands that print only their own output; expected errors are one line with exit code 1."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands with complete help sentences."""
        commands = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.get_short_help_str(1000)) for name, command in commands if command])

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with quietly():
                return super().invoke(ctx)
        except expected() as error:
            raise click.ClickException(in_one_line(error)) from error


@contextmanager
def quietly() -> Iterator[None]:
    """Log only warnings: commands report what they do in their output, and the audit log records it."""
    logging.disable(logging.INFO)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


def in_one_line(error: Exception) -> str:
    """Convert an expected error into a message for the terminal."""
    from alembic.util import CommandError  # as above

    if isinstance(error, Problem):
        return _field_errors(error.errors) if error.errors else str(error)
    if isinstance(error, sa.exc.DBAPIError):
        return database_errors.describe_database_error(error)
    if isinstance(error, CommandError):
        advice = _("The database may be newer than this code.") if "locate revision" in str(error) else ""
        return f"DATABASE_URL: {str(error).removeprefix('DATABASE_URL: ')} {advice}".rstrip()
    return str(error)


def _field_errors(errors: dict[str, Any], prefix: str = "") -> str:
    lines = []
    for name, found in errors.items():
        path = prefix + name
        lines.append(_field_errors(found, f"{path}.") if isinstance(found, dict) else f"{path}: {' '.join(found)}")
    return "; ".join(lines)
