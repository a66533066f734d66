"""Lists in commands: a table on a terminal, tab-separated lines with a header in a pipe."""

import sys
from collections.abc import Iterable, Sequence
from datetime import datetime

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text


def show(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows of cells without control characters."""
    if sys.stdout.isatty():
        table = Table(*columns)
        for cells in rows:
            table.add_row(*(Text(cell) for cell in cells))
        Console().print(table)
    else:
        for cells in (columns, *rows):
            click.echo("\t".join(cells))


def moment(when: datetime | None) -> str:
    """A time to the minute; an empty text for None."""
    return f"{when:%Y-%m-%d %H:%M} UTC" if when else ""
