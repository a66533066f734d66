"""An event as other services get it, from the event feed and from webhooks: what happened to what, without values.

It has no personal data, so nothing of a deleted account stays where it was sent.
"""

from typing import Any

from .audit_log import WITHHELD

#: The field whose values are given too: the ids of the sessions that ended.
SESSIONS = "sessions"


def build_event_document(event: Any, users_url: str) -> dict[str, Any]:
    """The document of an event; the order of its members does not matter.

    Args:
        event: a row of the audit log.
        users_url: what the URL of each user begins with.
    """
    changes = event.changes or {}
    data = _name_target(event, users_url)
    data["changed"] = sorted(changes)
    sessions = changes.get(SESSIONS, [None])[0]
    if isinstance(sessions, list) and sessions != [WITHHELD]:
        data["sessions"] = sessions
    data["actor"] = None if event.actor_id is None else {"id": event.actor_id}
    data["request_id"] = event.request_id
    data["key_id"] = event.key_id
    data["impersonator_id"] = event.impersonator_id
    return {
        "type": event.action,
        "timestamp": event.occurred_at,
        "id": f"evt_{event.id}",
        "sequence": event.id,
        "data": data,
    }


def _name_target(event: Any, users_url: str) -> dict[str, Any]:
    if event.target_kind is None or event.target_id is None:
        return {}
    if event.target_kind == "user":
        return {"user": {"id": int(event.target_id), "url": f"{users_url}{event.target_id}/"}}
    return {"target": {"kind": event.target_kind, "id": event.target_id}}
