"""`flask doctor`: the health checks and slower checks, with one line for each result.

The lines are English, as the settings and the documents that they name.
"""

import json
import logging
import platform
from collections.abc import Callable, Iterable, Iterator

import click
from flask.cli import with_appcontext
from flask_babel import ngettext

from userapi import VERSION
from userapi.health import checks
from userapi.health.findings import Finding, Level, failure, ok

from . import clocks, database, keys, mail, misspelt, settings


def _version() -> Iterator[Finding]:
    yield ok("version", f"userapi {VERSION} on Python {platform.python_version()}")


CHECKS: tuple[Callable[[], Iterable[Finding]], ...] = (
    _version,
    settings.check,
    misspelt.check,
    database.try_to_write,
    checks.run,
    keys.check,
    database.check,
    clocks.check,
    mail.check,
)

STYLES = {Level.OK: "green", Level.WARNING: "yellow", Level.ERROR: "red"}


@click.command(short_help="Check the installation and suggest fixes.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")
@with_appcontext
def doctor(as_json: bool) -> None:
    """Check settings, database, disk, keys, Redis, clocks, emails and workers, and suggest fixes.

    The exit code is 1 if something does not work.
    """
    logging.disable(logging.CRITICAL)  # the report contains the error
    errors = 0
    try:
        for check in CHECKS:
            for finding in _findings(check):
                errors += finding.level is Level.ERROR
                click.echo(_document(finding) if as_json else _line(finding))
    finally:
        logging.disable(logging.NOTSET)
    if errors:
        raise click.ClickException(ngettext("%(num)s error.", "%(num)s errors.", errors))


def _findings(check: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    """The findings of a check; an error in the check is a finding too."""
    try:
        yield from check()
    except Exception as error:
        subject = check.__module__.rpartition(".")[2]
        yield failure(subject, f"This check failed: {type(error).__name__}. This is a bug, please report it.")


def _document(finding: Finding) -> str:
    known = {"subject": finding.part, "level": finding.level, "text": finding.text}
    return json.dumps(known, ensure_ascii=False)


def _line(finding: Finding) -> str:
    level = click.style(f"{finding.level:<8}", fg=STYLES[finding.level])
    return f"{level} {finding.part:<10} {finding.text}"
