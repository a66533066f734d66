"""Rejects users in files whose profile has a value that must be unique, and that another user has."""

from collections.abc import Iterable, Sequence

from flask_babel import gettext as _

from userapi.users import field_keys
from userapi.users.declaration import get_declaration

from . import queries
from .batch import Batch, Candidate, ImportState
from .field_loading import join_reasons
from .profile_validation import PREFIX


def write_keys(candidates: Sequence[Candidate], batch: Batch) -> list[Candidate]:
    """Write the search keys of existing users; returns those whose values are free, and rejects the others."""
    if not get_declaration().keyed:
        return list(candidates)
    values = {each.id: each.own_values for each in candidates if each.own_values}
    if not values:
        return list(candidates)
    queries.lock_users(values)
    taken = field_keys.write_keys_in_bulk(values)
    return reject_taken(candidates, taken, batch)


def reject_taken(candidates: Iterable[Candidate], taken: dict[int, set[str]], batch: Batch) -> list[Candidate]:
    """Reject the candidates with a taken value; returns the others.

    Args:
        candidates: users with their ids.
        taken: the fields whose value another user has, by user id.
        batch: gets the rejections.
    """
    for candidate in candidates:
        if candidate.id in taken:
            batch.rejections[candidate.position] = _describe(taken[candidate.id])
    return [candidate for candidate in candidates if candidate.id not in taken]


def reject_in_dry_run(candidates: Sequence[Candidate], batch: Batch, state: ImportState) -> list[Candidate]:
    """Reject the candidates with a value that another user, or an earlier record, has; returns the others."""
    unique = [field for field in get_declaration().own if field.is_unique]
    free = list(candidates)
    for field in unique:
        values = {each.position: each.own_values[field.name] for each in free if field.name in each.own_values}
        owners = field_keys.find_owners((field.name, value) for value in values.values())
        kept = []
        for candidate in free:
            keys = field_keys.make_keys(field, 0, values.get(candidate.position))
            is_taken = any(
                owners.get((field.name, key.key), candidate.id) != candidate.id
                or not state.seen.add_value(field.name, key.key)
                for key in keys
            )
            if is_taken:
                batch.rejections[candidate.position] = _describe({field.name})
            else:
                kept.append(candidate)
        free = kept
    return free


def _describe(names: Iterable[str]) -> str:
    return join_reasons({PREFIX + name: str(_("Another user already has this value.")) for name in sorted(names)})
