"""The sessions and the activity of an account, as its owner sees them."""

from dataclasses import replace
from typing import Any

from userapi.audit import activity
from userapi.audit.activity import Activity
from userapi.http.pagination import Cursor
from userapi.users.declaration import get_declaration

from . import sessions
from .caller import Caller


def list_sessions(caller: Caller) -> list[dict[str, Any]]:
    """The active sessions of the caller as JSON objects, most recently used first."""
    mine = sessions.list_user_sessions(caller.user.id)
    return [_describe_session(row, is_current=row.id == caller.session_id) for row in mine]


def _describe_session(row: Any, *, is_current: bool) -> dict[str, Any]:
    session = {**row._mapping, "current": is_current}
    if session.pop("impersonator_id") is None:
        return session
    return session | {"by_staff": True}


def list_activity(user_id: int, limit: int, cursor: str | None = None) -> tuple[list[Activity], Cursor | None]:
    """As `activity.list_activity`, with the names of only those profile fields that owners see."""
    activities, following = activity.list_activity(user_id, limit, cursor)
    shows_owners = get_declaration().shows_owners
    return [replace(each, fields=list(filter(shows_owners, each.fields))) for each in activities], following
