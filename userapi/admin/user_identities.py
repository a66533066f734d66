"""The accounts of other services that sign in to a user's account: which there are, and unlinking one."""

from typing import Any

from flask_babel import gettext as _

from userapi.auth import identity_changes
from userapi.auth.caller import get_caller
from userapi.core.db import db
from userapi.core.problems import PermissionDenied, Problem
from userapi.federation import identities
from userapi.html.flash import flash
from userapi.html.forms import Form

from .user_factors import FactorPages
from .user_pages import USER, explain_lack_of_authority, find_user, lock_user
from .views import staff_page


class IdentityPages(FactorPages):
    """Pages about the linked accounts of a user."""

    @staff_page(f"{USER}identities/", needs="view")
    def show_identities(self, user_id: int) -> Any:
        """List the linked accounts of a user."""
        return self._show_identities(user_id, Form())

    @staff_page(f"{USER}identities/<row_id:identity_id>/unlink/", needs="change", methods=("POST",), fresh=True)
    def unlink_identity(self, user_id: int, identity_id: int) -> Any:
        """Unlink an account, and end the sessions that began with it; the user gets an email."""
        user = lock_user(user_id)
        try:
            if user.id == get_caller().user.id:
                raise PermissionDenied(_("Unlink your own accounts on your security page."))
            name = identity_changes.unlink_from(user, identity_id)
            db.session.commit()
        except Problem as error:
            db.session.rollback()
            return self._show_identities(user_id, Form.rejected(error))
        flash(
            _("%(provider)s no longer signs in to %(email)s. The user got an email.", provider=name, email=user.email)
        )
        return self.redirect_to_user(user_id, "show_identities")

    def _show_identities(self, user_id: int, form: Form) -> Any:
        user = find_user(user_id)
        is_own = user.id == get_caller().user.id
        context = {
            "user": user,
            "form": form,
            "identities": identities.list_of(user_id),
            "name_of": identity_changes.name_of,
            "is_own": is_own,
            "may_unlink": not is_own and not explain_lack_of_authority(user),
        }
        return self.render("admin/users/identities.html", **context), form.status
