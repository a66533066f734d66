"""Groups, permissions, and who may give or take which: only what they hold themselves."""

from collections.abc import Collection, Iterable
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext
from sqlalchemy.exc import IntegrityError

from userapi.audit import audit_log
from userapi.core.db import db
from userapi.core.problems import NotFound, PermissionDenied, Problem, ValidationFailed
from userapi.http.fields import Name, fold_text

from . import group_queries, permission_names
from .group_models import Group, Permission
from .group_queries import STAFF
from .models import User
from .permissions import Actor, get_permissions

#: The name of a group, as it is entered or imported.
name_field = Name(Group.__table__.c["name"].type.length, 1)  # type: ignore[attr-defined]


class GroupNameTaken(ValidationFailed):
    """Another group has this name, or one that differs from it by case only."""

    code = "group_name_taken"
    title = lazy_gettext("Group name already in use")

    def __init__(self) -> None:
        super().__init__(errors={"name": [_("Another group already has this name.")]})


class GroupChanged(Problem):
    """Another staff member saved the group after it was read."""

    status = 409
    code = "changed_meanwhile"
    title = lazy_gettext("Changed by someone else")
    detail = lazy_gettext(
        "Someone else changed this group while you edited it, so nothing was saved. "
        "Reload it, or overwrite their changes."
    )


class GroupIsBuiltIn(Problem):
    """The group that staff join cannot be deleted or renamed."""

    status = 409
    code = "group_is_built_in"
    title = lazy_gettext("Built-in group")
    detail = lazy_gettext(
        "New staff members join this group, so it cannot be deleted or renamed. Remove permissions from it instead."
    )


def create(name: str, permission_ids: Collection[int], by: Actor, *, requires_second_step: bool = False) -> Group:
    """Make a group.

    Raises:
        GroupNameTaken: nothing is written then.
        PermissionDenied: for a permission that the actor does not hold.
    """
    permissions = _found(permission_ids)
    require_held(permissions, by)
    _require_free(name)
    group = Group(name=name, permissions=permissions, requires_second_step=requires_second_step)
    db.session.add(group)
    _flush()
    changes: dict[str, tuple[Any, Any]] = {"name": (None, name), "permissions": (None, _names(permissions))}
    if requires_second_step:
        changes["requires_second_step"] = (None, True)
    audit_log.record("group.created", "group", group.id, changes)
    return group


def find(group_id: int) -> Group:
    """A group to look at, with its permissions.

    Raises:
        NotFound: when there is none.
    """
    found = group_queries.groups([group_id])
    if not found:
        raise NotFound(_("There is no group with this id."))
    return found[0]


def lock(group_id: int) -> Group:
    """Lock a group for a change.

    Raises:
        NotFound: when there is none.
    """
    group = group_queries.group_for_update(group_id)
    if group is None:
        raise NotFound(_("There is no group with this id."))
    return group


def edit(
    group: Group,
    name: str,
    permission_ids: Collection[int],
    by: Actor,
    *,
    requires_second_step: bool | None = None,
) -> None:
    """Change a locked group.

    Args:
        group: locked.
        name: its name.
        permission_ids: its permissions.
        by: who acts.
        requires_second_step: whether its members need a second step; None keeps what it is.

    Raises:
        GroupIsBuiltIn: it would get another name.
        GroupNameTaken: nothing is written then.
        PermissionDenied: a permission would come or go that the actor does not hold, or the second step would be
            required or not of a group with such a permission.
    """
    if requires_second_step is None:
        requires_second_step = group.requires_second_step
    if group.name == STAFF != name:
        raise GroupIsBuiltIn
    before, after = list(group.permissions), _found(permission_ids)
    require_held(set(before) ^ set(after), by)
    if requires_second_step != group.requires_second_step:
        require_held(before, by)
    if name != group.name:
        _require_free(name, but=group.id)
    changes = {
        "name": (group.name, name),
        "permissions": (_names(before), _names(after)),
        "requires_second_step": (group.requires_second_step, requires_second_step),
    }
    changes = {field: pair for field, pair in changes.items() if pair[0] != pair[1]}
    group.name, group.permissions, group.requires_second_step = name, after, requires_second_step
    _flush()
    if changes:
        audit_log.record("group.changed", "group", group.id, changes)


def delete(group: Group, by: Actor) -> None:
    """Delete a locked group; its members lose what it gave them.

    Raises:
        GroupIsBuiltIn: it is the one that staff join.
        PermissionDenied: it gives what the actor does not hold.
    """
    if group.name == STAFF:
        raise GroupIsBuiltIn
    require_held(group.permissions, by)
    audit_log.record("group.deleted", "group", group.id, {"name": (group.name, None)})
    db.session.delete(group)
    db.session.flush()


def set_memberships(user: User, group_ids: Collection[int], permission_ids: Collection[int], by: Actor) -> None:
    """Put a locked user into exactly these groups, with exactly these permissions besides.

    Raises:
        PermissionDenied: something would come or go that the actor does not hold, or the actor would leave a group that
            requires a second step.
    """
    groups, permissions = group_queries.groups(group_ids), _found(permission_ids)
    moved = set(user.groups) ^ set(groups)
    left = set(user.groups) - set(groups)
    if by.id == user.id and not by.is_superuser and any(group.requires_second_step for group in left):
        raise PermissionDenied(_("Only someone else can remove you from a group that requires two-step sign-in."))
    require_held({*(set(user.permissions) ^ set(permissions)), *(p for group in moved for p in group.permissions)}, by)
    before = {"groups": [group.name for group in user.groups], "permissions": _names(user.permissions)}
    user.groups, user.permissions = groups, permissions
    after = {"groups": [group.name for group in groups], "permissions": _names(permissions)}
    changes = {field: (before[field], after[field]) for field in before if before[field] != after[field]}
    if changes:
        db.session.flush()
        audit_log.record("user.rights_changed", "user", user.id, changes)


def add_member(user: User, group: Group, by: Actor) -> bool:
    """Put a locked user into a group; False if the user is in it already.

    Raises:
        PermissionDenied: the group gives what the actor does not hold.
    """
    return _set_groups(user, {*(each.id for each in user.groups), group.id}, by)


def remove_member(user: User, group: Group, by: Actor) -> bool:
    """Take a locked user out of a group; False if the user is not in it.

    Raises:
        PermissionDenied: the group gives what the actor does not hold.
    """
    return _set_groups(user, {each.id for each in user.groups} - {group.id}, by)


def _set_groups(user: User, group_ids: set[int], by: Actor) -> bool:
    if group_ids == {each.id for each in user.groups}:
        return False
    set_memberships(user, group_ids, [permission.id for permission in user.permissions], by)
    return True


def update_staff_group(user: User, *, joins: bool) -> None:
    """Put a locked user who becomes staff into the group of staff, or take one who no longer is staff out of it."""
    before = [group.name for group in user.groups]
    if joins:
        group_queries.add_to_staff_group([user.id])
    else:
        group_queries.remove_from_staff_group([user.id])
    db.session.expire(user, ["groups"])
    after = [group.name for group in user.groups]
    if before != after:
        audit_log.record("user.rights_changed", "user", user.id, {"groups": (before, after)})


def _found(permission_ids: Collection[int]) -> list[Permission]:
    found = group_queries.permissions(permission_ids)
    if len(found) != len(set(permission_ids)):
        raise ValidationFailed(errors={"permissions": [_("There is no such permission.")]})
    return found


def require_held(permissions: Iterable[Permission], by: Actor) -> None:
    """Check that an actor holds some permissions, and so may give or take them.

    Raises:
        PermissionDenied: naming those that the actor does not hold.
    """
    missing = {permission.codename for permission in permissions} - get_permissions(by)
    if missing:
        raise PermissionDenied(
            _(
                "You can only grant or remove permissions that you have yourself, not these: %(permissions)s.",
                permissions=permission_names.name_permissions(missing),
            )
        )


def _require_free(name: str, but: int | None = None) -> None:
    key = fold_text(name)
    if any(fold_text(other) == key for group_id, other in group_queries.names_by_id().items() if group_id != but):
        raise GroupNameTaken


def _names(permissions: Iterable[Permission]) -> list[str]:
    return sorted(permission.codename for permission in permissions)


def _flush() -> None:
    try:
        db.session.flush()
    except IntegrityError as error:
        raise GroupNameTaken from error
