"""`flask identities list | unlink`: the accounts of other services that sign in to a user's account."""

import click
from flask_babel import gettext as _

from userapi.auth import identity_changes
from userapi.core.db import db
from userapi.federation import identities

from . import inputs, tables
from .failures import Group

group = Group("identities", help="Identities: accounts of other services that sign in to a user's account.")

email_argument = click.argument("email", type=inputs.Text("email", 1))


@group.command("list")
@email_argument
def list_identities(email: str) -> None:
    """List the accounts of other services that sign in to the account EMAIL."""
    columns = (_("ID"), _("provider"), _("issuer"), _("email"), _("added"), _("last used"))
    rows = (
        (
            str(row.id),
            row.provider,
            row.issuer,
            row.email or "",
            tables.moment(row.created_at),
            tables.moment(row.last_used_at),
        )
        for row in identities.list_of(inputs.user(email).id)
    )
    tables.show(columns, rows)


@group.command()
@email_argument
@click.argument("identity_id", metavar="ID", type=inputs.Number(1))
@inputs.yes_option
def unlink(email: str, identity_id: int, yes: bool) -> None:
    """Unlink the account ID from the account EMAIL, and end the sessions that began with it. The user gets an email."""
    known = inputs.user(email).email
    question = _(
        "Unlink account %(id)s from %(email)s, and end the sessions that began with it?", id=identity_id, email=known
    )
    inputs.confirm(question, yes=yes)
    db.session.rollback()
    name = identity_changes.unlink_from(inputs.held_user(email), identity_id)
    db.session.commit()
    click.echo(_("%(provider)s no longer signs in to %(email)s.", provider=name, email=known))
