"""Search keys of own profile fields: they find users by a value, and make values unique.

Keys are written in the transaction that writes the value. An application without such fields executes no statement.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from . import field_key_queries as queries
from .declaration import get_declaration
from .field_definition import Field, Kind
from .field_key_queries import Key, Place
from .problems import FieldTaken

#: The types of stored values that are not texts.
TYPES = {Kind.INTEGER: int, Kind.FLAG: bool, Kind.CHOICES: list}


def make_keys(field: Field, user_id: int, value: Any) -> list[Key]:
    """The keys of a value, in order and without duplicates; none for no value.

    Args:
        field: a field with keys.
        user_id: whose value it is.
        value: as it is stored; of another type if the field had another kind then.
    """
    if value in (None, "", []):
        return []
    from .own_fields import kinds  # an application without own fields does not import it

    fits = isinstance(value, TYPES.get(field.kind, str))
    found = kinds.search_keys(field, value) if fits else [kinds.fold_key(str(value))]
    return [Key(field.name, key, user_id, field.is_unique) for key in sorted(set(found))]


def write_keys(user_id: int, values: Mapping[str, Any] | None, *, is_new: bool = False) -> None:
    """Replace the keys of the fields that a user gets new values for.

    Args:
        user_id: a user whose row is locked, or new.
        values: fields of the profile and their new values, as they are stored; other fields are left out.
        is_new: whether the user has no keys yet.

    Raises:
        FieldTaken: another user has a value that must be unique; no key has changed.
    """
    taken = write_keys_in_bulk({user_id: values} if values else {}, are_new=is_new)
    if taken:
        raise FieldTaken(taken[user_id])


def write_keys_in_bulk(
    values_by_user: Mapping[int, Mapping[str, Any]], *, are_new: bool = False
) -> dict[int, set[str]]:
    """Replace the keys of the fields that users get new values for.

    Args:
        values_by_user: by user id, the fields of the profile and their new values, as they are stored.
        are_new: whether the users have no keys yet.

    Returns:
        By user id, the fields whose value another user has. The keys of these users have not changed.
    """
    keyed = get_declaration().keyed
    if not keyed:
        return {}
    wanted = {
        Place(user_id, name): make_keys(keyed[name], user_id, value)
        for user_id, values in values_by_user.items()
        for name, value in values.items()
        if name in keyed
    }
    return replace_keys(wanted, are_new=are_new) if wanted else {}


def replace_keys(wanted: Mapping[Place, Sequence[Key]], *, are_new: bool = False) -> dict[int, set[str]]:
    """Give users these keys of these fields, and no others.

    Keys are inserted first and deleted last. So a transaction that waits for another one's unique key has deleted no
    key that the other one could wait for.

    Args:
        wanted: the new keys, by user and field.
        are_new: whether the users have no keys yet.

    Returns:
        What `write_keys_in_bulk` returns.
    """
    new = {key for keys in wanted.values() for key in keys}
    old = set() if are_new else {key for key in queries.list_keys(wanted) if Place(key.user_id, key.field) in wanted}
    unchanged = new & old
    missing = new - unchanged
    others = {(key.user_id, key.field, key.key) for key in missing}
    flipped = {key for key in old - unchanged if (key.user_id, key.field, key.key) in others}
    queries.delete_keys(flipped)  # only `is_unique` changes
    taken: dict[int, set[str]] = {}
    for key in queries.insert_keys(missing):
        taken.setdefault(key.user_id, set()).add(key.field)
    if taken:
        queries.delete_keys(key for key in missing if key.user_id in taken)
        queries.insert_keys(key for key in flipped if key.user_id in taken)
    queries.delete_keys(key for key in old - unchanged - flipped if key.user_id not in taken)
    return taken


def find_owners(values: Iterable[tuple[str, Any]]) -> dict[tuple[str, str], int]:
    """The users who have unique values now, by field and key; only a write decides.

    Args:
        values: names of fields and values, as they are stored.
    """
    unique = {name: field for name, field in get_declaration().keyed.items() if field.is_unique}
    keys = [key for name, value in values if name in unique for key in make_keys(unique[name], 0, value)]
    return queries.find_owners({(key.field, key.key) for key in keys})


def declare(fields: Iterable[Field], earlier: Iterable[Field], names: Iterable[str]) -> None:
    """Record which keys are complete when an application begins to serve with a new declaration.

    Keys of a field stay complete while the field has the same kind and is written with keys. Those of a field that no
    declaration had before are complete, because no user has a value of it.

    Args:
        fields: of the new declaration.
        earlier: of the declaration before it.
        names: of the fields of all earlier declarations.
    """
    before = {field.name: field for field in earlier if field.is_keyed}
    known = set(names)
    keyed = [field for field in fields if field.is_keyed]
    new = {field.name for field in keyed if field.name not in known}
    kept = {field.name for field in keyed if field.name in before and _has_same_keys(field, before[field.name])}
    queries.mark_incomplete(queries.states.c.field.not_in(new | kept))
    queries.mark_complete(new)


def _has_same_keys(field: Field, before: Field) -> bool:
    return field.kind is before.kind and (before.is_unique or not field.is_unique)


def forget(name: str) -> None:
    """Record that the keys of a field are not complete, before they are deleted."""
    queries.mark_incomplete(queries.states.c.field == name)
