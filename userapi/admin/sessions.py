"""Sessions: who is signed in and from where, and ending a session."""

import uuid
from datetime import datetime
from typing import Any

from flask import Response, request
from flask_babel import gettext as _
from flask_babel import ngettext

from userapi.auth import queries as auth_queries
from userapi.auth import sessions
from userapi.auth.caller import get_caller
from userapi.auth.claims import parse_id, parse_uuid
from userapi.core import clock
from userapi.core.db import db
from userapi.core.problems import NotFound
from userapi.html.flash import flash
from userapi.html.redirects import see_other
from userapi.http.user_agents import describe_user_agent
from userapi.users import accounts

from . import audit_log, filters, queries
from .filters import Filters
from .views import PAGE_SIZE, StaffView, back_query, current_query, staff_page

#: Sessions that one request ends.
MAX_SESSIONS = 100

STATES = {"active": True, "ended": False}

READERS = {"user": filters.read_words, "address": filters.read_words, "state": filters.reader_of(STATES)}


class SessionView(StaffView):
    """Sessions."""

    kind = "session"

    @staff_page("/", needs="view")
    def show_list(self) -> str:
        """List sessions by user, IP address and status."""
        search, now = Filters(request.args, READERS), clock.now()
        conditions = dict(search.values)
        if "state" in conditions:
            conditions["active"] = STATES[conditions.pop("state")]
        if "user" in conditions:
            conditions["user"] = audit_log.find_user_id(conditions["user"])
        idle_since = sessions.idle_since(now)
        found = (
            queries.NO_ROWS
            if search.errors
            else queries.list_session_page(conditions, first_session(), PAGE_SIZE, now, idle_since)
        )
        context = {
            "page": found,
            "filters": search.texts,
            "errors": search.errors,
            "query": current_query(),
        }
        return self.render("admin/sessions/list.html", **context, describe=describe_user_agent)

    @staff_page("/<uuid:session_id>/end/", needs="delete", methods=("POST",))
    def end(self, session_id: uuid.UUID) -> Any:
        """End a session now."""
        session = auth_queries.read_session(session_id)
        if session is None:
            raise NotFound(_("There is no session with this ID."))
        user = accounts.lock(session.user_id, by=get_caller().user, permission="delete_session")
        sessions.end_session(session_id, user.id)
        db.session.commit()
        flash(_("The session of %(email)s was ended.", email=user.email))
        return self._redirect_back()

    @staff_page("/end/", needs="delete", methods=("POST",))
    def end_many(self) -> Any:
        """End the selected sessions now, or none of them if the caller may not end one."""
        ids = {parse_uuid(text) for text in request.form.getlist("session")} - {None}
        if not 0 < len(ids) <= MAX_SESSIONS:
            flash(
                ngettext(
                    "Select between 1 and %(num)s session.", "Select between 1 and %(num)s sessions.", MAX_SESSIONS
                ),
                "warning",
            )
            return self._redirect_back()
        ended = sessions.end_chosen_sessions([each for each in ids if each], by=get_caller().user)
        db.session.commit()
        flash(ngettext("%(num)s session was ended.", "%(num)s sessions were ended.", ended))
        return self._redirect_back()

    def _redirect_back(self) -> Response:
        """Redirect to the list, or to the sessions of the user on whose page the form was."""
        user_id = parse_id(request.form.get("of_user", ""))
        if user_id is not None:
            tab = self.get_url("staff_users.show_sessions", user_id=user_id, back=back_query() or None)
            return see_other(tab)
        query = request.form.get("query", "")
        back = self.get_url(".show_list")
        return see_other(f"{back}?{query}" if query.isascii() and query.isprintable() and query else back)


def first_session() -> tuple[datetime, uuid.UUID] | None:
    """The end and the ID of the session after which the page begins."""
    end, _, row_id = request.args.get("before", "").partition("~")
    session_id = parse_uuid(row_id)
    try:
        moment = datetime.fromisoformat(end)
    except ValueError:
        return None
    return (moment, session_id) if session_id is not None and moment.tzinfo is not None else None
