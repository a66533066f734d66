"""The groups and permissions of imported users. Groups that do not exist are created."""

from collections.abc import Collection, Mapping, Sequence

from userapi.audit import audit_log
from userapi.core.db import db
from userapi.users import group_queries
from userapi.users.group_models import Group

from . import queries
from .batch import Candidate, ImportState


def write_memberships(candidates: Sequence[Candidate], state: ImportState, *, replace: bool = False) -> None:
    """Store the groups and permissions of users; groups that do not exist are created."""
    groups, permissions = {}, {}
    for candidate in candidates:
        names = candidate.user.groups
        if names or (replace and names is not None):
            groups[candidate.id] = [get_or_create_group(name, (), state) for name in names]
    for candidate in candidates:
        codenames = candidate.user.permissions
        if codenames or (replace and codenames is not None):
            permissions[candidate.id] = _find_permissions(codenames, state)
    if not state.options.dry_run:
        _store("groups", groups, replace=replace)
        _store("permissions", permissions, replace=replace)


def get_or_create_group(name: str, codenames: Sequence[str], state: ImportState) -> int:
    """The id of a group. Only a new group gets the permissions."""
    if name not in state.group_ids:
        state.group_ids |= queries.group_ids()  # it may have been created since the import began
    if name not in state.group_ids:
        state.counts.groups_made += 1
        state.group_ids[name] = 0 if state.options.dry_run else _create_group(name, _find_permissions(codenames, state))
    return state.group_ids[name]


def _find_permissions(codenames: Sequence[str], state: ImportState) -> list[int]:
    """The ids of the permissions that exist; the others are counted."""
    known = state.permission_ids
    state.counts.unknown_permissions.update(codename for codename in codenames if codename not in known)
    return [known[codename] for codename in codenames if codename in known]


def _create_group(name: str, permission_ids: Collection[int]) -> int:
    """Create a group; returns its id."""
    if name == group_queries.STAFF and not permission_ids:
        return group_queries.staff_group_id()  # creates it with its usual permissions
    group = Group(name=name, permissions=group_queries.permissions(permission_ids))
    db.session.add(group)
    db.session.flush()
    codenames = sorted(permission.codename for permission in group.permissions)
    audit_log.record("group.created", "group", group.id, {"name": (None, name), "permissions": (None, codenames)})
    return group.id


def _store(kind: str, ids: Mapping[int, Collection[int]], *, replace: bool) -> None:
    """Store memberships.

    Args:
        kind: a key of `queries.MEMBERSHIP_TABLES`.
        ids: the ids of groups or permissions, by user id.
        replace: whether the users lose all others.
    """
    table = queries.MEMBERSHIP_TABLES[kind]
    if replace and ids:
        queries.delete_memberships(table, ids)
    pairs = [(user_id, other) for user_id, others in ids.items() for other in others]
    if pairs:
        queries.insert_memberships(table, pairs)
