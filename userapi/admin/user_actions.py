"""What can be done to many users at once: chosen one by one, or all that a list matches."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from flask import Response, request, stream_with_context
from flask_babel import gettext as _
from flask_babel import lazy_gettext, ngettext

from userapi.audit import trail
from userapi.auth import passwords, sessions
from userapi.core import clock
from userapi.core.db import db
from userapi.core.i18n import number
from userapi.core.problems import NotFound, Problem
from userapi.users import accounts, groups, list_queries, queries
from userapi.users.models import User
from userapi.users.transfer import exporting

from . import entrance, listing, proof
from .views import Form, StaffView, chosen_ids, page, say

#: Each user's rows are locked and written one after the other in one transaction; for more there is the shell.
MOST = 1000

#: The confirmation names so many of them.
NAMED = 20


class Action(NamedTuple):
    """One thing that can be done to users.

    Attributes:
        label: on the button.
        done: what is said afterwards of so many.
        needs: the permission.
        rule: does it to one held user.
        warning: what to consider first.
        is_grave: cannot be taken back: asks for the password.
    """

    label: str
    done: Callable[[int], str]
    needs: tuple[str, str]
    rule: Callable[[User], None]
    warning: str
    is_grave: bool = False


def _mail_reset_link(user: User) -> None:
    if user.is_active:
        passwords.mail_reset_link(user)
        trail.record("user.password_reset_requested", "user", user.id)


CHANGE, DELETE, END = ("change", "user"), ("delete", "user"), ("delete", "session")

ACTIONS = {
    "activate": Action(
        lazy_gettext("Activate"), lambda n: ngettext("%(num)s user activated.", "%(num)s users activated.", n),
        CHANGE, accounts.activate, lazy_gettext("They can sign in again."),
    ),
    "deactivate": Action(
        lazy_gettext("Deactivate"), lambda n: ngettext("%(num)s user deactivated.", "%(num)s users deactivated.", n),
        CHANGE, accounts.deactivate, lazy_gettext("They are signed out everywhere, and cannot sign in."),
    ),
    "end_sessions": Action(
        lazy_gettext("End sessions"), lambda n: ngettext("%(num)s user signed out.", "%(num)s users signed out.", n),
        END, sessions.end_all, lazy_gettext("They have to sign in again."),
    ),
    "send_reset": Action(
        lazy_gettext("Send password reset"),
        lambda n: ngettext("%(num)s user sent a link.", "%(num)s users sent a link.", n),
        CHANGE, _mail_reset_link,
        lazy_gettext("Each active one gets a letter with a link that is good for an hour."),
    ),
    "delete": Action(
        lazy_gettext("Delete"), lambda n: ngettext("%(num)s user deleted.", "%(num)s users deleted.", n),
        DELETE, accounts.delete,
        lazy_gettext("Their profiles, sessions and links go with them. This cannot be undone."), is_grave=True,
    ),
}  # fmt: skip

EXPORTS = {"export_csv": "csv", "export_jsonl": "jsonl"}


class UserActions(StaffView):
    """The part of the list that acts on many."""

    def allowed_actions(self) -> list[tuple[str, str]]:
        """What the caller may do, as name and label."""
        allowed = [(name, action.label) for name, action in ACTIONS.items() if entrance.may(*action.needs)]
        return [*allowed, ("export_csv", _("Export as CSV")), ("export_jsonl", _("Export as JSON Lines"))]

    @page("/act/", needs="view", methods=("POST",))
    def act(self) -> Any:
        """Ask whether it is meant, then do it to all of them or to none."""
        name = request.form.get("action", "")
        chosen, query = chosen_ids("user"), request.form.get("query", "")
        filters = _matching(query) if "all" in request.form else None
        if name in EXPORTS:
            return self._export(name, filters, chosen)
        if name not in ACTIONS:
            raise NotFound(_("There is no such action."))
        entrance.require(*ACTIONS[name].needs)
        ids = chosen if filters is None else list_queries.ids(filters, MOST + 1)
        if not ids or len(ids) > MOST:
            say(_amount(ids), "warning")
            return self.to_list(query)
        if "confirmed" not in request.form:
            return self._confirm(name, ids, Form())
        try:
            if ACTIONS[name].is_grave:
                proof.require()
            done = _do(ACTIONS[name], ids)
            db.session.commit()
        except Problem as refusal:
            db.session.rollback()
            return self._confirm(name, ids, Form.of(refusal))
        say(ACTIONS[name].done(done))
        return self.to_list(query)

    def _confirm(self, name: str, ids: list[int], form: Form) -> Any:
        return self.render(
            "admin/users/confirm.html",
            name=name,
            action=ACTIONS[name],
            ids=ids,
            named=list(queries.emails_of(ids[:NAMED]).values()),
            form=form,
            is_fresh=not ACTIONS[name].is_grave or proof.is_fresh(),
            query=request.form.get("query", ""),
        ), form.status

    def _export(self, name: str, filters: Mapping[str, Any] | None, chosen: list[int]) -> Any:
        try:
            proof.require()
        except Problem as refusal:
            db.session.rollback()
            first = "confirmed" not in request.form
            return self._ask_before_export(name, Form() if first else Form.of(refusal))
        what = {"users": len(chosen)} if filters is None else {key: str(value) for key, value in filters.items()}
        facts = {"format": EXPORTS[name], **what}
        trail.record("users.exported", "user", None, {key: (None, value) for key, value in facts.items()})
        db.session.commit()
        return _download(EXPORTS[name], {"ids": chosen} if filters is None else filters)

    def _ask_before_export(self, name: str, form: Form) -> Any:
        sent = [(key, value) for key, value in request.form.items(multi=True) if key in ("user", "all", "query")]
        return self.render("admin/users/export.html", name=name, sent=sent, form=form), form.status


def _download(kind: str, filters: Mapping[str, Any]) -> Response:
    pieces = exporting.download(kind, filters, with_groups=entrance.may("view", "group"))
    response = Response(stream_with_context(pieces), mimetype=exporting.FORMATS[kind].media_type)
    response.headers["Content-Disposition"] = f'attachment; filename="users-{clock.now():%Y%m%d-%H%M%S}.{kind}"'
    return response


def _matching(query: str) -> Mapping[str, Any]:
    return listing.read(dict(parse_qsl(query))).filters


def _amount(ids: list[int]) -> str:
    if not ids:
        return str(_("Choose users first."))
    return str(
        _(
            "That would be more than %(most)s at once. Narrow the list, or use the shell: flask users --help.",
            most=number(MOST),
        )
    )


def _do(action: Action, ids: list[int]) -> int:
    """Act on each, in the order of their ids, so that two who act at once wait instead of blocking each other."""
    me = entrance.caller()
    for user_id in ids:
        user = accounts.hold(user_id, by=me)
        groups.require_authority(user, by=me)
        action.rule(user)
    return len(ids)
