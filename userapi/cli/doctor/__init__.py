"""`flask doctor`: the health checks and slower checks, with one line for each result.

The lines are English, as the settings and the documents that they name.
"""

import json
import logging

import click
from flask.cli import with_appcontext
from flask_babel import ngettext

from userapi.health import checks, clocks, closed_accounts, extensions, keys, misspelt, report, second_steps, settings
from userapi.health.findings import Finding, Level

from . import data_keys, database, hosts, mail, profile_fields, providers

#: Those of the report, and slower ones where they fit.
CHECKS: tuple[report.Check, ...] = (
    report.check_version,
    settings.check,
    misspelt.check,
    extensions.check,
    database.try_to_write,
    checks.run,
    keys.check,
    database.check,
    hosts.check,
    profile_fields.check,
    data_keys.check,
    second_steps.check,
    clocks.check,
    closed_accounts.check,
    mail.check,
    providers.check,
    report.check_clients,
)

STYLES = {Level.OK: "green", Level.WARNING: "yellow", Level.ERROR: "red"}


@click.command(short_help="Check the installation and suggest fixes.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")
@with_appcontext
def doctor(as_json: bool) -> None:
    """Check settings, database, profile fields, disk, keys, Redis, clocks, emails, providers, clients and workers.

    The exit code is 1 if something does not work.
    """
    logging.disable(logging.CRITICAL)  # the report contains the error
    errors = 0
    try:
        for finding in report.run(CHECKS):
            errors += finding.level is Level.ERROR
            click.echo(_document(finding) if as_json else format_line(finding))
    finally:
        logging.disable(logging.NOTSET)
    if errors:
        raise click.ClickException(ngettext("%(num)s error.", "%(num)s errors.", errors))


def _document(finding: Finding) -> str:
    known = {"subject": finding.part, "level": finding.level, "text": finding.text}
    return json.dumps(known, ensure_ascii=False)


def format_line(finding: Finding) -> str:
    """A finding as one line."""
    level = click.style(f"{finding.level:<8}", fg=STYLES[finding.level])
    return f"{level} {finding.part:<10} {finding.text}"
