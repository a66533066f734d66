"""The hot reads: a SELECT compiled once, run on an autocommit connection, its rows plain tuples with names.

SQLAlchemy writes the SQL and knows the types; its cache look-up, execution context and result machinery, which cost
three times what the driver does, are passed by. `benchmarks/` measures what that is worth.
"""

from collections import namedtuple
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from .db import READING, db

Processor = Callable[[Any], Any]


class _Compiled(NamedTuple):
    """A statement as one driver wants it."""

    sql: str
    fixed: dict[str, Any]
    order: Sequence[str] | None
    binders: list[tuple[str, Processor]]
    results: Sequence[tuple[int, Processor]]


class Read:
    """A SELECT whose text never changes.

    Args:
        statement: its parameters are `sa.bindparam(name)`; an `IN` list cannot be one.
    """

    def __init__(self, statement: sa.Select[Any]) -> None:
        self.statement = statement
        names = [column.key or f"column_{index}" for index, column in enumerate(statement.selected_columns)]
        self.record: Any = namedtuple("Record", names)  # type: ignore[misc]
        self._compiled: dict[str, _Compiled] = {}

    def one(self, **parameters: Any) -> Any:
        """The first row, a named tuple, or None."""
        rows = self.all(**parameters)
        return rows[0] if rows else None

    def all(self, **parameters: Any) -> list[Any]:
        """Every row, a named tuple each; asked again once if the connection had died.

        Raises:
            sqlalchemy.exc.DBAPIError: as SQLAlchemy itself would.
        """
        engine = db.engines[READING]
        compiled = self._compiled.get(engine.dialect.name) or self._compile(engine.dialect)
        values = {**compiled.fixed, **parameters}
        for name, binder in compiled.binders:
            values[name] = binder(values[name])
        arguments = values if compiled.order is None else [values[name] for name in compiled.order]
        rows = _execute(engine, compiled.sql, arguments)
        if compiled.results:
            rows = [_processed(row, compiled.results) for row in rows]
        return [self.record._make(row) for row in rows]

    def _compile(self, dialect: sa.Dialect) -> _Compiled:
        compiled: Any = self.statement.compile(dialect=dialect)
        binders = [
            (name, binder)
            for name, parameter in compiled.binds.items()
            if (binder := parameter.type.dialect_impl(dialect).bind_processor(dialect))
        ]
        results = [
            (index, processor)
            for index, column in enumerate(self.statement.selected_columns)
            if (processor := column.type.dialect_impl(dialect).result_processor(dialect, None))
        ]
        fixed = {name: value for name, value in compiled.params.items() if value is not None}
        order = compiled.positiontup if compiled.positional else None
        self._compiled[dialect.name] = _Compiled(str(compiled), fixed, order, binders, results)
        return self._compiled[dialect.name]


def _processed(row: Any, results: Sequence[tuple[int, Processor]]) -> list[Any]:
    values = list(row)
    for index, processor in results:
        values[index] = processor(values[index])
    return values


def _execute(engine: sa.Engine, sql: str, arguments: Any, *, again: bool = True) -> Any:
    base = engine.dialect.loaded_dbapi.Error
    try:
        connection = engine.raw_connection()
    except base as error:
        raise sa.exc.DBAPIError.instance(sql, None, error, base, connection_invalidated=True) from error
    try:
        cursor = connection.cursor()
        try:
            cursor.execute(sql, arguments)
            return cursor.fetchall()
        finally:
            cursor.close()
    except base as error:
        died = engine.dialect.is_disconnect(error, connection.dbapi_connection, None)
        if died:
            connection.invalidate(error)
            engine.dispose()
        if died and again:
            return _execute(engine, sql, arguments, again=False)
        raise sa.exc.DBAPIError.instance(sql, None, error, base, connection_invalidated=died) from error
    finally:
        connection.close()
