"""`flask templates …`: the templates of the service, to write replacements of them."""

import click
from flask.cli import with_appcontext
from flask_babel import gettext as _

from userapi.core import template_folders

from .failures import Group

group = Group("templates", help="Templates: print ours, to replace them.")


@group.command("show", short_help="Print a template of the service, with its mark.")
@click.argument("name")
@with_appcontext
def show(name: str) -> None:
    """Print a template of the service, such as `pages/login.html`, with the mark for a file that replaces it."""
    path = template_folders.TEMPLATES / name
    if not path.is_file() or not path.resolve().is_relative_to(template_folders.TEMPLATES):
        raise click.ClickException(_("There is no template %(name)s.", name=name))
    click.echo(f"{template_folders.write_mark(name)}\n{path.read_text()}", nl=False)
