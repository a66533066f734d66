"""`flask api-keys create | list | rotate | revoke`: the API keys of users and service accounts."""

import uuid
from datetime import timedelta
from typing import Any

import click
from flask_babel import gettext as _
from flask_babel import ngettext
from marshmallow import ValidationError

from userapi.auth import api_key_warnings, api_keys
from userapi.auth.api_key_responses import read_new
from userapi.auth.api_key_schemas import DEFAULT_OVERLAP, MAX_OVERLAP, NewApiKeySchema
from userapi.core.db import db
from userapi.core.i18n import translate_messages
from userapi.core.problems import ValidationFailed
from userapi.core.scopes import Scope

from . import inputs, tables
from .failures import Group

group = Group("api-keys", help="API keys: credentials of programs, which act for a user or a service account.")

email_argument = click.argument("email", type=inputs.Text("email", 1))
key_id_argument = click.argument("key_id", metavar="ID", type=click.UUID)


@group.command("list")
@email_argument
def list_keys(email: str) -> None:
    """List the API keys of the account EMAIL that have not ended, the newest first."""
    columns = (_("ID"), _("name"), _("ends with"), _("scopes"), _("expires"), _("last used"), _("IP address"))
    rows = (
        (
            str(row.id),
            row.name,
            row.last4,
            row.scopes,
            tables.moment(row.expires_at),
            tables.moment(row.last_used_at),
            row.last_address or "",
        )
        for row in api_keys.list_keys(inputs.user(email).id)
    )
    tables.show(columns, rows)


@group.command()
@email_argument
@click.option("--name", required=True, help="What the key is for.")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice([scope.value for scope in Scope]),
    multiple=True,
    required=True,
    help="What the key can be used for. Repeat for more.",
)
@click.option("--days", type=inputs.Number(1, 3660), help="How long the key is valid. [default: 90]")
@click.option("--address", "addresses", multiple=True, metavar="NETWORK", help="Where it can be used from.")
def create(email: str, name: str, scopes: tuple[str, ...], days: int | None, addresses: tuple[str, ...]) -> None:
    """Create an API key of the account EMAIL, and print it. It is never shown again.

    EMAIL can be that of a service account, such as nightly-report@service.invalid.
    """
    sent: dict[str, Any] = {"name": name, "scopes": list(scopes), "addresses": list(addresses)}
    sent |= {} if days is None else {"expires_in": days * 86400}
    try:
        new = read_new(NewApiKeySchema().load(sent))
    except ValidationError as error:
        raise ValidationFailed(errors=translate_messages(error.normalized_messages())) from error
    created = api_keys.create_key(inputs.held_user(email), amr=api_keys.OF_OPERATOR, **new)
    db.session.commit()
    _print(created)


@group.command()
@email_argument
@key_id_argument
@click.option(
    "--overlap",
    type=inputs.Number(0, MAX_OVERLAP),
    default=DEFAULT_OVERLAP,
    show_default=True,
    help="For how many seconds the replaced key stays valid.",
)
def rotate(email: str, key_id: uuid.UUID, overlap: int) -> None:
    """Replace the API key ID of the account EMAIL by a new one, and print it. It is never shown again.

    The new key has the same name, scopes, IP networks and lifetime.
    """
    created = api_keys.rotate_key(
        key_id, inputs.held_user(email), amr=api_keys.OF_OPERATOR, overlap=timedelta(seconds=overlap)
    )
    db.session.commit()
    _print(created)


@group.command()
@email_argument
@key_id_argument
def revoke(email: str, key_id: uuid.UUID) -> None:
    """Revoke the API key ID of the account EMAIL. It stops working immediately."""
    user = inputs.held_user(email)
    api_keys.revoke_key(key_id, user.id)
    db.session.commit()
    click.echo(_("The API key of %(email)s has been revoked.", email=user.email))


@group.command()
def warn() -> None:
    """Email the owners of API keys that expire within 14 days. Safe to run at any time."""
    count = api_key_warnings.warn_of_ends()
    click.echo(ngettext("%(num)s warning queued.", "%(num)s warnings queued.", count))


def _print(created: api_keys.Created) -> None:
    click.echo(created.key)
    end = tables.moment(created.row.expires_at)
    click.echo(_("This key is shown only once. It expires on %(end)s.", end=end), err=True)
