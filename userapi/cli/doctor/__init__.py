"""`flask doctor`: looks at everything the service needs, and says in one line each what is well, or what to do.

Its words are English, as the settings and the documents that they speak of.
"""

import json
import logging
from collections.abc import Callable, Iterator

import click
from flask.cli import with_appcontext
from flask_babel import ngettext

from . import clocks, database, keys, mail, redis, settings
from .findings import Finding, Level, trouble

CHECKS: tuple[Callable[[], Iterator[Finding]], ...] = (
    settings.check,
    keys.check,
    database.check,
    redis.check,
    clocks.check,
    mail.check,
)

STYLES = {Level.OK: "green", Level.WARNING: "yellow", Level.TROUBLE: "red"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, for programs.")
@with_appcontext
def doctor(as_json: bool) -> None:
    """Look at settings, keys, database, Redis, clocks and mail, and say what to do; exit code 1 on trouble."""
    logging.disable(logging.CRITICAL)  # what is amiss is said here
    troubles = 0
    try:
        for check in CHECKS:
            for finding in _findings(check):
                troubles += finding.level is Level.TROUBLE
                click.echo(json.dumps(finding._asdict(), ensure_ascii=False) if as_json else _line(finding))
    finally:
        logging.disable(logging.NOTSET)
    if troubles:
        raise click.ClickException(ngettext("%(num)s trouble.", "%(num)s troubles.", troubles))


def _findings(check: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """What a check finds; that it breaks off is a finding as well."""
    try:
        yield from check()
    except Exception as error:
        yield trouble(check.__module__.rpartition(".")[2], f"The check broke off: {type(error).__name__}. Report it.")


def _line(finding: Finding) -> str:
    level = click.style(f"{finding.level:<8}", fg=STYLES[finding.level])
    return f"{level} {finding.subject:<10} {finding.text}"
