"""An event of the account service, as a webhook or the event feed gives it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


class InvalidEvent(ValueError):
    """Something that is not an event."""


@dataclass(frozen=True, slots=True)
class Event:
    """What happened to what. It has no personal data; read the user at `data["user"]["url"]`.

    Attributes:
        id: of the event; the same in a webhook and in the feed.
        type: such as `user.changed`.
        timestamp: when it happened.
        sequence: rises with each event of a user. Ignore an event that is older than what you have.
        user_id: the user it happened to; None if it happened to something else.
        changed: the names of the fields that changed.
        sessions: the ids of the sessions that ended; None if the event names none.
        data: the members of its `data`, also those above.
        message_id: of the webhook (`webhook-id`), the same when it is sent again; None in the feed.
    """

    id: str
    type: str
    timestamp: datetime
    sequence: int
    user_id: int | None
    changed: tuple[str, ...]
    sessions: tuple[str, ...] | None
    data: Mapping[str, Any]
    message_id: str | None = None


def parse_event(document: Any, message_id: str | None = None) -> Event:
    """The typed form of the JSON of an event.

    Args:
        document: the JSON, decoded.
        message_id: the id of the webhook, if it comes from one.

    Raises:
        InvalidEvent: it is not an event.
    """
    try:
        data, sessions = document["data"], document["data"].get("sessions")
        user = data.get("user")
        event = Event(
            id=_text(document.get("id", "")),
            type=_text(document["type"]),
            timestamp=datetime.fromisoformat(_text(document["timestamp"])),
            sequence=int(document.get("sequence", 0)),
            user_id=None if user is None else int(user["id"]),
            changed=tuple(_text(name) for name in data.get("changed", ())),
            sessions=None if sessions is None else tuple(_text(session) for session in sessions),
            data=data,
            message_id=message_id,
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise InvalidEvent(f"not an event: {error}") from error
    if event.timestamp.tzinfo is None:
        raise InvalidEvent("the timestamp has no time zone")
    return event


def parse_body(body: bytes, message_id: str) -> Event:
    """The event in the body of a webhook.

    Raises:
        InvalidEvent: there is none.
    """
    try:
        return parse_event(json.loads(body), message_id)
    except (ValueError, RecursionError) as error:  # also of bytes that are no text, and of numbers with many digits
        raise InvalidEvent("not JSON") from error


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not a text")
    return value
