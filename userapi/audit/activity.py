"""The activity of an account: the events of the audit log that its owner may see, in the owner's words.

Only events whose target is the account belong to it. What staff did to the account is shown, but not who did it or from
where.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from flask_babel import lazy_gettext

from userapi.core.context import Origin
from userapi.http.pagination import Cursor, decode_cursor

from . import queries
from .names import ACTIONS

#: The actions that owners see and that staff read in other words.
OWN_TEXTS = {
    "user.data_exported": lazy_gettext("Account data downloaded"),  # by an earlier version
    "user.created": lazy_gettext("Account created"),
    "user.changed": lazy_gettext("Account details changed"),
    "user.activated": lazy_gettext("Account activated"),
    "user.deactivated": lazy_gettext("Account deactivated"),
    "user.closing": lazy_gettext("Account closed"),
    "user.restored": lazy_gettext("Account restored"),
    "user.restore_withdrawn": lazy_gettext("Link to restore the account withdrawn by support"),
    "user.restore_sent": lazy_gettext("Link to restore the account sent by support"),
    "user.claimed": lazy_gettext("Email confirmed by a code, and earlier ways to sign in removed"),
    "session.ended_all": lazy_gettext("All sessions ended, or all except the current one"),
    "session.token_reused": lazy_gettext("Session ended because an old token was used again"),
    "factors.reset": lazy_gettext("Second factors reset by support"),
    "impersonation.started": lazy_gettext("Our staff signed in to your account"),
    "impersonation.ended": lazy_gettext("Our staff are no longer signed in to your account"),
}

#: The other actions that owners see.
SHARED = (
    "user.rights_changed", "user.password_changed", "user.password_check_failed", "user.password_reset_requested",
    "user.exported_own", "invitation.accepted",
    "email.verification_requested", "email.change_requested", "email.change_undone", "email.verified",
    "sign_in.code_requested", "sign_in.failed", "session.started", "session.proved", "session.ended",
    "factor.added", "factor.renamed", "factor.removed", "factors.imported", "factors.unlocked",
    "second_step.on", "second_step.off",
    "second_step.requested", "second_step.failed", "second_step.locked", "recovery_codes.made", "recovery_code.used",
    "api_key.created", "api_key.rotated", "api_key.exchanged", "api_key.revoked",
    "device.remembered", "device.forgotten", "user.password_removed",
    "passkey.counter_went_back", "consent.given", "consent.withdrawn", "app.signed_in", "app.access_ended",
    "app.token_reused", "device_sign_in.approved", "device_sign_in.denied",
)  # fmt: skip

#: What the activity page says about each action that owners see.
TEXTS = {**OWN_TEXTS, **{action: ACTIONS[action] for action in SHARED}}

#: Actions that a user who does not recognize them should react to.
ALARMING = (
    "sign_in.failed", "user.password_check_failed", "session.token_reused", "second_step.failed", "second_step.locked",
    "passkey.counter_went_back", "factors.reset", "recovery_code.used", "app.token_reused",
)  # fmt: skip

ORDERING = "-id"

MAX_PAGE_SIZE = 200


class Source(StrEnum):
    """Who caused an event."""

    OWNER = "owner"
    ANONYMOUS = "anonymous"
    STAFF = "staff"
    SYSTEM = "system"


@dataclass(frozen=True)
class Activity:
    """An event as the owner of the account may see it.

    Attributes:
        id: of the event.
        action: a key of `TEXTS`.
        occurred_at: when it happened.
        source: who caused it.
        address: the IP address; None for what staff or the system did.
        user_agent: what the browser or program calls itself; None in the same cases, and if it is not known.
        fields: the names of the fields that changed, such as `profile.city`.
        key_id: the owner's API key that was used, if any.
        application: the name of the client application that the event is about, if any, as it was then.
    """

    id: int
    action: str
    occurred_at: datetime
    source: Source
    address: str | None
    user_agent: str | None
    fields: list[str]
    key_id: str | None
    application: str | None


def list_activity(user_id: int, limit: int, cursor: str | None = None) -> tuple[list[Activity], Cursor | None]:
    """The newest activities of an account, and where the next page starts.

    Args:
        user_id: the account.
        limit: activities on a page.
        cursor: where the page starts, as an earlier call returned it.

    Raises:
        ValidationFailed: the cursor is not valid.
    """
    start = {"before": decode_cursor(cursor, ORDERING).row_id} if cursor else {}
    found = queries.newest({"kind": "user", "target": str(user_id), "actions": tuple(TEXTS), **start}, limit + 1)
    rows = [_activity(event, user_id) for event in found[:limit]]
    return rows, _next_cursor(found, limit)


def _next_cursor(found: Sequence[Any], limit: int) -> Cursor | None:
    return Cursor(ORDERING, "next", None, found[limit - 1].id) if len(found) > limit else None


def _activity(event: Any, user_id: int) -> Activity:
    source = find_source(event, user_id)
    is_private = source in (Source.STAFF, Source.SYSTEM)
    return Activity(
        id=event.id,
        action=event.action,
        occurred_at=event.occurred_at,
        source=source,
        address=None if is_private else event.address,
        user_agent=None if is_private else event.user_agent,
        fields=sorted(event.changes or ()) if event.action == "user.changed" else [],
        key_id=event.key_id if source is Source.OWNER else None,
        application=_application(event.changes or {}),
    )


def _application(changes: dict[str, list[Any]]) -> str | None:
    if "client" not in changes:
        return None
    before, after = changes["name"]
    name: str = after or before
    return name


def find_source(event: Any, user_id: int) -> Source:
    """Who caused an event, as seen by a user."""
    if event.impersonator_id not in (None, user_id):
        return Source.STAFF
    if event.actor_id == user_id:
        return Source.OWNER
    if event.actor_id is not None or event.origin == Origin.COMMAND_LINE:
        return Source.STAFF
    return Source.ANONYMOUS if event.origin in (Origin.WEB, Origin.API) else Source.SYSTEM
