"""Delete everything that is stored of a field: its values, search keys, and its values in the audit log; in batches."""

from collections.abc import Iterator

from userapi.audit import audit_log
from userapi.users import field_key_queries, field_keys

from . import queries


def start(name: str) -> int:
    """Record that a field is dropped; returns the id of the event. The caller commits, now and after each batch."""
    queries.delete_saved_filters(name)
    field_keys.forget(name)
    return audit_log.record("fields.dropped", changes=_facts(name, 0))


def drop_values(name: str, event_id: int) -> Iterator[int]:
    """Delete the values of all users, and the search keys.

    Yields:
        After each batch, the number of users so far.
    """
    last = dropped = 0
    while found := queries.list_users(name, last, with_value=True):
        for user in queries.lock_users(found):
            if user.profile is not None:
                user.profile.set_values({name: None})
                dropped += 1
        audit_log.amend(event_id, _facts(name, dropped))
        last = found[-1]
        yield dropped
    while field_key_queries.delete_some_keys(name, queries.BATCH_SIZE):
        yield dropped


def drop_history(name: str) -> Iterator[int]:
    """Withhold the values in the audit log; the events stay.

    Yields:
        After each batch, the number of events so far.
    """
    key, last, dropped = f"profile.{name}", 0, 0
    while found := queries.read_changes(key, last):
        withheld = {
            row.id: {**row.changes, key: [audit_log.WITHHELD, audit_log.WITHHELD]}
            for row in found
            if key in row.changes
        }
        if withheld:
            queries.write_changes(withheld)
        dropped += len(withheld)
        last = found[-1].id
        yield dropped


def _facts(name: str, count: int) -> dict[str, tuple[None, str | int]]:
    return {"field": (None, name), "count": (None, count)}
