"""`flask keys …`: the keys that sign tokens."""

import click
from flask_babel import gettext as _

from userapi.auth import keys
from userapi.core.db import db
from userapi.core.signing import SigningKey

from .failures import Group

group = Group("keys", help="Signing keys: list, rotate and retire them.")


@group.command("list")
def list_keys() -> None:
    """List the keys, the newest first; the first signs, all verify."""
    for key in keys.list_all():
        if key.needed_until is None:
            click.echo(_("%(kid)s  %(name)s  signs", kid=key.kid, name=key.name))
        else:
            until = f"{key.needed_until:%Y-%m-%d %H:%M} UTC"
            click.echo(
                _("%(kid)s  %(name)s  verifies; needed until %(until)s", kid=key.kid, name=key.name, until=until)
            )


@group.command()
@click.option(
    "--retire-others", is_flag=True, help="In an emergency: refuse all that older keys have signed. Logs everyone out."
)
def rotate(retire_others: bool) -> None:
    """Make a new key, which signs at once; the old ones go on verifying."""
    key = keys.prepare()
    db.session.commit()
    keys.publish(key)
    if retire_others:
        _delete(*keys.others(key))
    click.echo(_("%(kid)s signs from now on.", kid=key.kid))


@group.command(context_settings={"ignore_unknown_options": True})  # one key in 64 has a name that begins with a dash
@click.argument("kid")
def retire(kid: str) -> None:
    """Delete a key: what it has signed is refused within half a minute."""
    _delete(keys.find(kid))
    click.echo(_("%(kid)s is gone.", kid=kid))


def _delete(*gone: SigningKey) -> None:
    keys.retire(*gone)
    db.session.commit()
    keys.remove(*gone)
