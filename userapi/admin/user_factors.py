"""The second factors of a user: what is set up, and removing all of it for a user who has lost access."""

from typing import Any

from flask import request
from flask_babel import gettext as _

from userapi.auth import factor_reset
from userapi.auth.caller import get_caller
from userapi.auth.factor_reset import MAX_REASON_LENGTH
from userapi.core.db import db
from userapi.core.problems import PermissionDenied, Problem, ValidationFailed
from userapi.html.flash import flash
from userapi.html.forms import Form
from userapi.mfa import factors, guesses
from userapi.users import permissions

from .user_pages import USER, UserPages, explain_lack_of_authority, find_viewable_user, lock_user
from .views import staff_page


class FactorPages(UserPages):
    """Pages about the second factors of a user."""

    @staff_page(f"{USER}factors/", needs="view_factor")
    def show_factors(self, user_id: int) -> Any:
        """List the second factors of a user, without their secrets."""
        return self._show_factors(user_id, Form())

    @staff_page(f"{USER}factors/reset/", needs="delete_factor", methods=("POST",), fresh=True)
    def reset_factors(self, user_id: int) -> Any:
        """Delete all second factors, remove the password, and send the user a link for a new one."""
        user = lock_user(user_id, permissions.DELETE_FACTOR)
        try:
            if user.id == get_caller().user.id:
                raise PermissionDenied(_("Remove your own second factors on your security page."))
            factor_reset.reset_factors(user, _read_reason())
            db.session.commit()
        except Problem as error:
            db.session.rollback()
            return self._show_factors(user_id, Form.rejected(error, dict(request.form)))
        flash(
            _(
                "All second factors of %(email)s were removed. The user got an email with a reset link.",
                email=user.email,
            )
        )
        return self.redirect_to_user(user_id, "show_factors")

    @staff_page(f"{USER}factors/unlock/", needs="delete_factor", methods=("POST",), fresh=True)
    def unlock_factors(self, user_id: int) -> Any:
        """Accept codes again after too many wrong ones."""
        user = lock_user(user_id, permissions.DELETE_FACTOR)
        guesses.unlock(user.id)
        db.session.commit()
        flash(_("Codes of %(email)s are accepted again.", email=user.email))
        return self.redirect_to_user(user_id, "show_factors")

    def _show_factors(self, user_id: int, form: Form) -> Any:
        user = find_viewable_user(user_id)
        overview = factors.read_overview(user_id)
        is_own = user.id == get_caller().user.id
        context = {
            "user": user,
            "form": form,
            "found": overview,
            "can_be_reset": overview.has_way or overview.second_step,
            "is_own": is_own,
            "may_reset": not is_own and not explain_lack_of_authority(user),
        }
        return self.render("admin/users/factors.html", **context), form.status


def _read_reason() -> str:
    """The reason in the submitted form.

    Raises:
        ValidationFailed: it is missing or too long, naming the field.
    """
    reason = request.form.get("reason", "").strip()
    if not reason or len(reason) > MAX_REASON_LENGTH:
        error = _("Give a reason of at most %(maximum)s characters.", maximum=MAX_REASON_LENGTH)
        raise ValidationFailed(errors={"reason": [error]})
    return reason
