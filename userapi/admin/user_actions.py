"""What can be done to many users at once: chosen one by one, or all that a list matches."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from flask import Response, request, stream_with_context
from flask_babel import gettext as _
from flask_babel import lazy_gettext, ngettext
from werkzeug.datastructures import MultiDict

from userapi.audit import audit_log
from userapi.auth.caller import get_caller
from userapi.auth.claims import parse_id
from userapi.bulk import jobs, rules
from userapi.bulk import queries as bulk_queries
from userapi.bulk.rules import RULES
from userapi.core import clock
from userapi.core.db import db
from userapi.core.i18n import number
from userapi.core.problems import NotFound, Problem
from userapi.transfer import export
from userapi.users import list_queries

from . import reauthentication, staff_auth, user_list
from .views import Form, StaffView, chosen_ids, page, say, see_other

#: So many accounts are locked and written in one transaction of one request; more are left to a worker.
MOST = 1000

#: The confirmation names so many of them.
NAMED = 20


class Action(NamedTuple):
    """What the staff site says of one thing that can be done to users.

    Attributes:
        label: on the button.
        question: the heading of the confirmation, for so many.
        done: what is said afterwards of so many.
        warning: what to consider first.
        unconcerned: why some accounts that match are left as they are.
        is_grave: cannot be undone: asks for the password.
    """

    label: str
    question: Callable[[int], str]
    done: Callable[[int], str]
    warning: str
    unconcerned: str = ""
    is_grave: bool = False


#: By the names of `rules.RULES`.
ACTIONS = {
    "activate": Action(
        lazy_gettext("Activate"),
        lambda n: ngettext("Activate %(count)s user?", "Activate %(count)s users?", n, count=number(n)),
        lambda n: ngettext("%(num)s user activated.", "%(num)s users activated.", n),
        lazy_gettext("These users will be able to sign in again."), lazy_gettext("Already active"),
    ),
    "deactivate": Action(
        lazy_gettext("Deactivate"),
        lambda n: ngettext("Deactivate %(count)s user?", "Deactivate %(count)s users?", n, count=number(n)),
        lambda n: ngettext("%(num)s user deactivated.", "%(num)s users deactivated.", n),
        lazy_gettext("These users will be signed out everywhere and cannot sign in until they are activated again."),
        lazy_gettext("Already inactive"),
    ),
    "end_sessions": Action(
        lazy_gettext("End sessions"),
        lambda n: ngettext(
            "End the sessions of %(count)s user?", "End the sessions of %(count)s users?", n, count=number(n)
        ),
        lambda n: ngettext("%(num)s user signed out.", "%(num)s users signed out.", n),
        lazy_gettext("These users will be signed out everywhere and must sign in again."),
    ),
    "send_reset": Action(
        lazy_gettext("Send password reset"),
        lambda n: ngettext(
            "Send a password reset to %(count)s user?", "Send a password reset to %(count)s users?", n, count=number(n)
        ),
        lambda n: ngettext("%(num)s reset link sent.", "%(num)s reset links sent.", n),
        lazy_gettext("Each active user gets an email with a single-use reset link."),
        lazy_gettext("Inactive"),
    ),
    "delete": Action(
        lazy_gettext("Delete"),
        lambda n: ngettext("Delete %(count)s user?", "Delete %(count)s users?", n, count=number(n)),
        lambda n: ngettext("%(num)s user deleted.", "%(num)s users deleted.", n),
        lazy_gettext("Their profiles, sessions and email links are deleted too. This cannot be undone."), is_grave=True,
    ),
}  # fmt: skip

EXPORTS = {"export_csv": "csv", "export_jsonl": "jsonl"}


class UserActions(StaffView):
    """The part of the list that acts on many."""

    def allowed_actions(self) -> list[tuple[str, str]]:
        """What the caller may do, as name and label."""
        allowed = [(name, action.label) for name, action in ACTIONS.items() if staff_auth.may(*RULES[name].needs)]
        return [*allowed, ("export_csv", _("Export as CSV")), ("export_jsonl", _("Export as JSON Lines"))]

    @page("/act/", needs="view", methods=("POST",))
    def act(self) -> Any:
        """Ask for a confirmation, then act on all of them or on none, or leave it to a worker where they are many."""
        name = request.form.get("action", "")
        chosen, query = chosen_ids("user"), request.form.get("query", "")
        filters = None
        if "all" in request.form:
            asked = _list_of(query)
            if asked.errors:
                say(_("Correct the invalid filters first."), "warning")
                return self.to_list(query)
            filters = asked.filters
        if name in EXPORTS:
            return self._export(name, filters, chosen)
        if name not in ACTIONS:
            raise NotFound(_("This action does not exist."))
        staff_auth.require(*RULES[name].needs)
        ids = chosen if filters is None else list_queries.ids(filters, MOST + 1)
        if not ids or (len(ids) > MOST and filters is None):
            say(_amount(ids), "warning")
            return self.to_list(query)
        newest = parse_id(request.form.get("newest", ""))
        is_confirmed = "confirmed" in request.form and (len(ids) <= MOST or newest is not None)
        if not is_confirmed:
            return self._confirm(name, filters, ids, Form())
        try:
            if ACTIONS[name].is_grave:
                reauthentication.require()
            if filters is not None and newest is not None:
                return self._start(name, filters, newest)
            done = sum([rules.act(name, user_id, by=get_caller().user) for user_id in ids])
            db.session.commit()
        except Problem as refusal:
            db.session.rollback()
            return self._confirm(name, filters, ids, Form.of(refusal))
        say(ACTIONS[name].done(done))
        return self.to_list(query)

    def _start(self, name: str, filters: Mapping[str, Any], newest: int) -> Any:
        query = _list_of(request.form.get("query", "")).query
        job = jobs.start(name, filters, query, newest, by=get_caller().user)
        db.session.commit()
        return see_other(self.get_url("staff_bulk.show", job_id=job.id))

    def _confirm(self, name: str, filters: Mapping[str, Any] | None, ids: list[int], form: Form) -> Any:
        """Say what would happen, and to how many.

        Args:
            name: of the action.
            filters: of the list, where all that match were chosen.
            ids: the accounts; where there are more than `MOST`, the first of them.
            form: that was sent.
        """
        in_background = len(ids) > MOST and filters is not None
        me = get_caller().user
        rule, matching = RULES[name], filters if in_background and filters is not None else {"ids": ids}
        tally = bulk_queries.tally(matching, rule.is_active, me.id)
        named = bulk_queries.first_emails(
            matching,
            rule.is_active,
            NAMED,
            but=me.id if in_background and rule.spares_own else None,
            superusers=me.is_superuser or not in_background,
        )
        return self.render(
            "admin/users/confirm.html",
            name=name,
            action=ACTIONS[name],
            ids=[] if in_background else ids,
            tally=tally,
            spares_own=rule.spares_own,
            in_background=in_background,
            named=named,
            form=form,
            is_fresh=not ACTIONS[name].is_grave or reauthentication.is_fresh(),
            query=request.form.get("query", ""),
        ), form.status

    def _export(self, name: str, filters: Mapping[str, Any] | None, chosen: list[int]) -> Any:
        try:
            reauthentication.require()
        except Problem as refusal:
            db.session.rollback()
            first = "confirmed" not in request.form
            return self._ask_before_export(name, Form() if first else Form.of(refusal))
        what = {"users": len(chosen)} if filters is None else {key: str(value) for key, value in filters.items()}
        facts = {"format": EXPORTS[name], **what}
        audit_log.record("users.exported", "user", None, {key: (None, value) for key, value in facts.items()})
        db.session.commit()
        return _download(EXPORTS[name], {"ids": chosen} if filters is None else filters)

    def _ask_before_export(self, name: str, form: Form) -> Any:
        sent = [(key, value) for key, value in request.form.items(multi=True) if key in ("user", "all", "query")]
        return self.render("admin/users/export.html", name=name, sent=sent, form=form), form.status


def _download(kind: str, filters: Mapping[str, Any]) -> Response:
    pieces = export.stream_export(kind, filters, with_groups=staff_auth.may("view", "group"))
    response = Response(stream_with_context(pieces), mimetype=export.FORMATS[kind].media_type)
    response.headers["Content-Disposition"] = f'attachment; filename="users-{clock.now():%Y%m%d-%H%M%S}.{kind}"'
    return response


def _list_of(query: str) -> user_list.Listing:
    return user_list.read(MultiDict(parse_qsl(query)))


def _amount(ids: list[int]) -> str:
    if not ids:
        return str(_("Select at least one user."))
    return str(_("Select at most %(most)s users, or select all matching users.", most=number(MOST)))
