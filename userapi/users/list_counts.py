"""The number of users in a list, and the number that each filter would leave: exact for short lists only."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from operator import attrgetter
from typing import Any, NamedTuple

import sqlalchemy as sa

from userapi.core import explain
from userapi.core.db import db, read_one

from . import search
from .fields import FLAGS
from .list_queries import OF_COUNTRY, YES_OR_NO, Outline, conditions, is_common, outline_filters, values, with_index
from .queries import IS_NO_SERVICE_ID, profiles, users

#: Users are counted up to this number.
MAX_COUNTED = 10_000

#: Lists of more users have no facets, which need the row of each user and not only an index.
MAX_FACETED = 2_000

#: Lists that PostgreSQL expects to have fewer users than this are counted.
MIN_ESTIMATE = 12_500

#: PostgreSQL counts a table with more rows than this only roughly.
MAX_EXACT_ROWS = 100_000

#: Flags that have an index of the few users with this value, which is counted even in a long list.
INDEXED = {"is_active": False, "is_staff": True, "is_superuser": True}


#: What is needed of each user to count.
COUNTED = (
    users.c.id, users.c.is_active, users.c.is_staff, users.c.is_superuser, users.c.email_verified_at,
    users.c.last_login,
)  # fmt: skip


class Precision(Enum):
    """What a number means."""

    EXACT = "exact"
    ABOUT = "about"
    MORE_THAN = "more_than"
    UNKNOWN = "unknown"


class Count(NamedTuple):
    """The number of users in a list; 0 if it is not known."""

    number: int
    precision: Precision

    @property
    def is_exact(self) -> bool:
        """Whether it is neither an estimate nor a minimum."""
        return self.precision is Precision.EXACT


@dataclass(frozen=True)
class Overview:
    """A list in numbers.

    Attributes:
        count: the number of users.
        facets: for each filter of yes or no, the number of users in the list with `True` and `False`; None where
            counting would take too long.
    """

    count: Count
    facets: Mapping[str, Mapping[bool, int | None]]


#: What a list with invalid filters has.
EMPTY = Overview(Count(0, Precision.EXACT), {name: {True: 0, False: 0} for name in YES_OR_NO})


def count_list(filters: Mapping[str, Any], outline: Outline | None = None) -> Overview:
    """Count the users in a list, with at most three bounded statements.

    Args:
        filters: as for `list_queries.conditions`.
        outline: of the filters, if it is known.
    """
    outline = outline_filters(filters) if outline is None else outline
    parameters = values(filters)
    many = _count_many(outline, parameters)
    if many is None:
        found = _count_some(outline, parameters)
        if found.count.is_exact:
            return found
        many = found.count
    return Overview(many, _no_facets() if filters else {**_no_facets(), **_count_indexed()})


def count_rows(rows: Sequence[Any]) -> Overview:
    """The same for a list that is known as a whole, because all its users are on one page.

    Args:
        rows: begin with `queries.document_columns()`.
    """
    having: dict[str, Callable[[Any], bool]] = {
        **{name: attrgetter(name) for name in FLAGS},
        "has_profile": lambda row: row.profile_user_id is not None,
        "has_signed_in": lambda row: row.last_login is not None,
    }
    counts = {name: sum(map(having[name], rows)) for name in YES_OR_NO}
    facets = {name: {True: number, False: len(rows) - number} for name, number in counts.items()}
    return Overview(Count(len(rows), Precision.EXACT), facets)


def _no_facets() -> dict[str, Mapping[bool, int | None]]:
    return {name: dict.fromkeys((True, False)) for name in YES_OR_NO}


def estimate_users() -> Count:
    """The number of all users: PostgreSQL's estimate for a large table, otherwise the exact number."""
    if db.engine.dialect.name == "postgresql":
        known = read_one(sa.text("SELECT reltuples::bigint FROM pg_class WHERE oid = 'users'::regclass"))  # type: ignore[arg-type]
        if known and known[0] > MAX_EXACT_ROWS:
            return Count(int(known[0]), Precision.ABOUT)
    counted = read_one(sa.select(sa.func.count()).select_from(users).where(IS_NO_SERVICE_ID))
    return Count(int(counted[0]) if counted else 0, Precision.EXACT)


def _count_many(outline: Outline, parameters: Mapping[str, Any]) -> Count | None:
    """The number for a list that is known to be long without counting; None if it may be short."""
    if not outline:
        total = estimate_users()
        return total if total.number > MAX_COUNTED else None
    if db.engine.dialect.name == "postgresql":
        rows = _estimate(outline, parameters)
        return Count(_rounded(rows), Precision.ABOUT) if rows >= MIN_ESTIMATE else None
    if not is_common(outline):
        return None
    return Count(MAX_COUNTED, Precision.MORE_THAN) if len(outline) == 1 else Count(0, Precision.UNKNOWN)


def _estimate(outline: Outline, parameters: Mapping[str, Any]) -> int:
    """The number of users whom PostgreSQL expects in a list."""
    rows = explain.estimate_rows(sa.select(users.c.id).where(*_estimable(outline)), parameters)
    searches = [detail for name, detail in outline if name in search.SEARCHED and detail.own_fields]
    if searches:  # PostgreSQL knows nothing about one condition or another in two tables
        rows += sum(search.estimate_own(detail, dict(parameters)) for detail in searches)
        others = [(name, detail) for name, detail in outline if detail not in searches]
        if others:
            rows = min(rows, explain.estimate_rows(sa.select(users.c.id).where(*_estimable(tuple(others))), parameters))
    return rows


def _estimable(outline: Outline) -> list[Any]:
    """The conditions as the statistics of PostgreSQL know them; searches without own fields."""
    found = []
    for name, given in outline:
        detail = given._replace(own_fields=()) if name in search.SEARCHED else given
        known = name in search.SEARCHED and any(word.is_contained for word in detail.words)
        found += [search.candidates(detail)] if known else conditions(((name, detail),))
    return found


def _rounded(rows: int) -> int:
    """An estimate with two digits that mean something."""
    return round(rows, 2 - len(str(rows)))


def _count_some(outline: Outline, parameters: Mapping[str, Any]) -> Overview:
    found = conditions(with_index(outline))
    if not any(name in search.SEARCHED for name, _detail in outline):  # an index may have the ids, but not the columns
        by_country = [name for name, _detail in outline] == ["country"]  # then the index of the countries has them all
        ids = sa.select(profiles.c.country).where(OF_COUNTRY) if by_country else sa.select(users.c.id).where(*found)
        some_ids = ids.limit(MAX_COUNTED + 1).subquery()
        counted = read_one(sa.select(sa.func.count()).select_from(some_ids), dict(parameters))
        if counted and counted[0] > MAX_COUNTED:
            return Overview(Count(MAX_COUNTED, Precision.MORE_THAN), {})
        if counted and counted[0] > MAX_FACETED:
            return Overview(Count(counted[0], Precision.EXACT), _no_facets())
    row = read_one(select_counts(sa.select(*COUNTED).where(*found), MAX_COUNTED), dict(parameters))
    assert row is not None  # noqa: S101 - an aggregate always returns a row
    return read_counts(row)


def select_counts(found: sa.Select[Any], most: int) -> sa.Select[Any]:
    """The number of users who were found, and of those with `True` for each filter of yes or no.

    Args:
        found: selects `COUNTED`.
        most: users are counted up to this number, and one more if there are more.
    """
    some = found.limit(sa.literal_column(str(most + 1), sa.Integer)).subquery("some")
    having: dict[str, Any] = {
        "is_active": some.c.is_active,
        "is_staff": some.c.is_staff,
        "is_superuser": some.c.is_superuser,
        "email_verified": some.c.email_verified_at.is_not(None),
        "has_profile": profiles.c.user_id.is_not(None),
        "has_signed_in": some.c.last_login.is_not(None),
    }
    counts: list[Any] = [
        sa.func.count(sa.case((condition, 1))).label(f"with_{name}") for name, condition in having.items()
    ]
    return sa.select(sa.func.count().label("number"), *counts).select_from(
        some.outerjoin(profiles, profiles.c.user_id == some.c.id)
    )


def read_counts(row: Any) -> Overview:
    """The list in numbers, from the row of `select_counts`."""
    if row.number > MAX_COUNTED:
        return Overview(Count(MAX_COUNTED, Precision.MORE_THAN), {})
    counts = {name: getattr(row, f"with_{name}") for name in YES_OR_NO}
    facets = {name: {True: number, False: row.number - number} for name, number in counts.items()}
    return Overview(Count(row.number, Precision.EXACT), facets)


def _count_indexed() -> dict[str, dict[bool, int | None]]:
    """The facets of the list of all users that an index has."""
    counts = []
    for name, value in INDEXED.items():
        some = sa.select(users.c.id).where(users.c[name].is_(value), IS_NO_SERVICE_ID).limit(MAX_COUNTED + 1).subquery()
        counts.append(sa.select(sa.func.count()).select_from(some).scalar_subquery().label(name))
    row = read_one(sa.select(*counts))
    assert row is not None  # noqa: S101 - without FROM there is one row
    return {
        name: {value: number if (number := row._mapping[name]) <= MAX_COUNTED else None, not value: None}
        for name, value in INDEXED.items()
    }
