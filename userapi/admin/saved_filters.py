"""Saving and deleting filters of the user list. The list shows them."""

from typing import Any
from urllib.parse import parse_qsl, urlencode

from flask import request
from flask_babel import gettext as _
from werkzeug.datastructures import MultiDict

from userapi.auth.caller import get_caller
from userapi.core.db import db
from userapi.core.problems import Problem
from userapi.html.flash import flash
from userapi.html.forms import explain
from userapi.users import saved_filters

from . import profile_filters, user_list
from .views import StaffView, staff_page


class SavedFilterView(StaffView):
    """The saved filters of the caller."""

    kind = "user"

    def is_visible(self) -> bool:
        """Not in the menu."""
        return False

    def list_url(self, query: str) -> str:
        """The URL of the user list with this query string, which may hold anything."""
        query = urlencode(parse_qsl(query), errors="replace")
        return f"{self.get_url('staff_users.show_list')}{'?' if query else ''}{query}"

    @staff_page("/", needs="view", methods=("POST",))
    def save(self) -> Any:
        """Save the filters of the list, without its search text, under a name."""
        query = request.form.get("query", "")
        listing = user_list.read_list(MultiDict(parse_qsl(query)))
        if listing.errors:
            flash(_("Correct the invalid filters first."), "warning")
            return self.redirect_to_list(query)
        try:
            saved = saved_filters.save(get_caller().user.id, request.form.get("name", ""), listing.query_without_search)
            db.session.commit()
        except Problem as error:
            db.session.rollback()
            flash(explain(error), "danger")
        else:
            message = _("The filter %(name)s was saved.", name=saved.name)
            if "search" in listing.texts:
                message += " " + _("The search text is not saved.")
            if not profile_filters.list_personal().isdisjoint(listing.texts):
                message += " " + _("Filters by text in a profile are not saved, because the text may identify a user.")
            flash(message)
        return self.redirect_to_list(query)

    @staff_page("/<row_id:filter_id>/delete/", needs="view", methods=("POST",))
    def delete(self, filter_id: int) -> Any:
        """Delete a saved filter."""
        saved_filters.delete(get_caller().user.id, filter_id)
        db.session.commit()
        flash(_("The saved filter was deleted."))
        return self.redirect_to_list(request.form.get("query", ""))
