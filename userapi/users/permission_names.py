"""The kinds of records that permissions are about, and what pages call permissions: `view_user` is "Users: View"."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from flask import Flask, current_app
from flask_babel import gettext as _
from flask_babel import lazy_gettext

#: Actions, by their names in permissions.
ACTIONS = {
    "view": lazy_gettext("View"),
    "add": lazy_gettext("Add"),
    "change": lazy_gettext("Change"),
    "delete": lazy_gettext("Delete"),
}


@dataclass(frozen=True, slots=True)
class PermissionKind:
    """A kind of record that permissions are about.

    Attributes:
        name: in permissions: `basket` in `view_basket`.
        label: for pages.
        actions: what pages that grant permissions offer. The other actions exist because commands and imports may name
            them, but they allow nothing that these do not.
    """

    name: str
    label: Any
    actions: tuple[str, ...] = tuple(ACTIONS)


#: The kinds of the service itself.
KINDS = (
    PermissionKind("user", lazy_gettext("Users")),
    PermissionKind("group", lazy_gettext("Groups")),
    PermissionKind("session", lazy_gettext("Sessions"), ("view", "delete")),
    PermissionKind("email", lazy_gettext("Emails"), ("view", "add", "change")),
    PermissionKind("event", lazy_gettext("Audit log"), ("view",)),
    PermissionKind("factor", lazy_gettext("Second factors"), ("view", "delete")),
    PermissionKind("client", lazy_gettext("Client applications")),
)

#: Permissions besides those for an action on a kind, by their names.
OTHERS = {"impersonate_user": lazy_gettext("Users: Sign in as a user")}

#: Every permission of the service itself.
EVERYTHING = frozenset((*OTHERS, *(f"{action}_{kind.name}" for kind in KINDS for action in ACTIONS)))

#: Where an application stores the kinds by name, and every permission.
STORED_KINDS = "userapi-permission-kinds"
STORED_PERMISSIONS = "userapi-permissions"


def configure(app: Flask, of_extensions: Iterable[PermissionKind] = ()) -> None:
    """Store the kinds of the service and of its extensions."""
    kinds = {kind.name: kind for kind in (*KINDS, *of_extensions)}
    app.extensions[STORED_KINDS] = kinds
    app.extensions[STORED_PERMISSIONS] = frozenset(
        (*OTHERS, *(f"{action}_{kind}" for kind in kinds for action in ACTIONS))
    )


def get_kinds() -> dict[str, PermissionKind]:
    """The kinds of records, by name."""
    found: dict[str, PermissionKind] = current_app.extensions[STORED_KINDS]
    return found


def get_every_permission() -> frozenset[str]:
    """The codenames of all permissions: what a superuser has."""
    found: frozenset[str] = current_app.extensions[STORED_PERMISSIONS]
    return found


def name_permission(codename: str) -> str:
    """The name of a permission, in the language of the request."""
    if codename in OTHERS:
        return str(OTHERS[codename])
    action, _score, name = codename.partition("_")
    kind = get_kinds().get(name)
    if kind is None or action not in ACTIONS:  # of an extension that is not installed any more
        return codename
    return str(_("%(kind)s: %(action)s", kind=kind.label, action=ACTIONS[action]))


def name_permissions(codenames: Iterable[str]) -> str:
    """The names of permissions, in one line."""
    return ", ".join(map(name_permission, sorted(codenames)))
