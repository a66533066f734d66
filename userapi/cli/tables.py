"""Lists on the shell: a table on a terminal, lines with tabs in a pipe."""

import sys
from collections.abc import Iterable, Sequence

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
        for cells in rows:
            click.echo("\t".join(cells))
