"""The shell door: `flask users …`, `flask keys …`, `flask sessions …`, `flask mail …`, and what `make run` does."""

from flask import Flask

from . import keys, mail, sessions, users


def configure(app: Flask) -> None:
    """Give the `flask` command our groups."""
    for group in (users.group, keys.group, sessions.group, mail.group):
        app.cli.add_command(group)
