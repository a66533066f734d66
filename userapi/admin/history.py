"""The audit trail, to read: who did what to whom, and what each field was before."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from flask import request

from userapi.audit.names import ACTIONS, ORIGINS, TARGETS
from userapi.auth.tokens import parse_id
from userapi.users import emails
from userapi.users import queries as user_queries

from . import queries
from .listing import midnight
from .views import PAGE, StaffView, page, query_text

#: What the form can say.
FIELDS = ("actor", "origin", "kind", "target", "action", "since", "until")


class AuditView(StaffView):
    """What happened."""

    kind = "event"

    @page("/", needs="view")
    def show_list(self) -> str:
        """Every event, by actor, origin, target, action and time."""
        asked, filters = _asked()
        found = queries.events(filters, start(), PAGE)
        choices = {"origins": ORIGINS, "kinds": TARGETS, "actions": sorted(ACTIONS)}
        return self.render("admin/audit/list.html", page=found, names=names(found.rows), asked=asked, **choices)


def start() -> int | None:
    """The id that the page begins below."""
    return parse_id(request.args.get("before", ""))


def names(rows: Iterable[Any]) -> Mapping[int, str]:
    """The addresses of those who acted, or were acted upon, as far as there still are any."""
    rows = list(rows)
    ids = {row.actor_id for row in rows if row.actor_id is not None}
    ids |= {int(row.target_id) for row in rows if row.target_kind == "user" and parse_id(row.target_id or "")}
    return user_queries.emails_of(ids)


def names_of(user_ids: Iterable[int | None]) -> Mapping[int, str]:
    """The addresses of users, as far as there still are any."""
    return user_queries.emails_of({user_id for user_id in user_ids if user_id is not None})


def _asked() -> tuple[dict[str, str], dict[str, Any]]:
    """What the form says, and the same as the query takes it."""
    asked = {name: query_text(name) for name in FIELDS}
    filters: dict[str, Any] = {}
    for name, known in (("origin", ORIGINS), ("kind", TARGETS)):
        if asked[name] in known:
            filters[name] = asked[name]
        else:
            asked[name] = ""
    if asked["action"]:
        filters["action"] = asked["action"]
    if asked["actor"]:
        filters["actor"] = _user_id(asked["actor"])
    if asked["target"]:
        kind = filters.setdefault("kind", "user")
        filters["target"] = str(_user_id(asked["target"])) if kind == "user" else asked["target"]
    if since := midnight(asked["since"]):
        filters["since"] = since
    if until := midnight(asked["until"]):
        filters["until"] = until + timedelta(days=1)
    return {name: text for name, text in asked.items() if text}, filters


def _user_id(text: str) -> int:
    """The id that somebody typed, or that of the email; 0, which nobody has, for neither."""
    key = emails.key_or_none(text)
    found = user_queries.id_of(key) if key else None
    return parse_id(text) or found or 0
