"""`flask service-accounts create | list | delete`: accounts of programs, which use the API with API keys."""

import click
from flask_babel import gettext as _

from userapi.core.db import db
from userapi.users import service_accounts

from . import inputs, tables
from .failures import Group

group = Group("service-accounts", help="Service accounts: accounts of programs, which use the API with API keys.")

name_argument = click.argument("name", metavar="NAME")


@group.command("list")
def list_accounts() -> None:
    """List the service accounts."""
    columns = (_("id"), _("name"), _("email"), _("active"), _("role"), _("created"))
    rows = (
        (
            str(row.id),
            service_accounts.name_of(row),
            row.email,
            _("yes") if row.is_active else _("no"),
            _("staff") if row.is_staff else "",
            tables.moment(row.date_joined),
        )
        for row in service_accounts.list_accounts()
    )
    tables.show(columns, rows)


@group.command()
@name_argument
def create(name: str) -> None:
    """Create the service account NAME.

    Other commands for users, such as `flask groups add`, know it by its email, which never gets an email.
    """
    user = service_accounts.create(name)
    db.session.commit()
    click.echo(_("Created the service account %(name)s with the email %(email)s.", name=name, email=user.email))


@group.command()
@name_argument
@inputs.yes_option
def delete(name: str, yes: bool) -> None:
    """Delete the service account NAME. Its API keys stop working immediately."""
    user_id = service_accounts.find_id(name)
    if user_id is None:
        raise click.ClickException(
            _("There is no service account %(name)s. To see all, run `flask service-accounts list`.", name=name)
        )
    question = _("Delete the service account %(name)s? Programs that use its API keys stop working.", name=name)
    inputs.confirm(question, yes=yes)
    db.session.rollback()
    service_accounts.delete(user_id)
    db.session.commit()
    click.echo(_("Deleted the service account %(name)s.", name=name))
