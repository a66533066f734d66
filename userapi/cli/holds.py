"""`flask users hold` and `release`: legal holds."""

import click
from flask.cli import with_appcontext
from flask_babel import gettext as _

from userapi.core.db import db
from userapi.privacy import holds

from . import inputs

email_argument = click.argument("email", type=inputs.Text("email", 1))


@click.command("hold")
@email_argument
@click.option("--reason", required=True, help="Why; staff and the audit log show it, the user does not see it.")
@with_appcontext
def hold_user(email: str, reason: str) -> None:
    """Keep a user from being deleted, until `flask users release`."""
    user = inputs.held_user(email)
    holds.hold(user, reason)
    db.session.commit()
    click.echo(_("%(email)s is under a legal hold and cannot be deleted.", email=user.email))


@click.command("release")
@email_argument
@with_appcontext
def release_user(email: str) -> None:
    """End the legal hold on a user. If the account was closed and its time has come, it is deleted in the next hour."""
    user = inputs.held_user(email)
    if not holds.release(user):
        raise click.ClickException(_("%(email)s is not under a legal hold.", email=user.email))
    db.session.commit()
    click.echo(_("%(email)s can be deleted again.", email=user.email))


COMMANDS = (hold_user, release_user)
