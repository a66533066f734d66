"""`flask retention …`: accounts that are closed or deleted because they are not used."""

from datetime import timedelta

import click
from flask import current_app
from flask_babel import gettext as _
from flask_babel import ngettext

from userapi.core import clock
from userapi.privacy import retention

from .failures import Group

group = Group("retention", help="Unused accounts: count them, and apply INACTIVE_DAYS and UNVERIFIED_DAYS.")


@group.command()
def check() -> None:
    """Count the accounts that `flask retention run` would change now, and change none."""
    from userapi.privacy import retention_queries as queries
    from userapi.privacy.unused_accounts import FIRST_WARNING

    now = clock.now()
    for setting in ("INACTIVE_DAYS", "UNVERIFIED_DAYS"):
        if not current_app.config[setting]:
            click.echo(_("%(setting)s is 0, so nothing is done.", setting=setting))
    if days := current_app.config["INACTIVE_DAYS"]:
        due = queries.count(*queries.is_inactive(now - timedelta(days=days - FIRST_WARNING)))
        click.echo(ngettext("%(num)s owner to be warned.", "%(num)s owners to be warned.", due))
        warned = queries.count_warned()
        click.echo(ngettext("%(num)s owner has been warned.", "%(num)s owners have been warned.", warned))
    if days := current_app.config["UNVERIFIED_DAYS"]:
        due = queries.count(*queries.is_unverified(now - timedelta(days=days)))
        click.echo(ngettext("%(num)s account to be deleted.", "%(num)s accounts to be deleted.", due))


@group.command()
def run() -> None:
    """Delete unconfirmed accounts, warn the owners of inactive ones, and close these. Safe to run at any time."""
    done = retention.run()
    warned, closed, deleted = (done.get(name, 0) for name in ("warned", "closed", "deleted"))
    click.echo(ngettext("%(num)s warning queued.", "%(num)s warnings queued.", warned))
    click.echo(ngettext("%(num)s inactive account closed.", "%(num)s inactive accounts closed.", closed))
    click.echo(ngettext("%(num)s unconfirmed account deleted.", "%(num)s unconfirmed accounts deleted.", deleted))
