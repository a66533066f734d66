"""The page on the staff site: organisations with their members."""

from collections import defaultdict
from typing import Any

import flask

from userapi.extending import StaffView, db, list_users, page, parse_row_id

from . import queries, rules
from .models import Membership
from .texts import ORGANISATIONS, ROLES

PAGE_SIZE = 50


class OrganisationView(StaffView):
    """Organisations."""

    kind = "organisation"
    path = "list"
    menu_title = ORGANISATIONS
    menu_icon = "users-group"

    @page("/", needs="view_organisation")
    def show_list(self) -> str:
        """List organisations and their members."""
        found = queries.list_all(parse_row_id(flask.request.args.get("after", "0")), PAGE_SIZE)
        members: dict[int, list[Membership]] = defaultdict(list)
        for membership in queries.list_memberships([organisation.id for organisation in found]):
            members[membership.organisation_id].append(membership)
        users = list_users([each.user_id for memberships in members.values() for each in memberships])
        after = found[-1].id if len(found) == PAGE_SIZE else None
        shown = {"organisations": found, "members": members, "users": users, "roles": ROLES, "after": after}
        return str(self.render("organisations/staff.html", **shown))

    @page("/delete/", needs="delete_organisation", methods=("POST",), fresh=True)
    def delete(self) -> Any:
        """Delete an organisation."""
        rules.delete(parse_row_id(flask.request.form.get("organisation")), by=None)
        db.session.commit()
        return self.redirect_to("show_list")
