"""What staff may do to the accounts of others: one answer for the API, the staff site and every rule."""

from dataclasses import dataclass
from typing import Protocol

from flask_babel import gettext as _

from userapi.core.problems import PermissionDenied

from . import account_kinds, group_queries, permission_names
from .user_values import Editable

VIEW_USER, ADD_USER, CHANGE_USER, DELETE_USER = "view_user", "add_user", "change_user", "delete_user"
DELETE_FACTOR = "delete_factor"


class Actor(Protocol):
    """The row of the caller; where it was read along, `held_permissions` has the codenames, separated by blanks."""

    id: int
    is_staff: bool
    is_superuser: bool


@dataclass(slots=True)
class WithoutPermissions:
    """A user who has no more permissions in this request than any other user."""

    id: int
    is_staff: bool = False
    is_superuser: bool = False


@dataclass(slots=True)
class Operator:
    """The actor of commands: not a user, but with every permission."""

    id: int = 0
    is_staff: bool = True
    is_superuser: bool = True


OPERATOR = Operator()


def get_permissions(person: Actor) -> frozenset[str]:
    """The codenames of the permissions of a user, such as `change_user`: nothing unless they are staff."""
    if person.is_superuser:
        return permission_names.get_every_permission()
    if not person.is_staff:
        return frozenset()
    held: str | None = getattr(person, "held_permissions", None)
    return group_queries.find_permissions(person.id) if held is None else frozenset(held.split())


def has_permission(by: Actor, permission: str) -> bool:
    """Whether a user has a permission; to change includes to view."""
    held = get_permissions(by)
    action, _score, kind = permission.partition("_")
    return permission in held or (action == "view" and f"change_{kind}" in held)


def acts_as_staff(by: Actor | None, user_id: int) -> bool:
    """Whether an actor sees and changes what only staff may of a user; of themselves, only superusers do.

    Which users staff can see and change at all is another question, which `require_permission` answers.
    """
    return by is not None and by.is_staff and (by.is_superuser or by.id != user_id)


def require_permission(by: Actor, permission: str) -> None:
    """Refuse an act to those who lack a permission.

    Raises:
        PermissionDenied: naming it.
    """
    if not has_permission(by, permission):
        raise PermissionDenied(
            _(
                "You need the permission “%(name)s”. A superuser can grant it to you.",
                name=permission_names.name_permission(permission),
            )
        )


def require_authority(user: Editable, by: Actor) -> None:
    """Keep staff from acting on staff who may do more: those who set your password or email can sign in as you.

    Raises:
        PermissionDenied: the user is a superuser or a service account, or holds what the actor does not.
    """
    if by.is_superuser or by.id == user.id:
        return
    if account_kinds.is_service(user):
        raise PermissionDenied(_("Only a superuser can change or delete a service account."))
    if user.is_superuser:
        raise PermissionDenied(_("Only a superuser can change or delete a superuser."))
    if user.is_staff and not group_queries.find_permissions(user.id) <= get_permissions(by):
        raise PermissionDenied(_("%(email)s has permissions that you do not have.", email=user.email))
