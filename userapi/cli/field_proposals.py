"""`flask fields propose`."""

from pathlib import Path

import click
from flask.cli import with_appcontext
from flask_babel import gettext as _

from userapi.transfer import readers


@click.command()
@click.argument("dump", type=click.Path(exists=True, dir_okay=False))
@with_appcontext
def propose(dump: str) -> None:
    """Draft a declaration from DUMP, the output of Django's `dumpdata` (.json, .jsonl, also compressed).

    The draft has the fields of the user model that are not Django's own, and those of models with one entry for each
    user. Save it, check it, and set PROFILE_FIELDS to its path; `flask users import` then imports these fields.
    """
    from userapi.transfer import django_proposal  # only this command needs it

    if readers.kind_of(dump) not in ("django", "jsonl"):
        raise click.UsageError(
            _("The file must be the output of Django's dumpdata, with a name that ends in .json or .jsonl.")
        )
    with Path(dump).open("rb") as file, readers.open_dump(file) as text:
        blocks = list(django_proposal.propose(text, Path(dump).name))
    click.echo("\n".join(blocks), nl=False)
