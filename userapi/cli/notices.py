"""`flask notices …`: what is queued for subscribers of extensions and for other services."""

import logging
from typing import Any

import click
from flask_babel import gettext as _
from flask_babel import lazy_gettext, ngettext

from userapi.core import clock
from userapi.core.db import db
from userapi.outbound import notices, queries
from userapi.outbound.queries import State

from . import inputs, tables
from .failures import Group

COLUMNS = (
    lazy_gettext("id"),
    lazy_gettext("state"),
    lazy_gettext("kind"),
    lazy_gettext("recipient"),
    lazy_gettext("queued"),
    lazy_gettext("attempts"),
    lazy_gettext("last error"),
)

group = Group("notices", help="Notices to extensions and other services: deliver, list, retry and delete them.")


@group.command()
def deliver() -> None:
    """Deliver all notices that are due. Safe to run while the service delivers them too."""
    logging.disable(logging.CRITICAL)  # the state of each notice is in the database
    total = notices.deliver_due(due_by=clock.now())
    click.echo(ngettext("%(num)s delivery attempt.", "%(num)s delivery attempts.", total))


@group.command("list")
@click.option("--state", type=click.Choice([state.value for state in State]), help="Only notices in this state.")
@click.option("--kind", help="Only notices of this kind, such as logout.")
@click.option("--recipient", help="Only notices to this recipient, such as the ID of a client.")
@click.option(
    "--limit", type=inputs.Number(1, 10_000), default=50, show_default=True, help="Maximum number of notices to show."
)
def list_notices(state: str | None, kind: str | None, recipient: str | None, limit: int) -> None:
    """List notices, newest first."""
    found = queries.newest(State(state) if state else None, limit, kind, recipient)
    tables.show([str(column) for column in COLUMNS], (_cells(row) for row in found))


@group.command()
@click.argument("notice_id", type=inputs.Number(1), metavar="ID", required=False)
@click.option("--recipient", help="Retry all delayed and failed notices to this recipient.")
@click.option("--all", "all_failed", is_flag=True, help="Retry all failed notices.")
def retry(notice_id: int | None, recipient: str | None, all_failed: bool) -> None:
    """Try again to deliver a delayed or failed notice."""
    if [notice_id is not None, recipient is not None, all_failed].count(True) != 1:
        raise click.UsageError(_("Give the ID of a notice, or use --recipient or --all."))
    now = clock.now()
    if notice_id is not None:
        found = queries.retry(notice_id, now)
    elif recipient is not None:
        found = queries.retry_recipient(recipient, now)
    else:
        found = queries.retry_all_failed(now)
    db.session.commit()
    if notice_id is not None and not found:
        raise click.ClickException(_("There is no notice with the ID %(id)s that is still to be sent.", id=notice_id))
    click.echo(ngettext("%(num)s notice queued for delivery.", "%(num)s notices queued for delivery.", found))


@group.command()
def prune() -> None:
    """Delete notices that were sent a week ago, or failed a month ago. Safe to run at any time."""
    pruned = notices.prune_old()
    click.echo(ngettext("%(num)s notice deleted.", "%(num)s notices deleted.", pruned))


def _cells(row: Any) -> tuple[str, ...]:
    state = State.SENT if row.sent_at else State.FAILED if row.failed_at else State.DUE
    queued = tables.moment(row.created_at)
    return (str(row.id), state, row.kind, row.service, queued, str(row.attempts), row.last_error or "")
