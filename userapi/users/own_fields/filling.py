"""Give a field a value where there is none, in batches. What is done is not done again."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from flask_babel import gettext as _

from userapi.audit import audit_log
from userapi.core.problems import ValidationFailed
from userapi.users import field_keys, profile_edits
from userapi.users.field_definition import Field
from userapi.users.models import User

from . import queries


class Given(NamedTuple):
    """A value for one user.

    Attributes:
        place: of the value in its file.
        user_id: the user.
        value: as it is stored.
    """

    place: str
    user_id: int
    value: Any


@dataclass
class Filled:
    """The progress of filling a field.

    Attributes:
        event_id: of the audit log.
        filled: users who have got a value.
        rejected: why users did not get their values.
    """

    event_id: int
    filled: int = 0
    rejected: list[str] = field(default_factory=list)


def start(filled_field: Field) -> Filled:
    """Record that a field is being filled. The caller commits, now and after each batch."""
    return Filled(audit_log.record("fields.filled", changes=_facts(filled_field, 0)))


def give_to_all(filled_field: Field, value: Any) -> Iterator[list[Given]]:
    """The users who have a profile without a value, in batches, each with this value."""
    last = 0
    while found := queries.list_users(filled_field.name, last, with_value=False):
        yield [Given(str(_("user %(id)s", id=user_id)), user_id, value) for user_id in found]
        last = found[-1]


def fill_batch(filled_field: Field, batch: Iterable[Given], progress: Filled) -> None:
    """Give the users of a batch their values, unless they have one by now."""
    given = {each.user_id: each for each in batch}
    name = filled_field.name
    profiles = {user.id: user.profile for user in queries.lock_users(given) if _has_no_value(user, name)}
    for user_id, profile in list(profiles.items()):
        try:
            if filled_field.is_own and profile is not None:
                profile_edits.require_small({**(profile.extra or {}), name: given[user_id].value})
        except ValidationFailed:
            progress.rejected.append(str(_("%(place)s: The values would be too large.", place=given[user_id].place)))
            del profiles[user_id]
    taken = field_keys.write_keys_in_bulk({user_id: {name: given[user_id].value} for user_id in profiles})
    for user_id, profile in profiles.items():
        if user_id in taken:
            place = given[user_id].place
            progress.rejected.append(str(_("%(place)s: Another user has this value.", place=place)))
        elif profile is not None:
            profile.set_values({name: given[user_id].value})
            progress.filled += 1
    audit_log.amend(progress.event_id, _facts(filled_field, progress.filled))


def _has_no_value(user: User, name: str) -> bool:
    return user.profile is not None and user.profile.value_of(name) in (None, "")


def _facts(filled_field: Field, count: int) -> dict[str, tuple[None, str | int]]:
    return {"field": (None, filled_field.name), "count": (None, count)}
