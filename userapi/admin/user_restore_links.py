"""The links that restore a closed account. They take the permission to change users."""

from collections.abc import Callable
from typing import Any

from flask import request
from flask_babel import gettext as _

from userapi.core.db import db
from userapi.html.flash import flash
from userapi.privacy import restore_links
from userapi.users.models import User

from .user_holds import HoldPages
from .user_pages import USER, find_user, lock_user
from .views import staff_page


class RestoreLinkPages(HoldPages):
    """Pages about the links that restore a closed account."""

    @staff_page(f"{USER}restore-links/", needs="change")
    def show_restore_links(self, user_id: int) -> Any:
        """List the email addresses that got a link, with buttons to withdraw it and to send another."""
        user = find_user(user_id)
        return self.render("admin/users/restore_links.html", user=user, recipients=restore_links.list_recipients(user))

    @staff_page(f"{USER}restore-links/withdraw/", needs="change", methods=("POST",), fresh=True)
    def withdraw_restore_link(self, user_id: int) -> Any:
        """Make the links to one address invalid. The account stays closed."""
        if self._act_on_link(user_id, restore_links.withdraw):
            flash(_("The link was withdrawn. The account cannot be restored with it any more."))
        return self.redirect_to_user(user_id, "show_restore_links")

    @staff_page(f"{USER}restore-links/send/", needs="change", methods=("POST",), fresh=True)
    def send_restore_link(self, user_id: int) -> Any:
        """Send another link to one address."""
        if self._act_on_link(user_id, restore_links.resend):
            flash(_("The link was sent."))
        return self.redirect_to_user(user_id, "show_restore_links")

    def _act_on_link(self, user_id: int, act: Callable[[User, str], list[str]]) -> bool:
        is_done = bool(act(lock_user(user_id), request.form.get("address", "")))
        db.session.commit()
        if not is_done:
            flash(_("Nothing was changed: the account or its links have changed in the meantime."), "warning")
        return is_done
