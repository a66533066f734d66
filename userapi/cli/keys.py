"""`flask keys …`: the signing keys of tokens."""

import click
from flask_babel import gettext as _

from userapi.auth import keys
from userapi.core.db import db
from userapi.security.signing_keys import SigningKey

from . import inputs
from .failures import Group

group = Group("keys", help="Signing keys: list, rotate and retire keys.")


@group.command("list")
def list_keys() -> None:
    """List the keys, newest first. The first one signs new tokens, all of them verify tokens."""
    for key in keys.list_keys():
        if key.needed_until is None:
            click.echo(_("%(kid)s  %(name)s  signs", kid=key.kid, name=key.name))
        else:
            until = f"{key.needed_until:%Y-%m-%d %H:%M} UTC"
            click.echo(
                _("%(kid)s  %(name)s  verifies; needed until %(until)s", kid=key.kid, name=key.name, until=until)
            )


@group.command()
@click.option(
    "--retire-others",
    is_flag=True,
    help="Also delete all older keys, in an emergency. Every user has to sign in again.",
)
@inputs.yes_option
def rotate(retire_others: bool, yes: bool) -> None:
    """Create a key that signs new tokens from now on. Old keys still verify tokens."""
    if retire_others:
        inputs.confirm(_("Every user will have to sign in again. Continue?"), yes=yes)
    key = keys.prepare_key()
    db.session.commit()
    keys.publish_key(key)
    if retire_others:
        _delete(*keys.list_other_keys(key))
    click.echo(_("%(kid)s signs new tokens from now on.", kid=key.kid))


@group.command(context_settings={"ignore_unknown_options": True})  # one key in 64 has an id that begins with a dash
@click.argument("kid")
@inputs.yes_option
def retire(kid: str, yes: bool) -> None:
    """Delete a key. Tokens it has signed are rejected within 30 seconds."""
    key = keys.find_verifying_key(kid)
    inputs.confirm(_("Tokens signed with %(kid)s will be rejected. Continue?", kid=kid), yes=yes)
    _delete(key)
    click.echo(_("Deleted the key %(kid)s.", kid=kid))


def _delete(*gone: SigningKey) -> None:
    keys.record_retirement(*gone)
    db.session.commit()
    keys.delete_keys(*gone)
