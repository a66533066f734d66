"""`flask audit …`: show the audit log, follow it, export it, and delete old events."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import click
from flask import current_app
from flask_babel import gettext as _
from flask_babel import ngettext

from userapi.audit import names, pruning, queries
from userapi.auth.claims import parse_id
from userapi.core import clock
from userapi.core.db import db
from userapi.transfer import audit_export

from . import inputs, outputs, tables
from .failures import Group

#: Seconds between two queries for new events.
PAUSE = 1.0

#: The maximum delay with which an event may be committed after events with greater ids.
LATE = timedelta(seconds=30)

group = Group("audit", help="Audit log: show, follow, export and delete events.")


class Action(click.ParamType[str]):
    """An action that is recorded in the audit log."""

    name = "action"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if value not in names.ACTIONS:
            self.fail(_("Unknown action '%(value)s'. docs/events.md lists all actions.", value=value), param, ctx)
        return str(value)


class End(inputs.Day):
    """A point in time, or the end of a day."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        moment = super().convert(value, param, ctx)
        is_day = isinstance(value, str) and "T" not in value and moment.year < datetime.max.year
        return moment + timedelta(days=1) if is_day else moment


def filtered(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the filters of the audit page."""
    for option in (
        click.option("--until", type=End(), help="Only events until the end of this day, or until this time."),
        click.option("--since", type=inputs.Day(), help="Only events from this day or time on."),
        click.option(
            "--origin",
            type=click.Choice([str(origin) for origin in names.ORIGINS]),
            help="Only events with this origin.",
        ),
        click.option("--action", type=Action(), help="Only events with this action, such as user.changed."),
        click.option("--user", help="Only events by or about this user (an email or an id)."),
    ):
        command = option(command)
    return command


@group.command()
@click.option(
    "-n", "--lines", type=inputs.Number(0, 10_000), default=20, show_default=True, help="Number of events to show."
)
@click.option("-f", "--follow", is_flag=True, help="Show new events as they happen, until you press Ctrl-C.")
@filtered
def tail(lines: int, follow: bool, **options: Any) -> None:
    """Show the latest events, oldest first."""
    filters = _filters(options)
    columns = (_("time"), _("action"), _("actor"), _("origin"), _("target"), _("IP address"), _("changes"))

    def newest() -> Sequence[Any]:
        return queries.newest(filters, lines)[::-1] if lines else []

    if not follow:
        tables.show(columns, _rows(newest()))
        return
    click.echo("\t".join(columns))
    with suppress(KeyboardInterrupt):
        for events in _new_events(filters, newest):
            for cells in _rows(events):
                click.echo("\t".join(cells))


@group.command()
@outputs.file_argument
@outputs.format_option
@filtered
def export(file: str, kind: str | None, **options: Any) -> None:
    """Export events to FILE (.csv or .jsonl), or to standard output, oldest first.

    Only you can read the file, and it appears when it is complete. In CSV, cells that a spreadsheet would treat as
    formulas begin with an apostrophe.
    """
    kind, filters = outputs.format_of(file, kind), _filters(options)
    written = 0
    with outputs.written(file) as stream:
        event_id = audit_export.record_export(filters)
        db.session.commit()
        for count in audit_export.write_events(kind, stream, filters | {"before": event_id}):
            written = count
    if file != outputs.STANDARD:
        click.echo(
            ngettext(
                "Exported %(count)s event to %(file)s.",
                "Exported %(count)s events to %(file)s.",
                written,
                count=f"{written:,}",
                file=file,
            )
        )


@group.command()
def prune() -> None:
    """Delete the events that are older than AUDIT_KEEP_DAYS, and IP addresses older than AUDIT_ADDRESS_KEEP_DAYS.

    Safe to run at any time.
    """
    if current_app.config["AUDIT_ADDRESS_KEEP_DAYS"]:
        removed = pruning.remove_addresses()
        click.echo(ngettext("IP address of %(num)s event removed.", "IP addresses of %(num)s events removed.", removed))
    if not current_app.config["AUDIT_KEEP_DAYS"]:
        click.echo(_("All events are kept, because AUDIT_KEEP_DAYS is 0."))
        return
    pruned = pruning.prune_old()
    click.echo(ngettext("%(num)s event deleted.", "%(num)s events deleted.", pruned))


def _filters(options: dict[str, Any]) -> dict[str, Any]:
    """The given filters, in the form that the queries need."""
    filters = {name: value for name, value in options.items() if value is not None}
    if "user" in filters:
        filters["user"] = parse_id(filters["user"]) or inputs.user(filters["user"]).id
        db.session.remove()  # no transaction stays open while the command waits for new events
    return filters


def _rows(events: Sequence[Any]) -> Iterator[tuple[str, ...]]:
    """Events as cells of a table."""
    emails = audit_export.find_emails(events)
    for event in events:
        target = emails.get(audit_export.target_user_id(event)) or " ".join(
            filter(None, (event.target_kind, event.target_id))
        )
        yield (
            f"{event.occurred_at:%Y-%m-%d %H:%M:%S} UTC",
            event.action,
            names.actor(event, emails),
            event.origin,
            target,
            event.address or "",
            ", ".join(event.changes or {}),
        )


def _new_events(filters: dict[str, Any], shown: Callable[[], Sequence[Any]]) -> Iterator[Sequence[Any]]:
    """Yield the latest events, then repeatedly the events since.

    Each query goes back by `LATE`, because an event may be committed after others with greater ids.
    """
    looked_at = clock.now()
    seen = {event.id for event in _since(filters, looked_at - LATE)}
    first = shown()
    seen.update(event.id for event in first)
    yield first
    while True:
        time.sleep(PAUSE)
        since, looked_at = looked_at - LATE, clock.now()
        found = _since(filters, since)
        yield [event for event in found if event.id not in seen]
        seen = {event.id for event in found}


def _since(filters: dict[str, Any], moment: datetime) -> list[Any]:
    """The matching events since a point in time."""
    narrowed = filters | {"since": max(moment, filters.get("since", moment))}
    return [event for page in audit_export.read_pages(narrowed) for event in page]
