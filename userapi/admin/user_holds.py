"""The legal hold on a user. It takes the permission to delete users."""

from typing import Any

from flask import request
from flask_babel import gettext as _

from userapi.core.db import db
from userapi.core.problems import ValidationFailed
from userapi.html.flash import flash
from userapi.html.forms import Form
from userapi.privacy import holds
from userapi.users import permissions

from .user_keys import KeyPages
from .user_pages import USER, find_user, lock_user
from .views import staff_page


class HoldPages(KeyPages):
    """Pages about the legal hold on a user."""

    @staff_page(f"{USER}hold/", needs="delete")
    def show_hold(self, user_id: int) -> Any:
        """Show the form that holds a user, or ends the hold."""
        return self._show_hold(user_id, Form())

    @staff_page(f"{USER}hold/", needs="delete", methods=("POST",), fresh=True)
    def hold(self, user_id: int) -> Any:
        """Keep a user from being deleted."""
        user = lock_user(user_id, permissions.DELETE_USER)
        try:
            holds.hold(user, request.form.get("reason", ""))
            db.session.commit()
        except ValidationFailed as error:
            db.session.rollback()
            return self._show_hold(user_id, Form.rejected(error, dict(request.form)))
        flash(_("%(email)s is under a legal hold and cannot be deleted.", email=user.email))
        return self.redirect_to_user(user_id)

    @staff_page(f"{USER}release/", needs="delete", methods=("POST",), fresh=True)
    def release(self, user_id: int) -> Any:
        """End the hold on a user."""
        user = lock_user(user_id, permissions.DELETE_USER)
        if holds.release(user):
            db.session.commit()
            flash(_("%(email)s can be deleted again.", email=user.email))
        return self.redirect_to_user(user_id)

    def _show_hold(self, user_id: int, form: Form) -> Any:
        user = find_user(user_id)
        return self.render("admin/users/hold.html", user=user, form=form), form.status
