"""Leaving: the accounts that their owners have closed, and those that a legal hold keeps."""

from datetime import datetime

from flask import request

from userapi.auth.claims import parse_id
from userapi.core import clock
from userapi.privacy import queries

from . import filters
from .filters import Filters
from .queries import NO_ROWS, ListPage
from .views import PAGE_SIZE, StaffView, current_query, staff_page

#: Which accounts: closed ones that will be deleted, and those under a legal hold.
STATES = ("closed", "held")


class LeavingView(StaffView):
    """Closed and held accounts."""

    kind = "user"

    def is_visible(self) -> bool:
        """Not in the menu: the list of inactive users leads here, and the page of a legal hold (decision 0102)."""
        return False

    @staff_page("/", needs="view")
    def show_list(self) -> str:
        """List accounts that were closed, those first that are deleted first; or those under a hold."""
        search = Filters(request.args, {"state": filters.reader_of(STATES)})
        found = NO_ROWS if search.errors else _read_page(search.values.get("state", "closed"))
        return self.render(
            "admin/leaving/list.html",
            page=found,
            filters=search.texts,
            errors=search.errors,
            query=current_query(),
            now=clock.now(),
        )


def _read_page(state: str) -> ListPage:
    start, _, row_id = request.args.get("before", "").partition("~")
    last_id = parse_id(row_id)
    if state == "held":
        rows = queries.list_held(last_id or 0, PAGE_SIZE + 1)
    else:
        rows = queries.list_closed(_read_time(start) if last_id else None, last_id, PAGE_SIZE + 1)
    if len(rows) <= PAGE_SIZE:
        return ListPage(rows, None)
    last = rows[PAGE_SIZE - 1]
    moment = last.closes_at.isoformat() if last.closes_at else ""
    return ListPage(rows[:PAGE_SIZE], f"{moment}~{last.id}")


def _read_time(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None
