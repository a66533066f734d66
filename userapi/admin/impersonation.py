"""Signing in as a user: the pages that begin it, which exist only with the setting IMPERSONATION."""

import unicodedata
from typing import Any

from flask import request, url_for
from flask_babel import gettext as _

from userapi.auth import impersonation
from userapi.auth.caller import get_caller
from userapi.auth.impersonation import MAX_REASON_LENGTH
from userapi.core.db import db
from userapi.core.problems import Problem, ValidationFailed
from userapi.html import own_session
from userapi.html.forms import Form
from userapi.html.redirects import see_other
from userapi.http.fields import CONTROL_CATEGORIES, DIRECTION_CONTROLS, has_visible_character, trim_text

from .user_pages import USER, find_user
from .users import UserView
from .views import staff_page


class ImpersonatingUserView(UserView):
    """Users, and signing in as one."""

    @staff_page(f"{USER}impersonate/", needs=impersonation.PERMISSION, fresh=True)
    def show_impersonation(self, user_id: int) -> Any:
        """Show what signing in as the user means, and ask for the reason."""
        return self._show_impersonation(user_id, Form())

    @staff_page(f"{USER}impersonate/", needs=impersonation.PERMISSION, methods=("POST",), fresh=True)
    def impersonate(self, user_id: int) -> Any:
        """Sign in as the user."""
        try:
            session = impersonation.begin(user_id, get_caller(), _read_reason())
            response = own_session.leave_it(see_other(url_for("pages.show_account")), session)
            db.session.commit()
        except Problem as error:
            db.session.rollback()
            return self._show_impersonation(user_id, Form.rejected(error, dict(request.form)))
        return response

    def _show_impersonation(self, user_id: int, form: Form) -> Any:
        user = find_user(user_id)
        return self.render(
            "admin/users/impersonate.html",
            user=user,
            form=form,
            why_not=impersonation.explain_why_not(user),
            minutes=int(impersonation.LIFETIME.total_seconds() // 60),
        ), form.status


def _read_reason() -> str:
    """The reason in the submitted form, on one line.

    Raises:
        ValidationFailed: it is missing, too long or says nothing that the user could read, naming the field.
    """
    reason = trim_text(" ".join(request.form.get("reason", "").split()))
    if not _is_legible(reason) or len(reason) > MAX_REASON_LENGTH:
        error = _("Give a reason of at most %(maximum)s characters.", maximum=MAX_REASON_LENGTH)
        raise ValidationFailed(errors={"reason": [error]})
    return reason


def _is_legible(text: str) -> bool:
    if not has_visible_character(text) or DIRECTION_CONTROLS.search(text):
        return False
    has_word = any(character.isalnum() for character in text)
    return has_word and CONTROL_CATEGORIES.isdisjoint(map(unicodedata.category, text))
