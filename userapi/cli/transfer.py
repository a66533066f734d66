"""`flask users import` and `flask users export`."""

import csv
import os
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TextIO

import click
from flask.cli import with_appcontext
from flask_babel import gettext as _
from flask_babel import ngettext
from rich.progress import Progress

from userapi.core.db import db
from userapi.transfer import export, import_pipeline, readers
from userapi.transfer.csv_cells import format_cell
from userapi.transfer.options import Counts, ImportOptions, IssueKind, OnBadProfile, OnConflict
from userapi.users import list_queries

from . import inputs, outputs
from .outputs import STANDARD

#: The number of issues of each kind, and of ignored names, that are shown on the screen.
MAX_SHOWN = 20


class IssueList:
    """The issues of an import: the first of each kind for the screen, all of them for the report file."""

    def __init__(self, file: TextIO | None) -> None:
        self.writer = csv.writer(file, lineterminator="\n") if file else None
        if self.writer is not None:
            self.writer.writerow(("kind", "place", "reason"))
        self.first: dict[IssueKind, list[str]] = {kind: [] for kind in IssueKind}
        self.totals: Counter[IssueKind] = Counter()

    def add(self, kind: IssueKind, place: str, reason: str) -> None:
        """Add an issue: a `Reporter`."""
        self.totals[kind] += 1
        if len(self.first[kind]) < MAX_SHOWN:
            self.first[kind].append(f"  {place}: {reason}")
        if self.writer is not None:
            self.writer.writerow([format_cell(cell) for cell in (kind, place, reason)])

    def show(self) -> None:
        """Print the first of each kind."""
        headings = {
            IssueKind.REJECTED: _("Rejected:"),
            IssueKind.CHANGED: _("Imported with changes:"),
            IssueKind.ALREADY_EXISTS: _("Already exist:"),
        }
        for kind, first in self.first.items():
            if first:
                click.echo("\n".join((headings[kind], *first)))
            if self.totals[kind] > len(first):
                more = f"{self.totals[kind] - len(first):,}"
                click.echo("  " + _("… and %(more)s more. To see all of them, use --report FILE.", more=more))


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.option(
    "--format", "kind", type=click.Choice(readers.KINDS), help="File format, if the file name does not show it."
)
@click.option("--dry-run", is_flag=True, help="Check the file and show what would happen, without writing anything.")
@click.option(
    "--on-conflict",
    type=click.Choice([each.value for each in OnConflict]),
    default=OnConflict.SKIP.value,
    show_default=True,
    help="If the email already exists: skip the record, update the user, or stop and import nothing.",
)
@click.option(
    "--bad-profile",
    type=click.Choice([each.value for each in OnBadProfile]),
    default=OnBadProfile.LEAVE_OUT_FIELD.value,
    show_default=True,
    help="If a profile has an invalid field: leave out the field or the profile, or reject the user.",
)
@click.option(
    "--without-passwords",
    is_flag=True,
    help="Do not import password hashes. Users set new passwords with a link sent by email.",
)
@click.option("--confirmed", is_flag=True, help="Treat emails as confirmed where the file does not say.")
@click.option(
    "--drop-unreadable-factors",
    is_flag=True,
    help="Import users whose second factors cannot be imported without a second step, instead of with a locked one.",
)
@click.option("--without-factors", is_flag=True, help="Import no second factors: a password is enough to sign in.")
@inputs.yes_option
@click.option("--report", type=click.Path(dir_okay=False), help="Write all issues to this file, as CSV.")
@with_appcontext
def import_users(
    file: str,
    kind: str | None,
    dry_run: bool,
    on_conflict: str,
    bad_profile: str,
    without_passwords: bool,
    confirmed: bool,
    drop_unreadable_factors: bool,
    without_factors: bool,
    yes: bool,
    report: str | None,
) -> None:
    """Import users from FILE: Django's `dumpdata` (.json, .jsonl), .csv or .jsonl; - reads standard input.

    The file may be compressed (.gz, .bz2, .xz).

    Users keep their password hashes, groups and dates, and their ids where these are free. Each batch is committed: to
    continue an interrupted import, run it again. With --on-conflict fail, all users are imported or none.
    """
    kind = kind or readers.kind_of(file)
    if kind is None:
        raise click.UsageError(_("Set the file format: --format django, csv or jsonl."))
    options = ImportOptions(
        OnConflict(on_conflict),
        dry_run,
        OnBadProfile(bad_profile),
        with_passwords=not without_passwords,
        confirmed=confirmed,
        with_factors=not without_factors,
        drop_unreadable_factors=drop_unreadable_factors,
    )
    if report and _is_same_file(report, file):
        raise click.UsageError(_("The report would overwrite the imported file. Use another name for --report."))
    if without_factors and not dry_run:
        inputs.confirm(_("Users with a second factor will sign in with their password alone. Continue?"), yes=yes)
    left_out: Counter[str] = Counter()
    counts = Counts()
    with ExitStack() as stack:
        issues = IssueList(stack.enter_context(outputs.whole(report)) if report else None)
        bar = stack.enter_context(outputs.progress_bar())
        stream = stack.enter_context(_open(file, bar))
        task = bar.add_task(_("Users"), total=None)
        for counts in import_pipeline.import_records(readers.read_records(stream, kind, left_out), options, issues.add):
            if dry_run:
                db.session.rollback()
            elif options.on_conflict is not OnConflict.FAIL:
                db.session.commit()
            bar.update(task, completed=counts.read)
        db.session.commit()
    issues.show()
    _print_summary(counts, left_out, dry_run=dry_run)
    if counts.refused:
        raise click.ClickException(_("Some records were rejected. Fix them and import the file again."))


@click.command("export")
@outputs.file_argument
@outputs.format_option
@click.option(
    "--with-passwords",
    is_flag=True,
    help="Include password hashes, to move users to another database. They are secrets.",
)
@click.option(
    "--with-factors",
    is_flag=True,
    help="Include second factors, to move users to another database: JSON Lines only. They are secrets.",
)
@click.option(
    "--with-identities",
    is_flag=True,
    help="Include linked accounts of other services, to move users to another database: JSON Lines only.",
)
@click.option(
    "--with-sensitive",
    is_flag=True,
    help="Include the profile fields that are declared as sensitive.",
)
@click.option(
    "--search",
    type=inputs.Text("email"),
    help="Only users whose email, first name or last name contains these words.",
)
@click.option("--staff", "is_staff", flag_value=True, type=bool, default=None, help="Only staff members.")
@click.option("--inactive", "is_active", flag_value=False, type=bool, default=None, help="Only inactive users.")
@click.option("--country", help="Only users from this country.")
@click.option("--joined-after", type=inputs.Day(), help="Only users who joined on or after this day or time.")
@click.option("--joined-before", type=inputs.Day(), help="Only users who joined before this day or time.")
@with_appcontext
def export_users(
    file: str,
    kind: str | None,
    with_passwords: bool,
    with_factors: bool,
    with_identities: bool,
    with_sensitive: bool,
    **filters: Any,
) -> None:
    """Export users to FILE (.csv or .jsonl), or to standard output. `flask users import` can import them again.

    Only you can read the file, and it appears when it is complete. JSON Lines includes the groups with their
    permissions. CSV is for spreadsheets: cells that would be formulas there begin with an apostrophe.
    """
    kind = outputs.format_of(file, kind)
    if with_factors and kind != "jsonl":
        raise click.UsageError(_("Only JSON Lines can contain second factors: use --format jsonl."))
    if with_identities and kind != "jsonl":
        raise click.UsageError(_("Only JSON Lines can contain linked accounts: use --format jsonl."))
    filters = {name: value for name, value in filters.items() if value not in (None, "")}
    written = 0
    with outputs.written(file) as stream, outputs.progress_bar() as bar:
        task = bar.add_task(_("Users"), total=list_queries.count_users(filters))
        for written in export.export_users(
            export.FORMATS[kind](stream),
            filters,
            with_passwords=with_passwords,
            with_factors=with_factors,
            with_identities=with_identities,
            with_sensitive=with_sensitive,
        ):
            db.session.commit()
            bar.update(task, completed=written)
    if file != STANDARD:
        click.echo(
            ngettext(
                "Exported %(count)s user to %(file)s.",
                "Exported %(count)s users to %(file)s.",
                written,
                count=f"{written:,}",
                file=file,
            )
        )


def _print_summary(counts: Counts, left_out: Counter[str], *, dry_run: bool) -> None:
    """Print the counts of an import."""
    if left_out:
        found = ", ".join(f"{name} {number:,}" for name, number in left_out.most_common(MAX_SHOWN))
        click.echo(_("Ignored: %(found)s.", found=found))
    if counts.unknown_permissions:
        found = ", ".join(f"{name} {number:,}" for name, number in counts.unknown_permissions.most_common(MAX_SHOWN))
        click.echo(_("Unknown permissions: %(found)s.", found=found))
    if dry_run:
        click.echo(_("Dry run: nothing was written. An import would give:"))
    click.echo(
        _(
            "%(read)s read, %(made)s imported, %(updated)s updated, %(there)s already existed, "
            "%(refused)s rejected, %(altered)s changed, %(groups)s groups created.",
            read=f"{counts.read:,}",
            made=f"{counts.made:,}",
            updated=f"{counts.updated:,}",
            there=f"{counts.there_already:,}",
            refused=f"{counts.refused:,}",
            altered=f"{counts.altered:,}",
            groups=f"{counts.groups_made:,}",
        )
    )

    if counts.with_factors:
        text = _(
            "Users with second factors: %(count)s, of whom %(locked)s have a locked second step.",
            count=f"{counts.with_factors:,}",
            locked=f"{counts.locked:,}",
        )
        click.echo(text)
    if counts.with_identities:
        click.echo(_("Users with linked accounts: %(count)s.", count=f"{counts.with_identities:,}"))


def _is_same_file(report: str, file: str) -> bool:
    """Whether the report would overwrite the file that is read, also if their names differ."""
    try:
        source = os.fstat(sys.stdin.fileno()) if file == STANDARD else Path(file).stat()
        return os.path.samestat(source, Path(report).stat())
    except OSError:
        return False


@contextmanager
def _open(file: str, bar: Progress) -> Iterator[Any]:
    """Yield the bytes of a file, and show the progress in the bar."""
    if file == STANDARD:
        yield sys.stdin.buffer
        return
    size = Path(file).stat().st_size
    with Path(file).open("rb") as stream, bar.wrap_file(stream, size, description=_("File")) as shown:
        yield shown
