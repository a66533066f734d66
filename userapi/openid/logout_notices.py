"""Telling clients that a session has ended (OpenID Connect Back-Channel Logout).

The notice is written in the transaction that ends the session, so neither is committed without the other, and delivered
until the client accepts it. The logout token is made for each attempt.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from flask import Flask

from userapi.core import hooks
from userapi.core.hooks import Hooks, Recorder
from userapi.outbound import form_notices, notices
from userapi.outbound.notices import NotAccepted
from userapi.users.models import User

from . import client_session_queries, openid_tokens, queries

#: The kind of these notices.
KIND = "logout"

#: Events after which sessions of a user have ended.
ENDS = frozenset(
    {"session.ended", "session.ended_all", "session.token_reused", "user.password_changed", "user.deactivated"}
)

#: The event after which those of all users have.
ENDS_ALL = "sessions.ended_all"


def configure(app: Flask) -> None:
    """Queue notices with the events that end sessions, and deliver them while the application serves."""
    registered: Hooks = app.extensions[hooks.REGISTRY]
    watched = client_session_queries.IS_ANY_WATCHED
    registered.on_record.append(Recorder(_queue_after_event, watched, (*ENDS, ENDS_ALL)))
    registered.on_user_deleted.append(_queue_for_deleted)
    form_notices.register(app, KIND, _make_fields, starts_when_needed=True)


def queue(ended: Iterable[Any]) -> None:
    """Queue the notices for watched sessions that were taken."""
    for row in ended:
        content = {"client": row.client_id, "sub": str(row.user_id), "sid": row.sid}
        notices.queue(KIND, row.client_id, content, url=row.uri)


def _queue_after_event(
    _event_id: int, action: str, _occurred_at: datetime, target_kind: str | None, target_id: str | None
) -> None:
    if action in ENDS and target_kind == "user" and target_id is not None:
        queue(client_session_queries.take_ended_sessions(int(target_id)))
    elif action == ENDS_ALL:
        queue(client_session_queries.take_ended_sessions(None))


def _queue_for_deleted(user: User) -> None:
    queue(client_session_queries.take_sessions_of(user.id, None))


def _make_fields(content: Mapping[str, Any]) -> Mapping[str, str]:
    """The form with a logout token (Back-Channel Logout, section 2.5)."""
    client = queries.find_active_client(content["client"])
    if client is None:
        raise NotAccepted("client_gone", is_final=True)
    token = openid_tokens.make_logout_token(client.id, content["sub"], content["sid"], client.id_token_alg)
    return {"logout_token": token}
