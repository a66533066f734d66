"""The commands of the service as a group of another application's commands."""

from typing import Any

import click
from flask import Flask
from flask.cli import ScriptInfo

from . import Commands


class MountedCommands(click.Group):
    """The commands of the service as `flask userapi …` of the other application."""

    def __init__(self, app: Flask) -> None:
        super().__init__("userapi", help="Manage the accounts: the commands of the user service, and its migrations.")
        self._app = app
        self._commands = Commands(commands=app.cli.commands)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all commands."""
        return self._commands.list_commands(ctx)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command with a name, or None."""
        return self._commands.get_command(ctx, cmd_name)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command in the application of the service."""
        ctx.obj = ScriptInfo(create_app=lambda: self._app)
        with self._app.app_context():
            return super().invoke(ctx)
