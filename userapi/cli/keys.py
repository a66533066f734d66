"""`flask keys …`: the keys that sign tokens."""

import click

from userapi.auth import keys
from userapi.core.db import db

from .failures import Group

group = Group("keys", help="Signing keys: list, rotate and retire them.")


@group.command("list")
def list_keys() -> None:
    """List the keys, the newest first; the first signs, all verify."""
    for key in keys.list_all():
        if key.needed_until is None:
            click.echo(f"{key.kid}  {key.name}  signs")
        else:
            click.echo(f"{key.kid}  {key.name}  verifies; needed until {key.needed_until:%Y-%m-%d %H:%M} UTC")


@group.command()
@click.option(
    "--retire-others", is_flag=True, help="In an emergency: refuse all that older keys have signed. Logs everyone out."
)
def rotate(retire_others: bool) -> None:
    """Make a new key, which signs at once; the old ones go on verifying."""
    key = keys.rotate(retire_others=retire_others)
    db.session.commit()
    click.echo(f"{key.kid} signs from now on.")


@group.command(context_settings={"ignore_unknown_options": True})  # one key in 64 has a name that begins with a dash
@click.argument("kid")
def retire(kid: str) -> None:
    """Delete a key: what it has signed is refused within half a minute."""
    keys.retire(kid)
    db.session.commit()
    click.echo(f"{kid} is gone.")
