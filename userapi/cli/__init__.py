"""The shell door: `flask users …`, `keys …`, `sessions …`, `mail …` and `doctor`, and what `make run` does."""

from flask import Flask

from . import doctor, keys, mail, sessions, transfer, users


def configure(app: Flask) -> None:
    """Give the `flask` command our groups."""
    for command in (transfer.import_users, transfer.export_users):
        users.group.add_command(command)
    for group in (users.group, keys.group, sessions.group, mail.group):
        app.cli.add_command(group)
    app.cli.add_command(doctor.doctor)
