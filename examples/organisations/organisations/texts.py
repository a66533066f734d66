"""Texts that several modules use."""

from flask_babel import lazy_gettext

from .models import Role

ORGANISATIONS = lazy_gettext("Organisations")

#: What pages call the roles.
ROLES = {
    Role.OWNER: lazy_gettext("Owner"),
    Role.ADMIN: lazy_gettext("Admin"),
    Role.MEMBER: lazy_gettext("Member"),
}
