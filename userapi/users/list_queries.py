"""The list of users: filters, orders, and keyset pages whose statements are compiled once for each kind of question."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

import sqlalchemy as sa

from userapi.core import explain
from userapi.core.db import db, read_all, read_one
from userapi.core.prepared import Read
from userapi.http import pagination
from userapi.http.pagination import Cursor, Page

from . import field_filters, search
from .fields import FLAGS
from .group_models import user_groups
from .models import AccountKind
from .queries import document_columns, profiles, users

#: Filters whose value is a parameter.
VALUED = (
    "country", "group", "joined_after", "joined_before", "signed_in_after", "signed_in_before", "ids",
)  # fmt: skip

#: Filters whose value is true or false, and part of the statement.
YES_OR_NO = (*FLAGS, "has_profile", "has_signed_in")

#: Filters that are searches.
SEARCHES = tuple(search.SEARCHED)

#: The filter by the kind of an account, and its value for every kind. Without it, lists have only people.
KIND, EVERY_KIND = "kind", "all"

#: Filters by own profile fields: by name of the field, a `field_filters.FieldFilter`.
OWN_FIELDS = "profile"

#: Filters that other folders add: functions that return the condition for a value and a source (see `conditions`).
ADDED: dict[str, Callable[[Any, Any], Any]] = {}

#: Rows in the order of the list, for each row of the page, among which a common text is looked for first.
WINDOW = 200

#: Countries of fewer users are looked up first. PostgreSQL, which takes every row to be on a disk, would go through the
#: list and look at each profile, thousands of them for a page.
MAX_LOOKED_UP = 7_000

#: The detail of a filter whose users are looked up first, and of others whose value is a parameter.
FEW, SOME = "few", "some"

#: What the statement for some filters depends on: pairs of a filter's name and a detail; the rest are parameters.
Outline = tuple[tuple[str, Any], ...]

#: The condition of the filter for a country, on profiles.
OF_COUNTRY = profiles.c.country == sa.bindparam("country")


class Order(NamedTuple):
    """A column the list may be ordered by, and the kind of its values."""

    column: Any
    kind: type = str
    nullable: bool = False


ORDERS = {
    "id": Order(users.c.id, int),
    "date_joined": Order(users.c.date_joined, datetime),
    "email": Order(users.c.email_key),
    "last_name": Order(users.c.last_name_key),
    "last_login": Order(users.c.last_login, datetime, nullable=True),
}


class Shape(NamedTuple):
    """All of a question that its statement depends on; the rest are parameters."""

    ordering: str
    limit: int
    direction: str | None
    after_null: bool
    filters: Outline
    in_window: bool = False


def find_page(
    filters: Mapping[str, Any], ordering: str, limit: int, cursor: Cursor | None, outline: Outline | None = None
) -> Page:
    """A page of the list of users.

    Args:
        filters: see `conditions`.
        ordering: a name of `ORDERS`, `-` before it for descending.
        limit: rows on a page.
        cursor: where to start.
        outline: of the filters, if it is known.

    Raises:
        NotSearchableYet: the search keys of a filter are incomplete.
    """
    outline = outline_filters(filters) if outline is None else outline
    parameters = values_after(filters, ordering, cursor)
    shape = make_shape(ordering, limit, cursor, outline)._replace(in_window=is_common(outline))
    found = _read(shape, parameters)
    if shape.in_window and len(found) <= limit:  # all rows with a common text may be far from here
        found = _read(shape._replace(filters=with_index(outline), in_window=False), parameters)
    return cut_page(found, ordering, limit, cursor, outline)


def make_shape(ordering: str, limit: int, cursor: Cursor | None, outline: Outline) -> Shape:
    """The shape of a question."""
    return Shape(
        ordering, limit, cursor.direction if cursor else None, cursor is not None and cursor.value is None, outline
    )


def _read(shape: Shape, parameters: Mapping[str, Any]) -> list[Any]:
    statement, needed = _statement(shape)
    return statement.all(**{name: value for name, value in parameters.items() if name in needed})


def is_common(outline: Outline) -> bool:
    """Whether a search has too many matches to collect all of them."""
    return any(name in SEARCHES and detail.is_common for name, detail in outline)


def with_index(outline: Outline) -> Outline:
    """The same filters for a plan that finds all rows: a common text has the index, unless another filter does."""
    if len(outline) > 1:
        return outline
    return tuple((name, detail.with_index if name in SEARCHES else detail) for name, detail in outline)


def count_users(filters: Mapping[str, Any]) -> int:
    """How many users match."""
    matching = sa.select(sa.func.count()).select_from(users).where(*conditions(outline_filters(filters)))
    found = read_one(matching, values(filters))
    return int(found[0]) if found else 0


def find_ids(filters: Mapping[str, Any], most: int) -> list[int]:
    """The ids of the first users who match."""
    matching = sa.select(users.c.id).where(*conditions(outline_filters(filters))).order_by(users.c.id).limit(most)
    return [row.id for row in read_all(matching, values(filters))]


def iterate_users(filters: Mapping[str, Any]) -> Iterator[Any]:
    """All users who match, by id, read a page at a time."""
    cursor, outline = None, outline_filters(filters)
    while True:
        found = find_page(filters, "id", 200, cursor, outline)
        yield from found.rows
        if found.next is None:
            return
        cursor = found.next


def build_conditions(filters: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """What the filters ask as conditions on `users`, and the parameters of those."""
    return conditions(outline_filters(filters)), values(filters)


def conditions(outline: Outline, source: Any = users) -> list[Any]:
    """What the filters ask, with parameters for what `values` gives.

    Args:
        outline: pairs of a filter's name and what its condition depends on. The filters are `search` (words that the
            email, first or last name contains), `staff_search` (the same, or the username, or an id), `is_active`,
            `is_staff`, `is_superuser`, `email_verified`, `has_profile`, `has_signed_in`, `country`, `group` (its id,
            or None for users without a group), `joined_after` (inclusive), `joined_before` (exclusive), the same for
            the last sign-in: `signed_in_after` and `signed_in_before`, `ids` (a list), `profile` (see `field_filters`),
            `kind` (of the account, or `EVERY_KIND`), and those that were added. Without `kind` and
            `ids`, service accounts are left out.
        source: `users`, or a subquery with its columns.
    """
    clauses: list[Any] = []
    if not {KIND, "ids"} & {name for name, _detail in outline}:
        clauses.append(source.c.kind != AccountKind.SERVICE.value)
    for name, detail in outline:
        if name in ADDED:
            clauses.append(ADDED[name](detail, source))
        elif name == KIND:
            clauses += [] if detail == EVERY_KIND else [source.c.kind == detail]
        elif name == OWN_FIELDS:
            clauses += field_filters.conditions(detail, source)
        elif name in SEARCHES:
            clauses += search.conditions(detail, source)
        elif name == "country":
            ids = sa.select(profiles.c.user_id).where(OF_COUNTRY)
            looked_up = source.c.id == sa.any_(sa.func.array(ids.scalar_subquery()))
            clauses.append(looked_up if detail == FEW else source.c.id.in_(ids))
        elif name == "group" and detail is None:
            clauses.append(~sa.exists().where(user_groups.c.user_id == source.c.id))
        elif name == "group":
            of_group = user_groups.c.group_id == sa.bindparam("group")
            clauses.append(source.c.id.in_(sa.select(user_groups.c.user_id).where(of_group)))
        elif name == "has_profile":
            with_profile = sa.exists().where(profiles.c.user_id == source.c.id)
            clauses.append(with_profile if detail else ~with_profile)
        elif name == "has_signed_in":
            clauses.append(source.c.last_login.is_not(None) if detail else source.c.last_login.is_(None))
        elif name == "email_verified":
            verified_at = source.c.email_verified_at
            clauses.append(verified_at.is_not(None) if detail else verified_at.is_(None))
        elif name == "ids":
            clauses.append(source.c.id.in_(sa.bindparam("ids", expanding=True)))
        elif name == "joined_after":
            clauses.append(source.c.date_joined >= sa.bindparam("joined_after"))
        elif name == "joined_before":
            clauses.append(source.c.date_joined < sa.bindparam("joined_before"))
        elif name == "signed_in_after":
            clauses.append(source.c.last_login >= sa.bindparam("signed_in_after"))
        elif name == "signed_in_before":
            clauses.append(source.c.last_login < sa.bindparam("signed_in_before"))
        else:
            clauses.append(source.c[name].is_(detail))
    return clauses


def values_after(filters: Mapping[str, Any], ordering: str, cursor: Cursor | None) -> dict[str, Any]:
    """The parameters of the conditions, and of where a page starts."""
    parameters = values(filters)
    if cursor is not None:
        order = ORDERS[ordering.removeprefix("-")]
        parameters["after_id"] = cursor.row_id
        parameters["after_value"] = pagination.convert_cursor_value(cursor, order.kind, nullable=order.nullable)
    return parameters


def values(filters: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of the conditions."""
    found = {name: filters[name] for name in VALUED if filters.get(name) is not None}
    for name in SEARCHES:
        if name in filters:
            found |= search.values(name, filters[name])
    return found | field_filters.values(filters.get(OWN_FIELDS, {}))


def outline_filters(filters: Mapping[str, Any]) -> Outline:
    """What the statement for some filters depends on; for a search and a country, the quicker plan is looked for."""
    outline: list[tuple[str, Any]] = [(name, _detail(name, filters[name])) for name in VALUED if name in filters]
    outline += [(name, filters[name]) for name in (*YES_OR_NO, *ADDED, KIND) if name in filters]
    if filters.get(OWN_FIELDS):
        outline.append((OWN_FIELDS, field_filters.outline(filters[OWN_FIELDS])))
    for name in SEARCHES:
        if name in filters and (question := search.read_question(name, filters[name])):
            outline.append((name, question))
    return tuple(outline)


def _detail(name: str, value: Any) -> str | None:
    if value is None:
        return None
    return FEW if name == "country" and _is_small_country(value) else SOME


def _is_small_country(country: str) -> bool:
    if db.engine.dialect.name != "postgresql":
        return False
    statement = sa.select(profiles.c.user_id).where(OF_COUNTRY)
    return explain.estimate_rows(statement, {"country": country}) < MAX_LOOKED_UP


@lru_cache(maxsize=512)
def _statement(shape: Shape) -> tuple[Read, frozenset[str]]:
    """The statement of a shape, and the names of its parameters.

    The page is cut on `users` first and joined to the profiles then: joined first, PostgreSQL may merge both tables
    from their first row on, and a page costs the more the deeper it lies. The limit is part of the text: for a
    parameter PostgreSQL would expect a tenth of the table and plan again each time.
    """
    column = ORDERS[shape.ordering.removeprefix("-")].column
    start, by = start_page(shape, users.c.id, column), order_rows(shape, users.c.id, column)
    if shape.in_window:
        rows = sa.literal_column(str(shape.limit * WINDOW), sa.Integer)
        window = sa.select(users).where(*start).order_by(*by).limit(rows).subquery("window")
        by = order_rows(shape, window.c.id, window.c[column.name])
        cut = sa.select(window).where(*conditions(shape.filters, window))
    else:
        cut = sa.select(users).where(*conditions(shape.filters), *start)
    one_more = sa.literal_column(str(shape.limit + 1), sa.Integer)
    page = cut.order_by(*by).limit(one_more).subquery("page")
    key = page.c[column.name]
    statement = (
        sa.select(*document_columns(page), key.label("order_value"))
        .select_from(page.outerjoin(profiles, profiles.c.user_id == page.c.id))
        .order_by(*order_rows(shape, page.c.id, key))
    )
    return Read(statement), frozenset(statement.compile().params)


def start_page(shape: Shape, row_id: Any, column: Any) -> list[Any]:
    """The condition for the rows of a page and all that follow; none for the first page.

    Args:
        shape: of the question.
        row_id, column: the id and the ordered column in what is selected from.
    """
    if shape.direction is None:
        return []
    compare = pagination.before_condition if shape.direction == "previous" else pagination.after_condition
    nullable = ORDERS[shape.ordering.removeprefix("-")].nullable
    return [compare(column, row_id, shape.ordering.startswith("-"), is_null=shape.after_null, nullable=nullable)]


def order_rows(shape: Shape, row_id: Any, column: Any) -> list[Any]:
    """What rows are ordered by; see `start_page`."""
    order, backwards = ORDERS[shape.ordering.removeprefix("-")], shape.direction == "previous"
    down = shape.ordering.startswith("-") != backwards
    if order.kind is int:
        return [row_id.desc() if down else row_id]
    key = column.desc() if down else column.asc()
    if order.nullable:
        key = sa.nulls_first(key) if backwards else sa.nulls_last(key)
    return [key, row_id.desc() if down else row_id.asc()]


def cut_page(found: Sequence[Any], ordering: str, limit: int, cursor: Cursor | None, outline: Outline) -> Page:
    """The page of rows in their order, of which one more than the limit may have been found.

    Raises:
        NotSearchableYet: no row was found, and the search keys of a filter are incomplete.
    """
    if not found:
        for name, detail in outline:
            if name == OWN_FIELDS:
                field_filters.require_complete(detail)
    rows = list(found[:limit])
    more = len(found) > limit
    backwards = cursor is not None and cursor.direction == "previous"
    if backwards:
        rows.reverse()
    has_next, has_previous = (True, more) if backwards else (more, cursor is not None)
    return Page(
        rows,
        _cursor(rows[-1], ordering, "next") if rows and has_next else None,
        _cursor(rows[0], ordering, "previous") if rows and has_previous else None,
    )


def _cursor(row: Any, ordering: str, direction: pagination.Direction) -> Cursor:
    value = row.order_value
    return Cursor(ordering, direction, value.isoformat() if isinstance(value, datetime) else value, row.id)
