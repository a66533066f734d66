"""The `userapi` command of an installed package: `userapi run` starts the service, the others are those of `flask`.

It does not search for a `wsgi.py`, and imports nothing from the working directory.
"""

import click
from flask import Flask
from flask.cli import FlaskGroup
from werkzeug.utils import import_string

from userapi import VERSION

from . import APPLICATION


def _load() -> Flask:
    app: Flask = import_string(APPLICATION)
    return app


program = FlaskGroup(
    name="userapi",
    help="""Manage the user service: users, groups, sessions, emails, signing keys and the audit log.

    Run `userapi COMMAND --help` for details. Where the documentation says `flask`, use `userapi`.
    """,
    create_app=_load,
    add_default_commands=False,
    add_version_option=False,
    load_dotenv=False,
    set_debug_flag=False,
)
program.params.clear()  # Flask's options that choose an application, its environment and its debugger
click.version_option(VERSION, prog_name="userapi")(program)


@click.command("run")
def run() -> None:
    """Create what is missing and start the service, like `make run` in a checkout."""
    from .run import main  # the other commands do not need the server

    main()


program.add_command(run)
