"""`flask data-keys …`: the keys that seal secrets in the database."""

import click
from flask_babel import gettext as _
from flask_babel import ngettext

from userapi.core.db import db
from userapi.mfa import data_key_rotation
from userapi.security import data_keys

from . import inputs
from .failures import Group

group = Group("data-keys", help="Keys that seal secrets in the database: list, rotate and retire keys.")


@group.command("list")
def list_keys() -> None:
    """List the keys, newest first. The first one seals new secrets, all of them open secrets."""
    for number, key in enumerate(data_keys.get_data_keys().all()):
        sentence = _("%(kid)s  %(name)s  opens") if number else _("%(kid)s  %(name)s  seals")
        click.echo(sentence % {"kid": key.kid, "name": key.name})


@group.command()
@click.option("--resume", is_flag=True, help="Create no key; finish a rotation that was interrupted.")
def rotate(resume: bool) -> None:
    """Create a key that seals secrets from now on, and seal all secrets with it. Old keys still open secrets."""
    if not resume:
        key = data_key_rotation.prepare_key()
        db.session.commit()
        data_key_rotation.publish_key(key)
    resealed, failed = data_key_rotation.reseal_all(lambda seen: click.echo(f"… {seen}", err=True))
    click.echo(_("%(kid)s seals new secrets from now on.", kid=data_keys.get_data_keys().newest().kid))
    if resealed:
        click.echo(ngettext("Sealed %(num)s secret again.", "Sealed %(num)s secrets again.", resealed))
    if failed:
        raise click.ClickException(
            ngettext("%(num)s secret could not be opened.", "%(num)s secrets could not be opened.", failed)
        )


@group.command()
@click.argument("kid")
@inputs.yes_option
def retire(kid: str, yes: bool) -> None:
    """Delete a key that no secret needs any more."""
    key = data_key_rotation.find_retirable_key(kid)
    inputs.confirm(_("Backups made before today may need %(kid)s. Continue?", kid=kid), yes=yes)
    data_key_rotation.record_retirement(key)
    db.session.commit()
    data_key_rotation.delete_key(key)
    click.echo(_("Deleted the key %(kid)s.", kid=kid))
