"""The commands: `flask users …`, `groups …`, `sessions …`, `audit …` and others, and `make run`."""

import sys

import click
from flask import Flask
from flask.cli import AppGroup
from flask.cli import cli as flask_command
from werkzeug.utils import import_string

#: The application, loaded by name: it is above the command line, and its settings are read when it is loaded.
APPLICATION = "userapi.serving:app"

#: Our commands and their modules.
COMMANDS = {
    "api-keys": "userapi.cli.api_keys:group",
    "audit": "userapi.cli.audit:group",
    "clients": "userapi.cli.clients:group",
    "data-keys": "userapi.cli.data_keys:group",
    "doctor": "userapi.cli.doctor:doctor",
    "fields": "userapi.cli.fields:group",
    "groups": "userapi.cli.groups:group",
    "identities": "userapi.cli.identities:group",
    "invitations": "userapi.cli.invitations:group",
    "keys": "userapi.cli.keys:group",
    "mail": "userapi.cli.mail:group",
    "notices": "userapi.cli.notices:group",
    "providers": "userapi.cli.providers:group",
    "retention": "userapi.cli.retention:group",
    "service-accounts": "userapi.cli.service_accounts:group",
    "sessions": "userapi.cli.sessions:group",
    "templates": "userapi.cli.templates:group",
    "users": "userapi.cli.users:group",
    "webhooks": "userapi.cli.webhooks:group",
}

#: The commands of Flask-Migrate.
FROM_LIBRARIES = {"db": "flask_migrate.cli:db"}

#: The first lines of `flask --help`.
INTRODUCTION = """\
Manage the user service: users, groups, sessions, emails, signing keys and the audit log.

Run `flask COMMAND --help` for details; docs/cli.md describes all commands. Run them in the folder of the service, or
set FLASK_APP to the path of its wsgi.py. To start the service, run `make run`.
"""


class Commands(AppGroup):
    """Imports a command only when it is used, so that servers do not load what only commands need."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all commands, including those of libraries.

        Flask loads the application only after it has written its own help text, so the help is started again.
        """
        if ctx.command is flask_command and flask_command.help != INTRODUCTION and not ctx.resilient_parsing:
            flask_command.help = INTRODUCTION
            click.echo(ctx.get_help())
            sys.exit(0 if sys.argv[1:] else 2)
        return sorted({*super().list_commands(ctx), *COMMANDS, *FROM_LIBRARIES})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command with a name, or None."""
        path = COMMANDS.get(cmd_name) or FROM_LIBRARIES.get(cmd_name)
        if path and cmd_name not in self.commands:
            self.add_command(import_string(path))
        return super().get_command(ctx, cmd_name)


def configure(app: Flask) -> None:
    """Add our commands to the `flask` command."""
    app.cli = Commands(app.name, commands=app.cli.commands)
