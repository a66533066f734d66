"""How a database finds the users of a list."""

from collections.abc import Mapping
from typing import Any

from flask import Flask

from userapi.core.db import db
from userapi.users import list_queries


def explain_list(app: Flask, filters: Mapping[str, Any], ordering: str = "id", limit: int = 50) -> str:
    """The plan of the first page of a list, as the database prints it.

    Args:
        app: the application.
        filters: as for `list_queries.find_page`.
        ordering: of the list.
        limit: rows on a page.
    """
    with app.app_context(), db.engine.connect() as connection:
        shape = list_queries.Shape(ordering, limit, None, False, list_queries.outline_filters(filters))
        statement, _names = list_queries._statement(shape)
        compiled = statement.statement.compile(dialect=db.engine.dialect)
        values = {**compiled.params, **list_queries.values(filters)}
        arguments = tuple(values[name] for name in compiled.positiontup) if compiled.positional else values
        prefix = "EXPLAIN QUERY PLAN" if db.engine.dialect.name == "sqlite" else "EXPLAIN"
        rows = connection.exec_driver_sql(f"{prefix} {compiled}", arguments)
        return "\n".join(str(row[-1]) for row in rows)
