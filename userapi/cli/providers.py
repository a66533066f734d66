"""`flask providers list | check`: the services that users sign in with."""

import click
from flask_babel import gettext as _
from flask_babel import ngettext

from userapi.federation import providers
from userapi.health.findings import Level

from . import doctor, tables
from .doctor.providers import check_provider
from .failures import Group

group = Group("providers", help="Providers: the services that users sign in with.")


@group.command("list")
def list_providers() -> None:
    """List the providers of the settings, with the redirect URI to register at each."""
    columns = (_("ID"), _("name"), _("issuer"), _("redirect URI"))
    rows = ((each.id, each.name, each.issuer, providers.callback_url(each)) for each in providers.configured())
    tables.show(columns, rows)


@group.command()
@click.argument("provider_id", metavar="[ID]", required=False)
def check(provider_id: str | None) -> None:
    """Check the connection to the provider ID, or to each: metadata, clock, client ID, secret and redirect URI.

    The exit code is 1 if something does not work.
    """
    chosen = [providers.find(provider_id)] if provider_id else providers.configured()
    if not chosen:
        raise click.ClickException(_("There are no providers. The setting PROVIDERS names them."))
    errors = 0
    for provider in chosen:
        for finding in check_provider(provider):
            errors += finding.level is Level.ERROR
            click.echo(doctor.format_line(finding))
    if errors:
        raise click.ClickException(ngettext("%(num)s error.", "%(num)s errors.", errors))
