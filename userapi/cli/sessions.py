"""`flask sessions …`: end sessions, and clear away those that are over."""

from datetime import timedelta

import click
from flask_babel import gettext as _
from flask_babel import ngettext

from userapi.auth import pruning, sessions
from userapi.core import clock
from userapi.core.db import db

from . import inputs
from .failures import Group

group = Group("sessions", help="Sessions: end or clear them away.")


@group.command()
@click.argument("email", type=inputs.Text("email", 1))
def end(email: str) -> None:
    """End every session of a user, now."""
    user = inputs.held_user(email)
    sessions.end_all(user)
    db.session.commit()
    click.echo(_("Every session of %(email)s has ended.", email=user.email))


@group.command("end-all")
@click.option("--yes", is_flag=True, help="Do not ask.")
def end_all(yes: bool) -> None:
    """End every session of every user: after a backup was restored, or to be sure."""
    if not yes:
        click.confirm(_("Everybody will have to sign in again. Go on?"), abort=True)
    users = sessions.end_of_everybody()
    db.session.commit()
    click.echo(ngettext("Every session of %(num)s user has ended.", "Every session of %(num)s users has ended.", users))


@group.command()
@click.option("--days", type=click.IntRange(0, 3650), default=7, show_default=True, help="How long they stay.")
def prune(days: int) -> None:
    """Delete sessions and mailed links that have been over for some days. May run at any time, as often as you like."""
    pruned = pruning.prune(clock.now() - timedelta(days=days))
    click.echo(ngettext("%(num)s session deleted.", "%(num)s sessions deleted.", pruned.sessions))
    click.echo(ngettext("%(num)s mailed link deleted.", "%(num)s mailed links deleted.", pruned.links))
