"""`flask users withdraw-restore` and `send-restore`: the links that restore closed accounts."""

import click
from flask.cli import with_appcontext
from flask_babel import gettext as _

from userapi.core.db import db
from userapi.privacy import restore_links

from . import inputs

email_argument = click.argument("email", type=inputs.Text("email", 1))


@click.command("withdraw-restore")
@email_argument
@click.option("--address", help="Only the links that were sent to this email address.")
@with_appcontext
def withdraw_restore(email: str, address: str | None) -> None:
    """Make the links invalid that restore a closed account; it stays closed, and is deleted at its time."""
    withdrawn = restore_links.withdraw(inputs.held_user(email), address)
    db.session.commit()
    _require(withdrawn, _("There is no valid link that restores this account."))
    for each in withdrawn:
        click.echo(_("The link to %(email)s was withdrawn.", email=each))


@click.command("send-restore")
@email_argument
@click.option("--address", help="Only to this email address.")
@with_appcontext
def send_restore(email: str, address: str | None) -> None:
    """Send the links that restore a closed account again, also after they were withdrawn."""
    sent = restore_links.resend(inputs.held_user(email), address)
    db.session.commit()
    _require(sent, _("This account cannot be restored with a link from there."))
    for each in sent:
        click.echo(_("A link was sent to %(email)s.", email=each))


def _require(found: list[str], problem: str) -> None:
    if not found:
        raise click.ClickException(problem)


COMMANDS = (withdraw_restore, send_restore)
