"""The shell door: `flask users …`, `flask keys …`, `flask sessions …`, and what `make run` does."""

from flask import Flask

from . import keys, sessions, users


def configure(app: Flask) -> None:
    """Give the `flask` command our groups."""
    for group in (users.group, keys.group, sessions.group):
        app.cli.add_command(group)
