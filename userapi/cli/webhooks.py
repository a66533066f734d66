"""`flask webhooks …`: who gets events, and what was sent to them."""

import logging
import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import click
from flask_babel import gettext as _
from flask_babel import lazy_gettext, ngettext

from userapi.core.db import db
from userapi.webhooks import delivery, endpoints, queries, replays, trial
from userapi.webhooks.endpoint_health import health_of
from userapi.webhooks.models import State

from . import inputs, tables
from .failures import Group

COLUMNS = (
    lazy_gettext("id"),
    lazy_gettext("state"),
    lazy_gettext("URL"),
    lazy_gettext("events"),
    lazy_gettext("waiting"),
    lazy_gettext("last success"),
)
DELIVERY_COLUMNS = (
    lazy_gettext("id"),
    lazy_gettext("state"),
    lazy_gettext("event"),
    lazy_gettext("created"),
    lazy_gettext("attempts"),
    lazy_gettext("last response"),
)

group = Group("webhooks", help="Webhooks: list, create, test, enable and disable them, and send events again.")

webhook_id = click.argument("webhook_id", type=click.UUID, metavar="ID")


@group.command("list")
def list_webhooks() -> None:
    """List all webhooks, oldest first."""
    rows, waiting = queries.list_endpoints(), queries.count_waiting()
    events = queries.list_events([row.id for row in rows])
    tables.show(
        [str(column) for column in COLUMNS],
        (
            (
                str(row.id),
                health_of(row).value,
                row.url,
                " ".join(events[row.id]),
                str(waiting.get(row.id, 0)),
                tables.moment(row.succeeded_at),
            )
            for row in rows
        ),
    )


@group.command()
@click.argument("url")
@click.option(
    "--event", "events", multiple=True, help="An event, such as user.created, or all of a kind, such as user.*."
)
@click.option("--all-events", is_flag=True, help="Send all events.")
@click.option("--description", default="", help="What the webhook is for.")
@click.option("--include-user", is_flag=True, help="Include the user as they are when the event is sent.")
def add(url: str, events: Sequence[str], all_events: bool, description: str, include_user: bool) -> None:
    """Create a webhook, and show its secret."""
    if bool(events) is all_events:
        raise click.UsageError(_("Name events with --event, or use --all-events."))
    created = endpoints.create(
        url,
        ["*"] if all_events else list(events),
        maker_id=None,
        description=description,
        includes=["user"] if include_user else [],
    )
    webhook_id = created.id
    db.session.commit()
    click.echo(_("Created the webhook %(id)s.", id=webhook_id))
    click.echo(_("Secret: %(secret)s", secret=endpoints.reveal_secret(webhook_id)))


@group.command()
@webhook_id
@click.option(
    "--overlap",
    type=inputs.Number(0, endpoints.MAX_OVERLAP),
    default=endpoints.DEFAULT_OVERLAP,
    show_default=True,
    help="For how many seconds the previous secret signs too.",
)
def rotate(webhook_id: uuid.UUID, overlap: int) -> None:
    """Replace the secret of a webhook, and show the new one."""
    secret = endpoints.rotate_secret(webhook_id, overlap)
    db.session.commit()
    click.echo(_("Secret: %(secret)s", secret=secret))


@group.command()
@webhook_id
def test(webhook_id: uuid.UUID) -> None:
    """Send a test to a webhook, and show what became of it."""
    result = trial.send_test(webhook_id)
    seconds = f"{result.duration_ms / 1000:.2f}"
    outcome = " ".join(str(part) for part in (result.status, result.error) if part is not None)
    click.echo(_("%(outcome)s after %(seconds)s s", outcome=outcome, seconds=seconds))
    if result.excerpt:
        click.echo(result.excerpt)
    if not result.is_accepted:
        raise click.ClickException(_("The receiver has not accepted the test."))


@group.command()
@webhook_id
@click.option("--state", type=click.Choice([state.value for state in State]), help="Only deliveries in this state.")
@click.option(
    "--limit",
    type=inputs.Number(1, 10_000),
    default=50,
    show_default=True,
    help="Maximum number of deliveries to show.",
)
def deliveries(webhook_id: uuid.UUID, state: str | None, limit: int) -> None:
    """List the deliveries to a webhook, newest first."""
    endpoints.find(webhook_id)
    found = queries.list_deliveries(webhook_id, State(state) if state else None, None, limit)
    tables.show([str(column) for column in DELIVERY_COLUMNS], (_cells(row) for row in found))


@group.command()
@webhook_id
@click.argument("delivery_id", type=inputs.Number(1), metavar="DELIVERY", required=False)
@click.option("--since", type=inputs.Day(), help="All events from this time on.")
@click.option("--until", type=inputs.Day(), help="With --since: only events before this time.")
@click.option(
    "--state",
    type=click.Choice([state.value for state in queries.ENDED]),
    help="With --since: only deliveries in this state.",
)
def replay(
    webhook_id: uuid.UUID,
    delivery_id: int | None,
    since: datetime | None,
    until: datetime | None,
    state: str | None,
) -> None:
    """Send an event again, or all events of a time."""
    if delivery_id is not None and since is None:
        count = replays.replay_one(webhook_id, delivery_id)
    elif since is not None and delivery_id is None:
        count = replays.replay_range(webhook_id, since, until, State(state) if state else None)
    else:
        raise click.UsageError(_("Give the ID of a delivery, or use --since."))
    db.session.commit()
    click.echo(ngettext("%(num)s event queued to be sent again.", "%(num)s events queued to be sent again.", count))


@group.command()
@webhook_id
@click.option("--drop-held", is_flag=True, help="Drop the events that were kept while it was disabled.")
def enable(webhook_id: uuid.UUID, drop_held: bool) -> None:
    """Send events to a webhook again."""
    endpoints.enable(webhook_id, drop_waiting=drop_held)
    db.session.commit()
    click.echo(_("Events are sent to the webhook %(id)s.", id=webhook_id))


@group.command()
@webhook_id
def disable(webhook_id: uuid.UUID) -> None:
    """Send no events to a webhook. They are kept until it is enabled."""
    endpoints.disable(webhook_id)
    db.session.commit()
    click.echo(_("Events for the webhook %(id)s are kept until you enable it.", id=webhook_id))


@group.command()
@webhook_id
@inputs.yes_option
def delete(webhook_id: uuid.UUID, yes: bool) -> None:
    """Delete a webhook."""
    inputs.confirm(_("Events that were not sent yet are lost. Delete the webhook?"), yes=yes)
    endpoints.delete(webhook_id)
    db.session.commit()
    click.echo(_("Deleted the webhook %(id)s.", id=webhook_id))


@group.command()
def deliver() -> None:
    """Send all events that are due. Safe to run while the service sends them too."""
    logging.disable(logging.CRITICAL)  # the state of each delivery is in the database
    count = delivery.deliver_due()
    click.echo(ngettext("%(num)s delivery attempt.", "%(num)s delivery attempts.", count))


def _cells(row: Any) -> tuple[str, ...]:
    response = " ".join(str(part) for part in (row.last_status, row.last_error) if part is not None)
    return (str(row.id), row.shown_state, row.action, tables.moment(row.created_at), str(row.attempts), response)
