"""The commands of the shop: `flask shop …`."""

import click
from flask.cli import AppGroup

from . import baskets

group = AppGroup("shop", help="Baskets of users.")


@group.command("list")
def list_baskets() -> None:
    """List the baskets that have items."""
    for basket in baskets.find_all():
        click.echo(f"{basket.user_id}: {basket.items}")
