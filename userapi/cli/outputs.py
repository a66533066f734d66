"""Where commands write many lines: a file that its owner alone can read, or standard output."""

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import click
from flask_babel import gettext as _

STANDARD = "-"

FORMATS = ("jsonl", "csv")

file_argument = click.argument("file", type=click.Path(dir_okay=False, allow_dash=True), default=STANDARD)
format_option = click.option("--format", "kind", type=click.Choice(FORMATS), help="When the file's name does not tell.")


def format_of(file: str, given: str | None) -> str:
    """The format of a file: the one that was given, or that of its name; JSON Lines on standard output.

    Raises:
        click.UsageError: the name says neither.
    """
    named = (
        "jsonl"
        if file == STANDARD
        else {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}.get(Path(file).suffix.lower())
    )
    kind = given or named
    if kind is None:
        raise click.UsageError(_("Name a file that ends in .csv or .jsonl, or give --format."))
    return kind


@contextmanager
def written(file: str) -> Iterator[TextIO]:
    """Where to write: standard output, or a file that is there only when it is whole."""
    if file == STANDARD:
        standard = io.TextIOWrapper(sys.stdout.buffer, "utf-8", newline="")
        try:
            yield standard
            standard.flush()
        finally:
            standard.detach()
        return
    partial = f"{file}.part"
    try:
        with private(file, partial) as stream:
            yield stream
        Path(partial).replace(file)
    finally:
        Path(partial).unlink(missing_ok=True)


@contextmanager
def private(wanted: str, path: str) -> Iterator[TextIO]:
    """A new file at a path that its owner alone can read; an error names the file that was wanted."""
    folder = Path(wanted).parent
    if not folder.is_dir():
        reason = _("there is no folder %(folder)s", folder=folder)
        raise click.ClickException(_("Cannot write %(file)s: %(reason)s.", file=wanted, reason=reason))
    try:
        Path(path).unlink(missing_ok=True)
        number = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except OSError as error:
        raise click.ClickException(
            _("Cannot write %(file)s: %(reason)s.", file=wanted, reason=error.strerror)
        ) from error
    with os.fdopen(number, "w", encoding="utf-8", newline="") as file:
        yield file
