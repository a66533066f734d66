"""Inserts and updates the users of an import."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from userapi.auth import api_keys
from userapi.core import clock
from userapi.users import group_queries
from userapi.users.fields import to_columns
from userapi.users.problems import LastSuperuser
from userapi.users.queries import lock_superusers

from . import bulk_insert, queries, unique_values
from .batch import Batch, Candidate
from .bulk_insert import Inserted, NewUser
from .records import PASSWORD_HASH


def insert_users(candidates: Sequence[Candidate], between_rows: Callable[[], None], *, confirmed: bool) -> Inserted:
    """Insert the users whose ids, email addresses and unique fields are free.

    Staff members join the built-in group, unless the file says which groups they are in.

    Args:
        candidates: users with their new ids.
        between_rows: see `bulk_insert.insert_users`.
        confirmed: whether to treat email addresses as confirmed if the file does not say.
    """
    if not candidates:
        return Inserted(set(), {})
    with_groups = {candidate.id for candidate in candidates if candidate.user.groups is not None}
    rows = [_new_row(candidate, confirmed) for candidate in candidates]
    return bulk_insert.insert_users(rows, without_staff_group=with_groups, between_rows=between_rows)


def update_users(candidates: Sequence[Candidate], batch: Batch) -> list[Candidate]:
    """Update existing users with the fields that the file has, unless another user has a value that must be unique.

    The sessions and API keys of users who get another password or are deactivated end. Closed accounts stay closed.

    Args:
        candidates: users with their existing ids.
        batch: has the stored users, and gets the rejections.

    Returns:
        The users who were updated.

    Raises:
        LastSuperuser: there would be no active superuser.
    """
    lock_superusers()
    candidates = unique_values.write_keys(candidates, batch)
    users_by_email = batch.users_by_email
    had_superuser = queries.has_superuser()
    rows_by_columns: dict[frozenset[str], list[dict[str, Any]]] = {}
    signed_out = []
    for candidate in sorted(candidates, key=lambda candidate: candidate.id):
        columns = to_columns(candidate.user.columns)
        existing_user = users_by_email[candidate.email_key]
        rows_by_columns.setdefault(frozenset(columns), []).append({"id": candidate.id, **columns})
        has_new_password = columns.get(PASSWORD_HASH, existing_user.password_hash) != existing_user.password_hash
        if has_new_password or (existing_user.is_active and not columns.get("is_active", True)):
            signed_out.append(candidate.id)
    for rows in rows_by_columns.values():
        queries.update_users(rows)
    if signed_out:
        queries.end_sessions(signed_out)
        for user_id in queries.list_owners_of_keys(signed_out):
            api_keys.revoke_all(user_id)
    profiles = {each.id: each.user.profile for each in candidates if each.user.profile is not None}
    if profiles:
        queries.upsert_profiles(profiles)
    _update_staff_group(candidates, users_by_email)
    if had_superuser and not queries.has_superuser():
        raise LastSuperuser
    return candidates


def _update_staff_group(candidates: Sequence[Candidate], users_by_email: Mapping[str, Any]) -> None:
    """Add new staff members to the built-in group and remove former ones, if the file does not list their groups."""
    moved: dict[bool, list[int]] = {True: [], False: []}
    for candidate in candidates:
        was_staff = users_by_email[candidate.email_key].is_staff
        is_staff = candidate.user.columns.get("is_staff", was_staff)
        if candidate.user.groups is None and is_staff != was_staff:
            moved[is_staff].append(candidate.id)
    if moved[True]:
        group_queries.add_to_staff_group(moved[True])
    if moved[False]:
        group_queries.remove_from_staff_group(moved[False])


def _new_row(candidate: Candidate, confirmed: bool) -> NewUser:
    columns = to_columns(candidate.user.columns)
    joined = columns.get("date_joined") or clock.now()
    defaults = {"email_verified_at": joined if confirmed else None}
    return NewUser({**defaults, **columns, "id": candidate.id, "date_joined": joined}, candidate.user.profile)
