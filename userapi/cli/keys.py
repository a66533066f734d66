"""`flask keys …`: the signing keys of tokens."""

import click
from flask_babel import gettext as _

from userapi.auth import keys
from userapi.auth.keys import Ring
from userapi.core.db import db
from userapi.security.signing_keys import TokenKey

from . import inputs
from .failures import Group

group = Group("keys", help="Signing keys: list, rotate and retire keys.")


@group.command("list")
def list_keys() -> None:
    """List the keys, newest first, then those for RS256. The first of each signs new tokens, all verify tokens."""
    for key in keys.list_keys():
        if key.needed_until is None:
            click.echo(_("%(kid)s  %(name)s  signs", kid=key.kid, name=key.name))
        else:
            until = f"{key.needed_until:%Y-%m-%d %H:%M} UTC"
            click.echo(
                _("%(kid)s  %(name)s  verifies; needed until %(until)s", kid=key.kid, name=key.name, until=until)
            )


@group.command()
@click.option("--rsa", "is_rsa", is_flag=True, help="The key that signs ID tokens of clients that use RS256.")
@click.option(
    "--retire-others",
    is_flag=True,
    help="Also delete all older keys, in an emergency. Every user has to sign in again, except with --rsa.",
)
@inputs.yes_option
def rotate(is_rsa: bool, retire_others: bool, yes: bool) -> None:
    """Create a key that signs new tokens from now on. Old keys still verify tokens."""
    if retire_others:
        rejected = _("ID tokens that older keys signed will be rejected. Continue?")
        inputs.confirm(rejected if is_rsa else _("Every user will have to sign in again. Continue?"), yes=yes)
    ring = keys.get_ring(is_rsa=is_rsa)
    key = keys.prepare_key(ring)
    db.session.commit()
    ring.publish(key)
    if retire_others:
        _delete(ring, *keys.list_other_keys(ring, key))
    click.echo(_("%(kid)s signs new tokens from now on.", kid=key.kid))


@group.command(context_settings={"ignore_unknown_options": True})  # one key in 64 has an id that begins with a dash
@click.argument("kid")
@inputs.yes_option
def retire(kid: str, yes: bool) -> None:
    """Delete a key. Tokens it has signed are rejected within 30 seconds."""
    ring, key = keys.find_verifying_key(kid)
    inputs.confirm(_("Tokens signed with %(kid)s will be rejected. Continue?", kid=kid), yes=yes)
    _delete(ring, key)
    click.echo(_("Deleted the key %(kid)s.", kid=kid))


def _delete(ring: Ring, *gone: TokenKey) -> None:
    keys.record_retirement(*gone)
    db.session.commit()
    keys.delete_keys(ring, *gone)
