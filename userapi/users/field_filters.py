"""Filters of user lists by own profile fields, which the search keys of the fields answer.

A filter never has half an answer: while the keys of its field are incomplete, it finds no user, and then there is an
error instead of an empty list.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import sqlalchemy as sa
from flask_babel import gettext as _
from flask_babel import lazy_gettext

from userapi.core.problems import ValidationFailed

from . import field_key_queries
from .field_key_queries import keys, states
from .search import LAST_CHARACTER

#: The name of these filters in a query string, before a dot and the name of the field.
PREFIX = "profile"

#: Of each filter: the name of the field, and whether only the beginning of the value is compared.
Detail = tuple[tuple[str, bool], ...]


class FieldFilter(NamedTuple):
    """A value that users must have.

    Attributes:
        key: of the value, or its beginning.
        is_beginning: whether values may be longer.
    """

    key: str
    is_beginning: bool


class NotSearchableYet(ValidationFailed):
    """The search keys of a field are incomplete, so a list would lack users."""

    code = "not_searchable_yet"
    title = lazy_gettext("Cannot be filtered yet")
    detail = lazy_gettext(
        "The search keys of a profile field are incomplete. Run `flask fields reindex` with its name."
    )

    def __init__(self, names: Iterable[str]) -> None:
        super().__init__(errors={f"{PREFIX}.{name}": [describe_incomplete(name)] for name in sorted(names)})


def describe_incomplete(name: str) -> str:
    """What to do about a field whose search keys are incomplete."""
    command = f"flask fields reindex {name}"
    text: str = _("You cannot filter by this field yet. An operator must first run: %(command)s", command=command)
    return text


def outline(filters: Mapping[str, FieldFilter]) -> Detail:
    """What the conditions of filters depend on; the rest are parameters."""
    return tuple((name, filters[name].is_beginning) for name in sorted(filters))


def values(filters: Mapping[str, FieldFilter]) -> dict[str, str]:
    """The parameters of the conditions."""
    found = {}
    for name, wanted in filters.items():
        found[f"profile_{name}"] = wanted.key
        if wanted.is_beginning:
            found[f"profile_{name}_end"] = wanted.key + LAST_CHARACTER
    return found


def conditions(detail: Detail, source: Any) -> list[Any]:
    """The conditions on a table with the columns of `users`; no row meets them while the keys are incomplete."""
    found: list[Any] = []
    for name, is_beginning in detail:
        key = sa.bindparam(f"profile_{name}", type_=sa.Text())
        end = sa.bindparam(f"profile_{name}_end", type_=sa.Text())
        matches = sa.and_(keys.c.key >= key, keys.c.key < end) if is_beginning else keys.c.key == key
        found.append(source.c.id.in_(sa.select(keys.c.user_id).where(keys.c.field == name, matches)))
        found.append(sa.exists().where(states.c.field == name))
    return found


def require_complete(detail: Detail) -> None:
    """Check that the keys of filters are complete, after a list without users.

    Raises:
        NotSearchableYet: they are not.
    """
    names = {name for name, _is_beginning in detail}
    incomplete = names - field_key_queries.list_complete(names)
    if incomplete:
        raise NotSearchableYet(incomplete)
