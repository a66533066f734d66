"""Writing the search keys of a field for all users, as after it became searchable or unique.

The keys are compared with the values a page at a time, and only those that differ are written, in short transactions.
So a run that was interrupted is continued by the next one, and the service goes on reading and writing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from userapi.core.db import db

from . import field_key_queries as queries
from .field_definition import Field
from .field_key_queries import Key, Place
from .field_keys import find_owners, make_keys, replace_keys

#: Users whose keys are written in one transaction: few, so that others do not wait long for their locks.
BATCH_SIZE = 500


@dataclass
class Progress:
    """What was done so far.

    Attributes:
        seen: profiles whose keys were compared with the value.
        written: users whose keys were wrong or missing, and are right now.
        duplicates: users with a value of a unique field that another user has, and that user. Their keys find them,
            but keep no one from using the value.
    """

    seen: int = 0
    written: int = 0
    duplicates: dict[int, int] = field(default_factory=dict)


def reindex(searched: Field, progress: Callable[[int], None]) -> Progress:
    """Write the keys of a field where they differ from the values, and record that they are complete. Commits.

    Args:
        searched: a field with keys.
        progress: called with the number of profiles seen, after each page.
    """
    done, last = Progress(), 0
    while page := queries.read_values(searched.name, last):
        first, last = last + 1, page[-1].user_id
        stored = queries.read_keys(searched.name, first, last)
        wanted = {key for row in page for key in make_keys(searched, row.user_id, row.value)}
        differing = sorted({key.user_id for key in wanted.symmetric_difference(stored)})
        for start in range(0, len(differing), BATCH_SIZE):
            _write_batch(searched, differing[start : start + BATCH_SIZE], done)
            db.session.commit()
        done.seen += len(page)
        progress(done.seen)
    queries.mark_complete([searched.name])
    db.session.commit()
    return done


def _write_batch(searched: Field, user_ids: Sequence[int], done: Progress) -> None:
    """Replace the keys of some users, who are locked until the transaction ends."""
    values = queries.lock_values(searched.name, user_ids)
    wanted = {Place(user_id, searched.name): make_keys(searched, user_id, values.get(user_id)) for user_id in user_ids}
    taken = replace_keys(wanted)
    done.written += len(user_ids) - len(taken)
    if taken:
        _write_duplicates(searched, {user_id: values[user_id] for user_id in taken}, done)


def _write_duplicates(searched: Field, values: dict[int, object], done: Progress) -> None:
    """Let filters find users whose value another user has."""
    owners = find_owners((searched.name, value) for value in values.values())
    wanted: dict[Place, Sequence[Key]] = {}
    for user_id, value in values.items():
        keys = make_keys(searched, user_id, value)
        wanted[Place(user_id, searched.name)] = [key._replace(is_unique=False) for key in keys]
        done.duplicates[user_id] = next(owners[key.field, key.key] for key in keys)
    replace_keys(wanted)
