"""`flask sessions …`: end sessions, and clear away those that are over."""

from collections.abc import Callable
from datetime import datetime, timedelta

import click

from userapi.auth import queries, sessions
from userapi.core import clock
from userapi.core.db import db
from userapi.users import queries as user_queries

from . import inputs
from .failures import Group

#: Rows deleted in one transaction, so that nobody waits long for them.
BATCH = 1000

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
    before = clock.now() - timedelta(days=days)
    click.echo(f"{_in_batches(queries.prune, before)} sessions deleted.")
    click.echo(f"{_in_batches(user_queries.prune_tokens, before)} mailed links deleted.")


def _in_batches(prune_some: Callable[[datetime, int], int], before: datetime) -> int:
    total = 0
    while gone := prune_some(before, BATCH):
        db.session.commit()
        total += gone
    return total
