"""What pages and errors call permissions: `view_user` is "Users: View"."""

from collections.abc import Iterable

from flask_babel import gettext as _
from flask_babel import lazy_gettext

#: Kinds of records, by their names in permissions.
KINDS = {
    "user": lazy_gettext("Users"),
    "group": lazy_gettext("Groups"),
    "session": lazy_gettext("Sessions"),
    "email": lazy_gettext("Emails"),
    "event": lazy_gettext("Audit log"),
    "factor": lazy_gettext("Second factors"),
}

#: Actions, by their names in permissions.
ACTIONS = {
    "view": lazy_gettext("View"),
    "add": lazy_gettext("Add"),
    "change": lazy_gettext("Change"),
    "delete": lazy_gettext("Delete"),
}


def name_permission(codename: str) -> str:
    """The name of a permission, in the language of the request."""
    action, _score, kind = codename.partition("_")
    return str(_("%(kind)s: %(action)s", kind=KINDS[kind], action=ACTIONS[action]))


def name_permissions(codenames: Iterable[str]) -> str:
    """The names of permissions, in one line."""
    return ", ".join(map(name_permission, sorted(codenames)))
