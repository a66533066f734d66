"""The bodies of requests to webhooks: made when they are sent, of the event and of the user as they are then."""

from userapi.audit import queries as audit_queries
from userapi.audit.event_document import build_event_document
from userapi.core import clock
from userapi.http.responses import dump_json
from userapi.users import queries as user_queries
from userapi.users import user_json
from userapi.users.site_urls import users_url

#: A body with a user that is longer, in bytes, is sent without the user's fields.
MAX_BODY = 20_000

#: The type of a test.
TEST = "webhook.test"


def build_body(event_id: int, *, includes_user: bool) -> bytes | None:
    """The body for an event; None if the event was deleted. Call it outside a transaction.

    Args:
        event_id: the event.
        includes_user: whether to include the user whom the event is about, if they still exist.
    """
    event = audit_queries.find_event(event_id)
    if event is None:
        return None
    document = build_event_document(event, users_url())
    thin = dump_json(document)
    data = document["data"]
    if not includes_user or "user" not in data:
        return thin
    row = user_queries.find_row(data["user"]["id"])
    if row is None:
        return thin
    full = dump_json({**document, "data": {**data, "user": user_json.from_row_for_services(row)}})
    return full if len(full) <= MAX_BODY else thin


def build_test_body() -> bytes:
    """The body of a test, which is about no event."""
    return dump_json({"type": TEST, "timestamp": clock.now(), "data": {}})
