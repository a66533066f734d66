"""`flask users replay-deletions`: keep deleted accounts deleted after a backup was restored."""

from datetime import datetime
from pathlib import Path

import click
from flask.cli import with_appcontext
from flask_babel import gettext as _
from flask_babel import ngettext

from userapi.core.db import db
from userapi.privacy import replays
from userapi.privacy.deletion_events import Change, Events, UnreadableEvents, read_departures
from userapi.privacy.replays import Outcome
from userapi.transfer import bulk_insert

from . import inputs

files_argument = click.argument(
    "files", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path), nargs=-1, required=True
)


@click.command("replay-deletions")
@files_argument
@click.option("--since", type=inputs.Day(), required=True, help="When the backup was made.")
@inputs.yes_option
@with_appcontext
def replay_deletions(files: tuple[Path, ...], since: datetime, yes: bool) -> None:
    """Delete the accounts that were deleted after a backup, from which the database was restored.

    FILES have events as JSON Lines, from `flask audit export`, the event feed or webhooks. Accounts that were closed
    and not restored are closed again, and no user gets an id that is in them. Safe to run again.
    """
    events = _read(files, since)
    found = replays.list_present(events.departures)
    deleted = sum(departure.change is Change.DELETED for departure in found)
    if not found:
        _reserve_ids(events.highest_id)
        click.echo(_("No account of this database was deleted or closed since then."))
        return
    question = _(
        "%(deleted)s accounts of this database are deleted, %(closed)s are closed. Continue?",
        deleted=deleted,
        closed=len(found) - deleted,
    )
    inputs.confirm(question, yes=yes)
    _reserve_ids(events.highest_id)
    outcomes = replays.replay(found)
    click.echo(ngettext("%(num)s account deleted.", "%(num)s accounts deleted.", outcomes[Outcome.DELETED]))
    click.echo(ngettext("%(num)s account closed.", "%(num)s accounts closed.", outcomes[Outcome.CLOSED]))
    if other := outcomes[Outcome.OTHER]:
        click.echo(
            ngettext(
                "%(num)s account was not deleted: it has the id of a deleted one, but was created later.",
                "%(num)s accounts were not deleted: they have the ids of deleted ones, but were created later.",
                other,
            )
        )
    if kept := outcomes[Outcome.KEPT]:
        raise click.ClickException(
            ngettext(
                "%(num)s account was kept, because of a legal hold, an extension, or because it is the last superuser.",
                "%(num)s accounts were kept, because of a legal hold, an extension, or as the last superuser.",
                kept,
            )
        )


def _reserve_ids(highest: int) -> None:
    """Give no new user the id of one who joined after the backup: other services may still have data under it."""
    if highest > bulk_insert.last_id():
        bulk_insert.reserve_ids(highest)
        db.session.commit()
        click.echo(_("New users get ids above %(highest)s.", highest=highest))


def _read(files: tuple[Path, ...], since: datetime) -> Events:
    lines: list[str] = []
    for path in files:
        with click.open_file(str(path), encoding="utf-8") as file:
            lines += file
    try:
        return read_departures(lines, since)
    except UnreadableEvents as error:
        raise click.ClickException(str(error)) from error


COMMANDS = (replay_deletions,)
