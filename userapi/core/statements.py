"""The hot statements: compiled once, their rows plain tuples with names.

SQLAlchemy writes the SQL and knows the types; its cache look-up, execution context and result machinery, which cost
three times what the driver does, are passed by. What needs no transaction runs on an autocommit connection, which is
taken from the pool and kept for the next while the pool has others. `benchmarks/` measures what that is worth.
"""

from abc import ABC, abstractmethod
from collections import namedtuple
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import sqlalchemy as sa

from .db import READING, db, is_closed

Processor = Callable[[Any], Any]


class _Kept(NamedTuple):
    """A connection, and a cursor for each statement: psycopg makes half of its preparations once a cursor."""

    connection: sa.PoolProxiedConnection
    cursors: dict[str, Any]


#: Each engine's connections that wait for the next statement, the last used on top.
_idle: WeakKeyDictionary[sa.Engine, list[_Kept]] = WeakKeyDictionary()


class _Compiled(NamedTuple):
    """A statement as one driver wants it."""

    sql: str
    fixed: dict[str, Any]
    order: Sequence[str] | None
    binders: list[tuple[str, Processor]]
    results: Sequence[tuple[int, Processor]]


class _Statement(ABC):
    """A statement whose text never changes.

    Args:
        statement: its parameters are `sa.bindparam(name)`; an `IN` list cannot be one.
    """

    def __init__(self, statement: Any) -> None:
        self.statement = statement
        names = [column.key or f"column_{index}" for index, column in enumerate(statement.exported_columns)]
        self.record: Any = namedtuple("Record", names)  # type: ignore[misc]
        self._make = partial(tuple.__new__, self.record)
        self._compiled: dict[str, _Compiled] = {}

    def all(self, **parameters: Any) -> list[Any]:
        """Every row, a named tuple each.

        Raises:
            sqlalchemy.exc.DBAPIError: as SQLAlchemy itself would.
        """
        engine = self._engine()
        compiled = self._compiled.get(engine.dialect.name) or self._compile(engine.dialect)
        values = {**compiled.fixed, **parameters}
        for name, binder in compiled.binders:
            values[name] = binder(values[name])
        arguments = values if compiled.order is None else tuple(values[name] for name in compiled.order)
        rows = self._run(engine, compiled.sql, arguments)
        if compiled.results:
            rows = [_processed(row, compiled.results) for row in rows]
        return list(map(self._make, rows))

    def one(self, **parameters: Any) -> Any:
        """The first row, a named tuple, or None."""
        rows = self.all(**parameters)
        return rows[0] if rows else None

    @abstractmethod
    def _engine(self) -> sa.Engine: ...

    @abstractmethod
    def _run(self, engine: sa.Engine, sql: str, arguments: Any) -> Any: ...

    def _compile(self, dialect: sa.Dialect) -> _Compiled:
        compiled: Any = self.statement.compile(dialect=dialect)
        binders = [
            (name, binder)
            for name, parameter in compiled.binds.items()
            if (binder := parameter.type.dialect_impl(dialect).bind_processor(dialect))
        ]
        results = [
            (index, processor)
            for index, column in enumerate(self.statement.exported_columns)
            if (processor := column.type.dialect_impl(dialect).result_processor(dialect, None))
        ]
        fixed = {name: value for name, value in compiled.params.items() if value is not None}
        order = compiled.positiontup if compiled.positional else None
        self._compiled[dialect.name] = _Compiled(str(compiled), fixed, order, binders, results)
        return self._compiled[dialect.name]


class Read(_Statement):
    """A SELECT, outside any transaction; asked again once if the connection had died."""

    def _engine(self) -> sa.Engine:
        return db.engines[READING]

    def _run(self, engine: sa.Engine, sql: str, arguments: Any) -> Any:
        try:
            return _execute(engine, sql, arguments)
        except sa.exc.DBAPIError as error:
            if not error.connection_invalidated:
                raise
            return _execute(engine, sql, arguments)


class WriteAtOnce(_Statement):
    """An INSERT, UPDATE or DELETE that returns rows, and stands when it has: a transaction of its own."""

    def _engine(self) -> sa.Engine:
        return db.engines[READING]

    def _run(self, engine: sa.Engine, sql: str, arguments: Any) -> Any:
        return _execute(engine, sql, arguments, look_first=True)


class Write(_Statement):
    """An INSERT, UPDATE or DELETE that returns rows, inside the present transaction."""

    def _engine(self) -> sa.Engine:
        return db.engine

    def _run(self, engine: sa.Engine, sql: str, arguments: Any) -> Any:
        connection = db.session.connection()
        cursor = connection.connection.cursor()
        try:
            return _ask(engine, connection.connection, cursor, sql, arguments)
        except sa.exc.DBAPIError as error:
            if error.connection_invalidated:
                connection.invalidate(error.orig)
            raise
        finally:
            cursor.close()


def _processed(row: Any, results: Sequence[tuple[int, Processor]]) -> list[Any]:
    values = list(row)
    for index, processor in results:
        values[index] = processor(values[index])
    return values


def _execute(engine: sa.Engine, sql: str, arguments: Any, *, look_first: bool = False) -> Any:
    """Execute on a kept connection, or a new one.

    Args:
        look_first: do not take one that the server has closed: what cannot be asked again must not be asked in vain.
    """
    try:
        kept = _idle[engine].pop()
        while look_first and is_closed(kept.connection.dbapi_connection):
            kept.connection.invalidate()
            kept = _idle[engine].pop()
    except (KeyError, IndexError):
        kept = _connect(engine, sql)
    cursor = kept.cursors.get(sql) or kept.connection.cursor()
    try:
        rows = _ask(engine, kept.connection, cursor, sql, arguments)
    except sa.exc.DBAPIError as error:
        if error.connection_invalidated:
            kept.connection.invalidate(error.orig)
            engine.dispose()
        kept.connection.close()
        raise
    kept.cursors[sql] = cursor
    if engine.pool.checkedout() < engine.pool.size():  # type: ignore[attr-defined]
        _idle[engine].append(kept)
    else:  # somebody may wait at the pool for one to come back
        kept.connection.close()
    return rows


def _ask(engine: sa.Engine, connection: sa.PoolProxiedConnection, cursor: Any, sql: str, arguments: Any) -> Any:
    """What the database answers."""
    base = engine.dialect.loaded_dbapi.Error
    try:
        cursor.execute(sql, arguments)
        return cursor.fetchall()
    except base as error:
        died = engine.dialect.is_disconnect(error, connection.dbapi_connection, None)
        raise sa.exc.DBAPIError.instance(sql, None, error, base, connection_invalidated=died) from error


def _connect(engine: sa.Engine, sql: str) -> _Kept:
    if engine not in _idle:
        _idle[engine] = []
        sa.event.listen(engine, "engine_disposed", close_idle)
    base = engine.dialect.loaded_dbapi.Error
    try:
        return _Kept(engine.raw_connection(), {})
    except base as error:
        raise sa.exc.DBAPIError.instance(sql, None, error, base, connection_invalidated=True) from error


def close_idle(engine: sa.Engine) -> None:
    """Close the connections that wait for the next statement, as when their engine is disposed of."""
    idle = _idle.get(engine, [])
    while idle:
        idle.pop().connection.invalidate()
