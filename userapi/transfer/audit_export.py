"""The export of the audit log as CSV or JSON Lines, for the command line and the staff site, oldest event first."""

import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from operator import attrgetter
from typing import Any, TextIO

from userapi.audit import audit_log, queries
from userapi.auth.claims import parse_id
from userapi.users import queries as user_queries

from .csv_cells import CsvWriter
from .export import write_json_lines

#: The fields of each event.
FIELDS = ("id", "occurred_at", "action", "origin", "actor_id", "actor_email", "os_user",
          "target_kind", "target_id", "address", "user_agent", "request_id", "key_id",
          "impersonator_id", "changes")  # fmt: skip

#: The formats and their media types.
MEDIA_TYPES = {"csv": "text/csv", "jsonl": "application/jsonl"}

#: The changes in an event; a staff site leaves some out.
ReadChanges = Callable[[Any], Mapping[str, Any] | None]
ALL_CHANGES: ReadChanges = attrgetter("changes")

#: The number of events read at a time.
PAGE_SIZE = 1000


def record_export(filters: Mapping[str, Any]) -> int:
    """Record an export in the audit log; returns the ID of the event. The caller commits."""
    return audit_log.record("audit.exported", changes={name: (None, str(value)) for name, value in filters.items()})


def write_events(
    kind: str, file: TextIO, filters: Mapping[str, Any], read_changes: ReadChanges = ALL_CHANGES
) -> Iterator[int]:
    """Write all events that match.

    Args:
        kind: a key of `MEDIA_TYPES`.
        file: where to write; opened with `newline=""`.
        filters: as for `audit.queries.matching`.
        read_changes: returns the changes in an event that are written.

    Yields:
        The number of events written after each page. No connection is held in between.
    """
    write: Callable[[Iterable[Mapping[str, Any]]], None]
    write = CsvWriter(file, FIELDS).write_rows if kind == "csv" else partial(write_json_lines, file)
    written = 0
    for page in read_pages(filters):
        emails = find_emails(page)
        write(
            {name: _value(event, name, emails) for name in FIELDS} | {"changes": read_changes(event)} for event in page
        )
        written += len(page)
        yield written


def stream_events(kind: str, filters: Mapping[str, Any], read_changes: ReadChanges = ALL_CHANGES) -> Iterator[str]:
    """The same in pieces, for a download."""
    file = io.StringIO(newline="")
    for _written in write_events(kind, file, filters, read_changes):
        yield file.getvalue()
        file.seek(0)
        file.truncate()
    yield file.getvalue()  # without any event, a CSV file still has the names of its columns


def read_pages(filters: Mapping[str, Any]) -> Iterator[Sequence[Any]]:
    """All events that match, the oldest first."""
    last_id = 0
    while found := queries.after(filters, last_id, PAGE_SIZE):
        yield found
        last_id = found[-1].id


def find_emails(events: Iterable[Any]) -> dict[int, str]:
    """The emails of actors, impersonators and target users, without those of deleted users."""
    ids = {user_id for event in events for user_id in (event.actor_id, event.impersonator_id, target_user_id(event))}
    return user_queries.find_emails({user_id for user_id in ids if user_id})


def target_user_id(event: Any) -> int:
    """The ID of the user who was the target; 0 if the target was no user."""
    return parse_id(event.target_id or "") or 0 if event.target_kind == "user" else 0


def _value(event: Any, name: str, emails: Mapping[int, str]) -> Any:
    return emails.get(event.actor_id) if name == "actor_email" else getattr(event, name)
