"""Lists on the shell: a table on a terminal, lines with tabs below a header in a pipe."""

import sys
from collections.abc import Iterable, Sequence
from datetime import datetime

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text


def show(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows of cells, which mean nothing but themselves to the terminal."""
    if sys.stdout.isatty():
        table = Table(*columns)
        for cells in rows:
            table.add_row(*(Text(cell) for cell in cells))
        Console().print(table)
    else:
        for cells in (columns, *rows):
            click.echo("\t".join(cells))


def moment(when: datetime | None) -> str:
    """A moment to the minute; nothing when there is none."""
    return f"{when:%Y-%m-%d %H:%M} UTC" if when else ""
