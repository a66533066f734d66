"""`flask sessions …`: end sessions, and clear away those that are over."""

from datetime import timedelta

import click

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
    click.echo(f"Every session of {user.email} has ended.")


@group.command()
@click.option("--days", type=click.IntRange(0, 3650), default=7, show_default=True, help="How long they stay.")
def prune(days: int) -> None:
    """Delete sessions and mailed links that have been over for some days. May run at any time, as often as you like."""
    pruned = pruning.prune(clock.now() - timedelta(days=days))
    click.echo(f"{pruned.sessions} sessions deleted.")
    click.echo(f"{pruned.links} mailed links deleted.")
