"""The sign-out notices of a client application on the staff site: what is queued, what failed, and sending it again."""

from typing import Any

import orjson
from flask import request
from flask_babel import gettext as _
from flask_babel import lazy_gettext, ngettext

from userapi.auth.claims import parse_id
from userapi.core.db import db
from userapi.html.flash import flash
from userapi.openid import clients, logout_notices
from userapi.outbound import notices, queries
from userapi.outbound.queries import State
from userapi.users import queries as user_queries

from . import filters, staff_auth
from .filters import Filters
from .views import PAGE_SIZE, StaffView, staff_page

CLIENT = "/<client_id>/"

READERS = {"state": filters.reader_of(list(State))}

STATES = {
    State.DUE: lazy_gettext("Queued"),
    State.SENT: lazy_gettext("Sent"),
    State.FAILED: lazy_gettext("Failed"),
}


class NoticePages(StaffView):
    """Pages about the sign-out notices of a client."""

    kind = "client"

    @staff_page(f"{CLIENT}notices/<row_id:notice_id>/retry/", needs="change", methods=("POST",))
    def retry_notice(self, client_id: str, notice_id: int) -> Any:
        """Queue a notice again."""
        client = clients.find(client_id)
        if notices.retry(client.id, notice_id):
            db.session.commit()
            flash(_("The notice was queued again."))
        else:
            flash(_("This notice has been sent, or was deleted."), "warning")
        return self.redirect_to("show", client_id=client_id)

    @staff_page(f"{CLIENT}notices/retry/", needs="change", methods=("POST",))
    def retry_notices(self, client_id: str) -> Any:
        """Queue all notices again that are due or have failed."""
        client = clients.find(client_id)
        count = notices.retry(client.id)
        db.session.commit()
        text = ngettext("%(num)s notice was queued again.", "%(num)s notices were queued again.", count)
        flash(text, "success" if count else "warning")
        return self.redirect_to("show", client_id=client_id)


def read_notices(client_id: str) -> dict[str, Any]:
    """The notices of a client that the query string of this request selects, for a template."""
    search = Filters(request.args, READERS)
    state = State(search.values["state"]) if "state" in search.values else None
    before = parse_id(request.args.get("before", ""))
    kind = logout_notices.KIND
    found = [] if search.errors else queries.newest(state, PAGE_SIZE + 1, kind, client_id, before)
    rows = [(row, _state_of(row), parse_id(orjson.loads(row.content)["sub"])) for row in found[:PAGE_SIZE]]
    users = {user_id for _row, _state, user_id in rows if user_id is not None}
    return {
        "notices": rows,
        "next": str(found[PAGE_SIZE - 1].id) if len(found) > PAGE_SIZE else None,
        "filters": search.texts,
        "errors": search.errors,
        "states": STATES,
        "may_retry": any(each is not State.SENT for _row, each, _user_id in rows)
        and staff_auth.may("change", "client"),
        "names": user_queries.find_emails(users) if staff_auth.may("view", "user") else {},
    }


def _state_of(row: Any) -> State:
    return State.SENT if row.sent_at else State.FAILED if row.failed_at else State.DUE
