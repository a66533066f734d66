"""`flask clients …`: the applications that sign their users in here."""

from collections.abc import Callable
from typing import Any

import click
from flask import current_app
from flask_babel import gettext as _
from flask_babel import lazy_gettext, ngettext

from userapi.core.db import db
from userapi.http.responses import dump_indented_json
from userapi.openid import client_checks, clients, queries, scopes, usage_queries
from userapi.openid.client_secrets import TokenAuth
from userapi.openid.models import ClientKind
from userapi.openid.openid_tokens import Algorithm

from . import inputs, tables
from .failures import Group

COLUMNS = (
    lazy_gettext("client_id"),
    lazy_gettext("kind"),
    lazy_gettext("state"),
    lazy_gettext("name"),
    lazy_gettext("last used"),
)

GRANTS = [*(grant.value for grant in client_checks.Grant), *client_checks.SHORT_NAMES]

group = Group("clients", help="Client applications: list, add, change, rotate their secrets, disable and delete them.")

client_id_argument = click.argument("client_id", metavar="CLIENT_ID")
as_json = click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")


def _options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that `add` and `edit` have in common."""
    for option in reversed(
        (
            click.option("--home-page", metavar="URL", help="Where users can read about it."),
            click.option(
                "--redirect-uri",
                "redirect_uris",
                multiple=True,
                metavar="URL",
                help="Where users return to; repeatable.",
            ),
            click.option(
                "--post-logout-redirect-uri",
                "post_logout_redirect_uris",
                multiple=True,
                metavar="URL",
                help="Where users return to after signing out; repeatable.",
            ),
            click.option(
                "--backchannel-logout-uri", metavar="URL", help="What is called when a session of its users ends."
            ),
            click.option(
                "--origin", "origins", multiple=True, metavar="ORIGIN", help="Of pages whose scripts call /oauth/."
            ),
            click.option("--scope", "scopes", metavar="SCOPES", help='Such as "openid profile email".'),
            click.option("--grant", "grants", multiple=True, type=click.Choice(GRANTS), help="Repeatable."),
            click.option(
                "--resource",
                "resources",
                multiple=True,
                metavar="URI",
                help="An API that its tokens are for; repeatable.",
            ),
            click.option(
                "--token-auth", type=click.Choice([each.value for each in TokenAuth]), help="How it authenticates."
            ),
            click.option(
                "--id-token-alg",
                type=click.Choice([each.value for each in Algorithm]),
                help="RS256 for clients that cannot do ES256.",
            ),
            click.option(
                "--first-party/--third-party", "is_first_party", default=None, help="Whether it is the operator's own."
            ),
            click.option(
                "--pkce/--no-pkce", "requires_pkce", default=None, help="Whether it must send a code challenge."
            ),
            click.option(
                "--claims-in-id-token/--no-claims-in-id-token",
                default=None,
                help="Whether ID tokens have the claims of its scopes.",
            ),
            click.option("--par/--no-par", "requires_par", default=None, help="Whether it must push its requests."),
        )
    ):
        command = option(command)
    return command


@group.command("list")
def list_clients() -> None:
    """List all clients by name."""
    tables.show(
        [str(column) for column in COLUMNS],
        (
            (
                row.id,
                row.kind,
                "active" if row.disabled_at is None else "disabled",
                row.name,
                tables.moment(row.last_used_at),
            )
            for row in queries.list_clients()
        ),
    )


@group.command()
@click.argument("name")
@click.option(
    "--kind", type=click.Choice([kind.value for kind in ClientKind]), default=ClientKind.WEB.value, show_default=True
)
@_options
@as_json
def add(name: str, kind: str, as_json: bool, **given: Any) -> None:
    """Add a client, and print its id and secret. The secret cannot be shown again."""
    created = clients.create(kind, name, **_given(given))
    client_id = created.client.id
    db.session.commit()
    _print_credentials(client_id, created.secret, as_json=as_json)


@group.command()
@client_id_argument
@click.option("--name")
@_options
def edit(client_id: str, **given: Any) -> None:
    """Change a client. A list replaces the one before."""
    clients.change(client_id, _given(given))
    db.session.commit()
    click.echo(_("The client was changed."))


@group.command()
@client_id_argument
def show(client_id: str) -> None:
    """Show a client as a JSON object, without its secret."""
    row = clients.find(client_id)
    document = {name: getattr(row, name) for name in ("id", "kind", *clients.CHANGEABLE)}
    document |= {"grants": row.grants.split(), "is_active": row.disabled_at is None, "created_at": row.created_at}
    document |= {"last_used_at": row.last_used_at, "users": usage_queries.count_users(client_id).number}
    _echo_json({"client_id": document.pop("id"), **document})


@group.command("rotate-secret")
@client_id_argument
@click.option(
    "--grace",
    type=inputs.Number(0, clients.MAX_GRACE),
    default=clients.DEFAULT_GRACE,
    show_default=True,
    help="For how many seconds the previous secret is accepted too.",
)
@as_json
def rotate_secret(client_id: str, grace: int, as_json: bool) -> None:
    """Replace the secret of a client, and print the new one. It cannot be shown again."""
    secret = clients.rotate_secret(client_id, grace)
    db.session.commit()
    _print_credentials(client_id, secret, as_json=as_json)


@group.command()
@client_id_argument
def disable(client_id: str) -> None:
    """Reject a client and its tokens from now on."""
    clients.set_active(client_id, is_active=False)
    db.session.commit()
    click.echo(_("The client was disabled."))


@group.command()
@client_id_argument
def enable(client_id: str) -> None:
    """Accept a disabled client and its tokens again."""
    clients.set_active(client_id, is_active=True)
    db.session.commit()
    click.echo(_("The client was enabled."))


@group.command()
@client_id_argument
@click.option("--yes", is_flag=True, help="Do not ask.")
def delete(client_id: str, yes: bool) -> None:
    """Delete a client with its tokens and what users have allowed it."""
    row = clients.find(client_id)
    if not yes:
        count = usage_queries.count_users(client_id).number
        used_by = ngettext("%(num)s user has used it.", "%(num)s users have used it.", count)
        question = _("Delete %(name)s?", name=row.name)
        click.confirm(f"{question} {used_by}", abort=True)
    clients.delete(client_id)
    db.session.commit()
    click.echo(_("The client was deleted."))


def _given(options: dict[str, Any]) -> dict[str, Any]:
    """The options that were given, as columns; a repeatable one that was not given is empty."""
    lists = {name: list(value) if isinstance(value, tuple) else value for name, value in options.items()}
    given: dict[str, Any] = {name: value for name, value in lists.items() if value not in (None, [])}
    if "grants" in given:
        given["grants"] = [client_checks.SHORT_NAMES.get(grant, grant) for grant in given["grants"]]
    if "scopes" in given:
        given["scopes"] = scopes.join(scopes.split(given["scopes"]))
    return given


def _print_credentials(client_id: str, secret: str | None, *, as_json: bool) -> None:
    found = {"client_id": client_id, **({"client_secret": secret} if secret is not None else {})}
    if as_json:
        _echo_json({"issuer": current_app.config["SITE_URL"], **found})
        return
    for name, value in found.items():
        click.echo(f"{name}: {value}")


def _echo_json(document: dict[str, Any]) -> None:
    click.echo(dump_indented_json(document).decode())
