"""Long output of commands: to a file that only its owner can read, or to standard output."""

import io
import os
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import click
from flask_babel import gettext as _
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

STANDARD = "-"

FORMATS = ("jsonl", "csv")

file_argument = click.argument("file", type=click.Path(dir_okay=False, allow_dash=True), default=STANDARD)
format_option = click.option(
    "--format", "kind", type=click.Choice(FORMATS), help="File format, if the file name does not show it."
)


def format_of(file: str, given: str | None) -> str:
    """The format of a file: the given one, or that of its name; JSON Lines on standard output.

    Raises:
        click.UsageError: the name has neither suffix.
    """
    named = (
        "jsonl"
        if file == STANDARD
        else {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}.get(Path(file).suffix.lower())
    )
    kind = given or named
    if kind is None:
        raise click.UsageError(_("Use a file name that ends in .csv or .jsonl, or set --format."))
    return kind


def progress_bar() -> Progress:
    """A progress bar on a terminal; no output in a pipe."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f}"),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=console, disable=not console.is_terminal)


@contextmanager
def written(file: str) -> Iterator[TextIO]:
    """Open standard output, or a file that appears only when it is complete."""
    if file == STANDARD:
        standard = io.TextIOWrapper(sys.stdout.buffer, "utf-8", newline="")
        try:
            yield standard
            standard.flush()
        finally:
            standard.detach()
        return
    with whole(file) as stream:
        yield stream


@contextmanager
def whole(file: str) -> Iterator[TextIO]:
    """Open a file that only its owner can read, and that appears only when it is complete.

    Raises:
        click.ClickException: it cannot be written, or something other than a regular file has its name.
    """
    path = _destination(file)
    try:
        number, partial = tempfile.mkstemp(".part", f"{path.name[:40]}.", path.parent)
    except OSError as error:
        raise _cannot_write(file, error.strerror) from error
    try:
        with os.fdopen(number, "w", encoding="utf-8", newline="") as stream:
            yield stream
        try:
            Path(partial).replace(path)
        except OSError as error:
            raise _cannot_write(file, error.strerror) from error
    finally:
        Path(partial).unlink(missing_ok=True)


def _destination(file: str) -> Path:
    """The path to write to: symbolic links are followed; a device, a pipe or a folder is never replaced."""
    path = Path(file)
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise _cannot_write(file, _("it is not a regular file"))
    except FileNotFoundError:
        pass
    except OSError as error:
        raise _cannot_write(file, error.strerror) from error
    target = Path(os.path.realpath(path))
    if not target.parent.is_dir():
        raise _cannot_write(file, _("the folder %(folder)s does not exist", folder=target.parent))
    return target


def _cannot_write(file: str, reason: str | None) -> click.ClickException:
    return click.ClickException(_("Cannot write %(file)s: %(reason)s.", file=file, reason=reason))
