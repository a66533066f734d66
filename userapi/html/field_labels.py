"""The labels of the inputs of forms, by their names."""

from typing import Any

from flask_babel import lazy_gettext

from userapi.users import fields
from userapi.users.declaration import get_declaration

LABELS = {
    **fields.LABELS,
    "groups": lazy_gettext("Groups"),
    "permissions": lazy_gettext("Permissions"),
    # Passwords; the staff site's forms have `password1`, `password2` and the caller's `own_password`.
    "password": lazy_gettext("Password"),
    "old_password": lazy_gettext("Current password"),
    "new_password1": lazy_gettext("New password"),
    "new_password2": lazy_gettext("Confirm new password"),
    "password1": lazy_gettext("Password"),
    "password2": lazy_gettext("Confirm password"),
    "own_password": lazy_gettext("Your password"),
    "terms_accepted": lazy_gettext("Terms"),
    # Second factors.
    "code": lazy_gettext("Code"),
    "message": lazy_gettext("Message"),
    # Groups and imports.
    "name": lazy_gettext("Name"),
    "requires_second_step": lazy_gettext("Require two-step sign-in"),
    "file": lazy_gettext("File"),
    "on_conflict": lazy_gettext("If the email already exists"),
    "on_bad_profile": lazy_gettext("If a profile field is invalid or missing"),
}


def get_labels() -> dict[str, Any]:
    """The labels of the current application, which may declare other fields of profiles."""
    declaration = get_declaration()
    return LABELS if declaration.is_default else LABELS | declaration.labels
