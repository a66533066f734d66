"""The page of the shop on the staff site."""

from typing import Any

import flask

from userapi.extending import StaffView, db, list_users, page, parse_row_id

from . import baskets
from .texts import BASKETS


class BasketView(StaffView):
    """Baskets."""

    kind = "basket"
    path = "baskets"
    menu_title = BASKETS
    menu_icon = "list"

    @page("/", needs="view_basket")
    def show_list(self) -> str:
        """List the baskets that have items."""
        found = baskets.find_all()
        users = list_users([basket.user_id for basket in found])
        return self.render("shop/staff.html", baskets=found, users=users)

    @page("/empty/", needs="change_basket", methods=("POST",))
    def empty(self) -> Any:
        """Empty the basket of a user."""
        baskets.empty(parse_row_id(flask.request.form.get("user")))
        db.session.commit()
        return self.redirect_to("show_list")
