"""A page of a search with its counts: one statement collects the matches in the search index, for both.

Collecting them is nearly all that a search costs, so it should not be done for the page and again for the counts.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from userapi.core.prepared import Read
from userapi.http.pagination import Cursor, Page

from . import list_counts, list_queries
from .list_counts import Overview
from .list_queries import ORDERS, SEARCHES, Outline, Shape
from .queries import document_columns, profiles, users


def applies(outline: Outline) -> bool:
    """Whether the search index collects all matches of a list."""
    return any(name in SEARCHES and detail.is_indexed for name, detail in outline)


def read(
    filters: Mapping[str, Any], ordering: str, limit: int, cursor: Cursor | None, outline: Outline
) -> tuple[Page, Overview]:
    """A page of a list that `applies`, and the list in numbers; see `list_queries.find_page`.

    Raises:
        NotSearchableYet: the search keys of a filter are incomplete.
    """
    matched = tuple((name, detail.with_matches if name in SEARCHES else detail) for name, detail in outline)
    shape = list_queries.make_shape(ordering, limit, cursor, matched)
    statement, needed = _statement(shape, list_counts.MAX_COUNTED)
    parameters = list_queries.values_after(filters, ordering, cursor)
    rows = statement.all(**{name: value for name, value in parameters.items() if name in needed})
    found = [row for row in rows if row.id is not None]  # without a match, the only row has the counts
    page = list_queries.cut_page(found, ordering, limit, cursor, outline)
    return page, list_counts.read_counts(rows[0])


@lru_cache(maxsize=128)
def _statement(shape: Shape, most: int) -> tuple[Read, frozenset[str]]:
    """The statement of a shape, and the names of its parameters.

    PostgreSQL and SQLite compute only once what is selected from twice. The profiles are joined to no more rows than
    are counted, because PostgreSQL would read all of them for a number of rows that it cannot know.
    """
    column = ORDERS[shape.ordering.removeprefix("-")].column
    columns = {each.name: each for each in (column, *list_counts.COUNTED)}
    found = sa.select(*columns.values()).where(*list_queries.conditions(shape.filters)).cte("found")
    key = found.c[column.name]
    page = (
        sa.select(found.c.id, key.label("order_value"))
        .where(*list_queries.start_page(shape, found.c.id, key))
        .order_by(*list_queries.order_rows(shape, found.c.id, key))
        .limit(sa.literal_column(str(shape.limit + 1), sa.Integer))
        .subquery("page")
    )
    counts = list_counts.select_counts(sa.select(found), most).subquery("counts")
    rows = page.join(users, users.c.id == page.c.id).outerjoin(profiles, profiles.c.user_id == page.c.id)
    statement = (
        sa.select(*document_columns(), page.c.order_value, *counts.c)
        .select_from(counts.outerjoin(rows, sa.true()))
        .order_by(*list_queries.order_rows(shape, page.c.id, page.c.order_value))
    )
    return Read(statement), frozenset(statement.compile().params)
