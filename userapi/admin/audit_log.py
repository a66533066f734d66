"""The audit log: who did what to whom, and what each field was before."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl

from flask import Response, request, stream_with_context
from flask_babel import gettext as _
from flask_babel import lazy_gettext
from werkzeug.datastructures import MultiDict

from userapi.audit import queries as audit_queries
from userapi.audit.names import ACTIONS, ORIGINS, TARGETS
from userapi.auth.claims import parse_id
from userapi.core import clock
from userapi.core.db import allow_standby, db
from userapi.core.problems import NotFound
from userapi.html.flash import flash
from userapi.transfer import audit_export
from userapi.users import email_address
from userapi.users import queries as user_queries

from . import filters, queries
from .filters import Filters
from .views import PAGE_SIZE, StaffView, current_query, make_visible_changes, staff_page

#: The filters of the list.
READERS = {
    **dict.fromkeys(("actor", "impersonator", "target", "action", "address"), filters.read_words),
    "origin": filters.reader_of(ORIGINS),
    "kind": filters.reader_of(TARGETS),
    **dict.fromkeys(("since", "until"), filters.read_day),
}


#: The buttons that export, by the format.
EXPORTS = {"csv": lazy_gettext("Export as CSV"), "jsonl": lazy_gettext("Export as JSON Lines")}


class AuditView(StaffView):
    """Audit events."""

    kind = "event"

    @staff_page("/", needs="view")
    def show_list(self) -> str:
        """List events by actor, impersonator, origin, target, action, IP address and time."""
        search = Filters(request.args, READERS)
        events = (
            queries.NO_ROWS
            if search.errors
            else queries.list_events(_to_conditions(search.values), first_id(), PAGE_SIZE)
        )
        choices = {"origins": ORIGINS, "kinds": TARGETS, "actions": sorted(ACTIONS), "exports": EXPORTS}
        return self.render(
            "admin/audit/list.html",
            page=events,
            names=audit_export.find_emails(events.rows),
            filters=search.texts,
            errors=search.errors,
            query=current_query(),
            **choices,
        )

    @staff_page("/<row_id:event_id>/", needs="view")
    def show(self, event_id: int) -> str:
        """Show everything that is stored of an event."""
        event = audit_queries.find_event(event_id)
        if event is None:
            raise NotFound(_("There is no event with this ID."))
        return self.render("admin/audit/show.html", event=event, names=audit_export.find_emails([event]))

    @staff_page("/export/", needs="view", methods=("POST",), fresh=True)
    def export(self) -> Any:
        """Download all events that match the filters of the list."""
        kind, query = request.form.get("format", ""), request.form.get("query", "")
        search = Filters(MultiDict(parse_qsl(query)), READERS)
        if kind not in audit_export.MEDIA_TYPES or search.errors:
            flash(_("Correct the invalid filters first."), "warning")
            return self.redirect_to_list(query)
        conditions = _to_conditions(search.values)
        event_id = audit_export.record_export({"format": kind} | conditions)
        db.session.commit()
        allow_standby()
        chunks = audit_export.stream_events(kind, conditions | {"before": event_id}, make_visible_changes())
        response = Response(stream_with_context(chunks), mimetype=audit_export.MEDIA_TYPES[kind])
        file_name = f"audit-log-{clock.now():%Y%m%d-%H%M%S}.{kind}"
        response.headers["Content-Disposition"] = f'attachment; filename="{file_name}"'
        return response


def first_id() -> int | None:
    """The ID below which the page begins."""
    return parse_id(request.args.get("before", ""))


def emails_of_users(user_ids: Iterable[int | None]) -> Mapping[int, str]:
    """The emails of users, without those of deleted users."""
    return user_queries.find_emails({user_id for user_id in user_ids if user_id is not None})


def _to_conditions(values: Mapping[str, Any]) -> dict[str, Any]:
    """The filters as `queries.list_events` expects them."""
    conditions = {name: values[name] for name in ("origin", "kind", "action", "address", "since") if name in values}
    for name in ("actor", "impersonator"):
        if name in values:
            conditions[name] = find_user_id(values[name])
    if "target" in values:
        kind = conditions.setdefault("kind", "user")
        conditions["target"] = str(find_user_id(values["target"])) if kind == "user" else values["target"]
    if "until" in values:
        conditions["until"] = values["until"] + timedelta(days=1)
    return conditions


def find_user_id(text: str) -> int:
    """The ID, or that of the user with this email; 0, which no user has, for any other text."""
    key = email_address.key_or_none(text)
    found = user_queries.find_id(key) if key else None
    return parse_id(text) or found or 0
