"""Reading what happened to accounts, from events that were kept outside the database (decisions 0097 and 0110)."""

from collections.abc import Iterable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, NamedTuple

import orjson
from flask_babel import gettext as _

DELETIONS = ("user.deleted", "service_account.deleted")
CLOSING = "user.closing"
RESTORES = ("user.restored", "user.activated")


class UnreadableEvents(ValueError):
    """A line is no event."""


class Change(StrEnum):
    """What became of an account."""

    DELETED = "deleted"
    CLOSED = "closed"
    RESTORED = "restored"


class Departure(NamedTuple):
    """An account that has left, or has come back.

    Attributes:
        user_id: its id.
        at: when it was deleted, closed or restored.
        change: which of these happened to it last.
    """

    user_id: int
    at: datetime
    change: Change


class Events(NamedTuple):
    """What events say.

    Attributes:
        departures: the accounts that were deleted, closed or restored, the first one first.
        highest_id: the highest id of a user in them; 0 if there is none.
    """

    departures: list[Departure]
    highest_id: int


def read_departures(lines: Iterable[str], since: datetime) -> Events:
    """What happened to accounts since a time.

    Args:
        lines: events as JSON, one a line, in any order: as `flask audit export` writes them, or as the event feed and
            webhooks have them.
        since: the time.

    Raises:
        UnreadableEvents: a line is no event, with its number.
    """
    last: dict[int, tuple[datetime, str]] = {}
    highest_id = 0
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            action, moment, user_id = _read(orjson.loads(line))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UnreadableEvents(_("Line %(number)s is not an event.", number=number)) from error
        highest_id = max(highest_id, user_id or 0)
        is_known = action in (*DELETIONS, CLOSING, *RESTORES)
        if user_id is None or not is_known or moment < since:
            continue
        known = last.get(user_id)
        if action in DELETIONS or known is None or (known[1] not in DELETIONS and moment >= known[0]):
            last[user_id] = (moment, action)
    departures = [Departure(user_id, moment, _change(action)) for user_id, (moment, action) in last.items()]
    return Events(sorted(departures, key=lambda departure: (departure.at, departure.user_id)), highest_id)


def _change(action: str) -> Change:
    if action in DELETIONS:
        return Change.DELETED
    return Change.CLOSED if action == CLOSING else Change.RESTORED


def _read(event: Any) -> tuple[str, datetime, int | None]:
    """The action and time of an event, and the id of the user that it is about, if any."""
    if "type" in event:
        action, moment = event["type"], event["timestamp"]
        user_id = event["data"].get("user", {}).get("id")
    else:
        action, moment = event["action"], event["occurred_at"]
        user_id = event["target_id"] if event["target_kind"] == "user" else None
    occurred_at = datetime.fromisoformat(moment)
    if occurred_at.tzinfo is None:
        raise ValueError("no time zone")
    return str(action), occurred_at.astimezone(UTC), None if user_id is None else int(user_id)
