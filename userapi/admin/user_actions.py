"""Actions of the user list on many users: selected one by one, or all that match its filters."""

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
from userapi.core.db import allow_standby, db
from userapi.core.i18n import format_number
from userapi.core.problems import NotFound, Problem
from userapi.html.flash import flash
from userapi.html.forms import Form
from userapi.html.redirects import see_other
from userapi.transfer import export
from userapi.users import list_queries
from userapi.users import queries as user_queries

from . import staff_auth, user_list
from .views import StaffView, back_query, selected_ids

#: Users that one request locks and changes in one transaction; a background job changes more.
MAX_USERS = 1000

#: Users whose emails the confirmation lists.
MAX_LISTED = 20


class Action(NamedTuple):
    """The texts of one action on users.

    Attributes:
        label: on the button.
        question: the heading of the confirmation, by the number of users.
        done: the message afterwards, by the number of users.
        warning: what to consider first, by the number of users.
        unaffected: why some users that match are skipped.
        destructive: cannot be undone.
        needs_proof: requires a recent proof of identity.
    """

    label: str
    question: Callable[[int], str]
    done: Callable[[int], str]
    warning: Callable[[int], str]
    unaffected: str = ""
    destructive: bool = False
    needs_proof: bool = False


#: By the names in `rules.RULES`.
ACTIONS = {
    "activate": Action(
        lazy_gettext("Activate"),
        lambda n: ngettext("Activate %(count)s user?", "Activate %(count)s users?", n, count=format_number(n)),
        lambda n: ngettext("%(num)s user activated.", "%(num)s users activated.", n),
        lambda n: ngettext(
            "This user will be able to sign in again.",
            "These users will be able to sign in again.",
            n,
        ), lazy_gettext("Already active"),
        needs_proof=True,
    ),
    "deactivate": Action(
        lazy_gettext("Deactivate"),
        lambda n: ngettext("Deactivate %(count)s user?", "Deactivate %(count)s users?", n, count=format_number(n)),
        lambda n: ngettext("%(num)s user deactivated.", "%(num)s users deactivated.", n),
        lambda n: ngettext(
            "This user will be signed out everywhere and cannot sign in until activated again.",
            "These users will be signed out everywhere and cannot sign in until they are activated again.",
            n,
        ),
        lazy_gettext("Already inactive"),
        needs_proof=True,
    ),
    "end_sessions": Action(
        lazy_gettext("End sessions"),
        lambda n: ngettext(
            "End the sessions of %(count)s user?", "End the sessions of %(count)s users?", n, count=format_number(n)
        ),
        lambda n: ngettext("%(num)s user signed out.", "%(num)s users signed out.", n),
        lambda n: ngettext(
            "This user will be signed out everywhere and must sign in again.",
            "These users will be signed out everywhere and must sign in again.",
            n,
        ),
    ),
    "send_reset": Action(
        lazy_gettext("Send password reset"),
        lambda n: ngettext(
            "Send a password reset to %(count)s user?",
            "Send a password reset to %(count)s users?",
            n,
            count=format_number(n),
        ),
        lambda n: ngettext("%(num)s reset link sent.", "%(num)s reset links sent.", n),
        lambda n: ngettext(
            "The user gets an email with a single-use reset link.",
            "Each active user gets an email with a single-use reset link.",
            n,
        ),
        lazy_gettext("Inactive"),
    ),
    "delete": Action(
        lazy_gettext("Delete"),
        lambda n: ngettext("Delete %(count)s user?", "Delete %(count)s users?", n, count=format_number(n)),
        lambda n: ngettext("%(num)s user deleted.", "%(num)s users deleted.", n),
        lambda n: ngettext(
            "The profile, sessions and email links of this user are deleted too. This cannot be undone.",
            "The profiles, sessions and email links of these users are deleted too. This cannot be undone.",
            n,
        ),
        destructive=True,
        needs_proof=True,
    ),
}  # fmt: skip

EXPORTS = {"export_csv": "csv", "export_jsonl": "jsonl"}


def allowed_actions() -> list[tuple[str, str]]:
    """Name and label of the actions that the caller may start."""
    allowed = [(name, action.label) for name, action in ACTIONS.items() if staff_auth.may(*RULES[name].needs)]
    return [*allowed, ("export_csv", _("Export as CSV")), ("export_jsonl", _("Export as JSON Lines"))]


def run_action(view: StaffView) -> Any:
    """Confirm an action, then do it to all selected users or, after an error, to none.

    Where it affects too many users for one request, a background job does it.

    Args:
        view: the user list.
    """
    name = request.form.get("action", "")
    selected, query = selected_ids("user"), request.form.get("query", "")
    filters = None
    if "all" in request.form:
        listing = _parse_list(query)
        if listing.errors:
            flash(_("Correct the invalid filters first."), "warning")
            return view.redirect_to_list(query)
        filters = listing.filters
    if name in EXPORTS:
        return _export(name, filters, selected)
    if name not in ACTIONS:
        raise NotFound(_("This action does not exist."))
    staff_auth.require(*RULES[name].needs)
    ids = selected if filters is None else list_queries.find_ids(filters, MAX_USERS + 1)
    if not ids or (len(ids) > MAX_USERS and filters is None):
        flash(_explain_selection(ids), "warning")
        return _redirect_back(view, query)
    newest = parse_id(request.form.get("newest", ""))
    is_confirmed = "confirmed" in request.form and (len(ids) <= MAX_USERS or newest is not None)
    if not is_confirmed:
        return _show_confirmation(view, name, filters, ids, Form())
    if ACTIONS[name].needs_proof:
        staff_auth.require_fresh_proof()
    stopped_at = None
    try:
        if filters is not None and newest is not None:
            return _start_job(view, name, filters, newest)
        done = 0
        for stopped_at in ids:
            done += rules.act_on_account(name, stopped_at, by=get_caller().user)
        db.session.commit()
    except Problem as error:
        db.session.rollback()
        return _show_confirmation(view, name, filters, ids, Form.rejected(error), stopped_at)
    flash(ACTIONS[name].done(done))
    return _redirect_back(view, query)


def _redirect_back(view: StaffView, query: str) -> Response:
    """Redirect to the page of the user where the action was chosen, or to the list."""
    user_id = parse_id(request.form.get("of_user", ""))
    if user_id is None:
        return view.redirect_to_list(query)
    return view.redirect_to("show", user_id=user_id, back=back_query() or None)


def _start_job(view: StaffView, name: str, filters: Mapping[str, Any], newest: int) -> Any:
    query = _parse_list(request.form.get("query", "")).query
    job = jobs.start_bulk_action(name, filters, query, newest, by=get_caller().user)
    db.session.commit()
    return see_other(view.get_url("staff_bulk.show", job_id=job.id))


def _show_confirmation(
    view: StaffView,
    name: str,
    filters: Mapping[str, Any] | None,
    ids: list[int],
    form: Form,
    stopped_at: int | None = None,
) -> Any:
    """Show what the action would do, and to how many users.

    Args:
        view: the user list.
        name: of the action.
        filters: of the list, when all matching users were selected.
        ids: the users; if there are more than `MAX_USERS`, the first of them.
        form: with the errors of the first attempt.
        stopped_at: the user with whom the first attempt failed.
    """
    in_background = len(ids) > MAX_USERS and filters is not None
    me = get_caller().user
    rule, matching = RULES[name], filters if in_background and filters is not None else {"ids": ids}
    tally = bulk_queries.count_targets(matching, rule.is_active, me.id)
    emails = bulk_queries.first_emails(
        matching,
        rule.is_active,
        MAX_LISTED,
        exclude_id=me.id if in_background and rule.spares_own else None,
        superusers=me.is_superuser or not in_background,
    )
    return view.render(
        "admin/users/confirm.html",
        name=name,
        action=ACTIONS[name],
        ids=[] if in_background else ids,
        tally=tally,
        spares_own=rule.spares_own,
        in_background=in_background,
        emails=emails,
        form=form,
        stopped_at=user_queries.find_emails({stopped_at}) if stopped_at and len(ids) > 1 else {},
        query=request.form.get("query", ""),
        of_user=parse_id(request.form.get("of_user", "")),
    ), form.status


def _export(name: str, filters: Mapping[str, Any] | None, selected: list[int]) -> Any:
    staff_auth.require_fresh_proof()
    scope = {"users": len(selected)} if filters is None else {key: str(value) for key, value in filters.items()}
    changes = {key: (None, value) for key, value in {"format": EXPORTS[name], **scope}.items()}
    audit_log.record("users.exported", "user", None, changes)
    db.session.commit()
    return _download(EXPORTS[name], {"ids": selected} if filters is None else filters)


def _download(file_format: str, filters: Mapping[str, Any]) -> Response:
    allow_standby()
    chunks = export.stream_export(file_format, filters, with_groups=staff_auth.may("view", "group"))
    response = Response(stream_with_context(chunks), mimetype=export.FORMATS[file_format].media_type)
    file_name = f"users-{clock.now():%Y%m%d-%H%M%S}.{file_format}"
    response.headers["Content-Disposition"] = f'attachment; filename="{file_name}"'
    return response


def _parse_list(query: str) -> user_list.Listing:
    return user_list.read_list(MultiDict(parse_qsl(query)))


def _explain_selection(ids: list[int]) -> str:
    if not ids:
        return str(_("Select at least one user."))
    text: str = ngettext(
        "Select at most %(most)s user, or select all matching users.",
        "Select at most %(most)s users, or select all matching users.",
        MAX_USERS,
        most=format_number(MAX_USERS),
    )
    return text
