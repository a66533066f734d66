"""What an import writes: users made and changed, groups, and who is in them."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from userapi.core import clock
from userapi.transfer import bulk_insert
from userapi.transfer.bulk_insert import NewUser
from userapi.users import group_queries
from userapi.users.fields import to_columns
from userapi.users.problems import LastSuperuser
from userapi.users.queries import lock_superusers

from . import queries
from .records import PASSWORD_HASH
from .validation import Wanted


class Candidate(NamedTuple):
    """A valid user of a file.

    Attributes:
        position: the position of the record in its batch, from 0.
        wanted: what the file says about the user.
        id: the id of the existing or new user; 0 until it is known.
    """

    position: int
    wanted: Wanted
    id: int = 0

    @property
    def email(self) -> str:
        """The address as it is in the file."""
        return str(self.wanted.columns["email"])

    @property
    def email_key(self) -> str:
        """Its normal form."""
        return str(self.wanted.columns["email_key"])


def make(found: Sequence[Candidate], *, confirmed: bool) -> set[int]:
    """Make users whose ids and addresses are free; the ids of those who were.

    Staff join the group of staff, unless the file says which groups they are in.

    Args:
        found: with ids.
        confirmed: whether an address counts as confirmed of which the file says nothing.
    """
    named = {each.id for each in found if each.wanted.groups is not None}
    return bulk_insert.insert([_row(each, confirmed) for each in found], without_staff_group=named) if found else set()


def update(found: Sequence[Candidate], holders: Mapping[str, Any]) -> None:
    """Give users what the file tells of them. Who gets another password, or is deactivated, is signed out everywhere.

    Args:
        found: with the ids of those there are.
        holders: rows of id, password_hash, is_active and is_staff, by address.

    Raises:
        LastSuperuser: nobody could administer the service any more.
    """
    lock_superusers()
    had_superuser = queries.has_superuser()
    alike: dict[frozenset[str], list[dict[str, Any]]] = {}
    ended = []
    for each in sorted(found, key=lambda each: each.id):
        columns = to_columns(each.wanted.columns)
        alike.setdefault(frozenset(columns), []).append({"id": each.id, **columns})
        holder = holders[each.email_key]
        new_password = columns.get(PASSWORD_HASH, holder.password_hash) != holder.password_hash
        if new_password or (holder.is_active and not columns.get("is_active", True)):
            ended.append(each.id)
    for rows in alike.values():
        queries.change(rows)
    if ended:
        queries.end_sessions(ended)
    described = {each.id: each.wanted.profile for each in found if each.wanted.profile is not None}
    if described:
        queries.put_profiles(described)
    _follow_staff(found, holders)
    if had_superuser and not queries.has_superuser():
        raise LastSuperuser


def _follow_staff(found: Sequence[Candidate], holders: Mapping[str, Any]) -> None:
    """Let who becomes staff join the group of staff, and who no longer is leave it, where the file tells no groups."""
    moved: dict[bool, list[int]] = {True: [], False: []}
    for each in found:
        was_staff = holders[each.email_key].is_staff
        is_staff = each.wanted.columns.get("is_staff", was_staff)
        if each.wanted.groups is None and is_staff != was_staff:
            moved[is_staff].append(each.id)
    if moved[True]:
        group_queries.put_into_staff(moved[True])
    if moved[False]:
        group_queries.take_out_of_staff(moved[False])


def _row(each: Candidate, confirmed: bool) -> NewUser:
    columns = to_columns(each.wanted.columns)
    joined = columns.get("date_joined") or clock.now()
    defaults = {"email_verified_at": joined if confirmed else None}
    return NewUser({**defaults, **columns, "id": each.id, "date_joined": joined}, each.wanted.profile)
