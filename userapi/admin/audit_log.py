"""The audit trail, to read: who did what to whom, and what each field was before."""

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

#: What the form can say.
READERS = {
    **dict.fromkeys(("actor", "target", "action"), filters.words),
    "origin": filters.one_of(ORIGINS),
    "kind": filters.one_of(TARGETS),
    **dict.fromkeys(("since", "until"), filters.midnight),
}


class AuditView(StaffView):
    """What happened."""

    kind = "event"

    @staff_page("/", needs="view")
    def show_list(self) -> str:
        """Every event, by actor, origin, target, action and time."""
        asked = Filters(request.args, READERS)
        found = queries.NO_ROWS if asked.errors else queries.events(_conditions(asked.values), start(), PAGE_SIZE)
        choices = {"origins": ORIGINS, "kinds": TARGETS, "actions": sorted(ACTIONS)}
        return self.render(
            "admin/audit/list.html",
            page=found,
            names=names(found.rows),
            asked=asked.texts,
            errors=asked.errors,
            **choices,
        )


def start() -> int | None:
    """The id that the page begins below."""
    return parse_id(request.args.get("before", ""))


def names(rows: Iterable[Any]) -> Mapping[int, str]:
    """The addresses of those who acted, or were acted upon, as far as there still are any."""
    rows = list(rows)
    ids = {row.actor_id for row in rows if row.actor_id is not None}
    ids |= {int(row.target_id) for row in rows if row.target_kind == "user" and parse_id(row.target_id or "")}
    return user_queries.find_emails(ids)


def names_of(user_ids: Iterable[int | None]) -> Mapping[int, str]:
    """The addresses of users, as far as there still are any."""
    return user_queries.find_emails({user_id for user_id in user_ids if user_id is not None})


def _conditions(found: Mapping[str, Any]) -> dict[str, Any]:
    """What the form says, as the query takes it."""
    conditions = {name: found[name] for name in ("origin", "kind", "action", "since") if name in found}
    if "actor" in found:
        conditions["actor"] = _user_id(found["actor"])
    if "target" in found:
        kind = conditions.setdefault("kind", "user")
        conditions["target"] = str(_user_id(found["target"])) if kind == "user" else found["target"]
    if "until" in found:
        conditions["until"] = found["until"] + timedelta(days=1)
    return conditions


def _user_id(text: str) -> int:
    """The id that somebody typed, or that of the email; 0, which nobody has, for neither."""
    key = email_address.key_or_none(text)
    found = user_queries.find_id(key) if key else None
    return parse_id(text) or found or 0
