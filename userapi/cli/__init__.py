"""The shell door: `flask users …`, `keys …`, `sessions …`, `mail …` and `doctor`, and what `make run` does."""

import click
from flask import Flask
from flask.cli import AppGroup
from werkzeug.utils import import_string

#: Our commands, and where each is.
COMMANDS = {
    "doctor": "userapi.cli.doctor:doctor",
    "keys": "userapi.cli.keys:group",
    "mail": "userapi.cli.mail:group",
    "sessions": "userapi.cli.sessions:group",
    "users": "userapi.cli.users:group",
}


class Commands(AppGroup):
    """Imports a command when the shell asks for it: servers, which never do, are spared what it needs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all, those of libraries included."""
        return sorted({*super().list_commands(ctx), *COMMANDS})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a name; None when there is none."""
        if cmd_name in COMMANDS and cmd_name not in self.commands:
            self.add_command(import_string(COMMANDS[cmd_name]))
        return super().get_command(ctx, cmd_name)


def configure(app: Flask) -> None:
    """Give the `flask` command ours."""
    app.cli = Commands(app.name, commands=app.cli.commands)
