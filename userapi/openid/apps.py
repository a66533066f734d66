"""The applications that a user allows something: showing them, and withdrawing their access."""

import time
from typing import Any

from flask import current_app
from flask_babel import gettext as _

from userapi.audit import audit_log
from userapi.auth import sessions
from userapi.core import clock
from userapi.core.problems import NotFound

from . import (
    authorization_queries,
    client_session_queries,
    clients,
    device_queries,
    family_queries,
    logout_notices,
    queries,
    scopes,
)

#: How often a process without clients looks for one, in seconds: only then does the menu of accounts show the page.
CHECK_INTERVAL = 60.0

#: Whether there are clients, and when an application looks again, in its `extensions`.
FOUND = "userapi-openid-clients"


def list_apps(user_id: int) -> list[dict[str, Any]]:
    """The applications that a user allows something, or that hold tokens of the user, by name."""
    now = clock.now()
    return [
        {
            "client_id": row.id,
            "name": row.name,
            "home_page": row.home_page,
            "scopes": list(scopes.split(row.scopes)),
            "since": row.since,
            "last_used_at": row.last_used_at,
        }
        for row in queries.list_apps(user_id, now, sessions.idle_since(now))
    ]


def withdraw(user_id: int, client_id: str) -> None:
    """End the access of an application: its tokens, and what the user allowed it. It is notified.

    Raises:
        NotFound: the user allows it nothing, and it has no tokens.
    """
    client = queries.find_client(client_id)
    if client is None:
        raise NotFound(_("You allow no application with this id anything."))
    now = clock.now()
    # In the order of `families.begin`: an exchange that has begun is awaited here, and its family is ended below; one
    # that begins later finds no consent.
    authorization_queries.end_codes(user_id, client_id, now)
    device_queries.end_approvals(user_id, client_id, now)
    was_allowed = queries.delete_consent(user_id, client_id)
    if family_queries.end_families(user_id, client_id, now) == 0 and not was_allowed:
        raise NotFound(_("You allow no application with this id anything."))
    logout_notices.queue(client_session_queries.take_sessions_of(user_id, client_id))
    audit_log.record("consent.withdrawn", "user", user_id, clients.describe_end(client))


def has_any_client() -> bool:
    """Whether there is any client; a process that found none looks again after `CHECK_INTERVAL`."""
    found, until = current_app.extensions.get(FOUND, (False, 0.0))
    if not found and time.monotonic() >= until:
        found = queries.has_clients()
        current_app.extensions[FOUND] = (found, time.monotonic() + CHECK_INTERVAL)
    return bool(found)
