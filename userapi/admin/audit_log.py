"""The audit log: who did what to whom, and what each field was before."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from flask import request

from userapi.audit.names import ACTIONS, ORIGINS, TARGETS
from userapi.auth.claims import parse_id
from userapi.users import email_address
from userapi.users import queries as user_queries

from . import filters, queries
from .filters import Filters
from .views import PAGE_SIZE, StaffView, staff_page

#: The filters of the list.
READERS = {
    **dict.fromkeys(("actor", "target", "action"), filters.read_words),
    "origin": filters.reader_of(ORIGINS),
    "kind": filters.reader_of(TARGETS),
    **dict.fromkeys(("since", "until"), filters.read_day),
}


class AuditView(StaffView):
    """Audit events."""

    kind = "event"

    @staff_page("/", needs="view")
    def show_list(self) -> str:
        """List events by actor, origin, target, action and time."""
        search = Filters(request.args, READERS)
        events = (
            queries.NO_ROWS
            if search.errors
            else queries.list_events(_to_conditions(search.values), first_id(), PAGE_SIZE)
        )
        choices = {"origins": ORIGINS, "kinds": TARGETS, "actions": sorted(ACTIONS)}
        return self.render(
            "admin/audit/list.html",
            page=events,
            names=emails_in_events(events.rows),
            filters=search.texts,
            errors=search.errors,
            **choices,
        )


def first_id() -> int | None:
    """The ID below which the page begins."""
    return parse_id(request.args.get("before", ""))


def emails_in_events(rows: Iterable[Any]) -> Mapping[int, str]:
    """The emails of actors and targets, without those of deleted users."""
    rows = list(rows)
    ids = {row.actor_id for row in rows if row.actor_id is not None}
    ids |= {int(row.target_id) for row in rows if row.target_kind == "user" and parse_id(row.target_id or "")}
    return user_queries.find_emails(ids)


def emails_of_users(user_ids: Iterable[int | None]) -> Mapping[int, str]:
    """The emails of users, without those of deleted users."""
    return user_queries.find_emails({user_id for user_id in user_ids if user_id is not None})


def _to_conditions(values: Mapping[str, Any]) -> dict[str, Any]:
    """The filters as `queries.list_events` expects them."""
    conditions = {name: values[name] for name in ("origin", "kind", "action", "since") if name in values}
    if "actor" in values:
        conditions["actor"] = _user_id(values["actor"])
    if "target" in values:
        kind = conditions.setdefault("kind", "user")
        conditions["target"] = str(_user_id(values["target"])) if kind == "user" else values["target"]
    if "until" in values:
        conditions["until"] = values["until"] + timedelta(days=1)
    return conditions


def _user_id(text: str) -> int:
    """The ID, or that of the user with this email; 0, which no user has, for any other text."""
    key = email_address.key_or_none(text)
    found = user_queries.find_id(key) if key else None
    return parse_id(text) or found or 0
