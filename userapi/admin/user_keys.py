"""The API keys of a user: which there are, and revoking them. The permissions are those for the user's sessions."""

import uuid
from typing import Any

from flask_babel import gettext as _
from flask_babel import ngettext

from userapi.auth import api_keys, scope_texts
from userapi.core.db import db
from userapi.html.flash import flash

from .user_identities import IdentityPages
from .user_pages import USER, find_viewable_user, lock_user
from .views import staff_page


class KeyPages(IdentityPages):
    """Pages about the API keys of a user."""

    @staff_page(f"{USER}keys/", needs="view_session")
    def show_keys(self, user_id: int) -> str:
        """List the API keys of this user that have not ended, without the keys themselves."""
        user = find_viewable_user(user_id)
        keys = [api_keys.describe_key(row) for row in api_keys.list_keys(user_id)]
        return self.render("admin/users/keys.html", user=user, keys=keys, scope_title=scope_texts.get_title_for_staff)

    @staff_page(f"{USER}keys/<uuid:key_id>/revoke/", needs="delete_session", methods=("POST",))
    def revoke_key(self, user_id: int, key_id: uuid.UUID) -> Any:
        """Revoke an API key now."""
        user = lock_user(user_id, "delete_session")
        api_keys.revoke_key(key_id, user.id)
        db.session.commit()
        flash(_("The API key of %(email)s was revoked.", email=user.email))
        return self.redirect_to_user(user_id, "show_keys")

    @staff_page(f"{USER}keys/revoke-all/", needs="delete_session", methods=("POST",))
    def revoke_keys(self, user_id: int) -> Any:
        """Revoke all API keys of this user now."""
        user = lock_user(user_id, "delete_session")
        revoked = len(api_keys.revoke_all(user.id))
        db.session.commit()
        flash(ngettext("%(num)s API key was revoked.", "%(num)s API keys were revoked.", revoked))
        return self.redirect_to_user(user_id, "show_keys")
