"""Prepared statements for the hot paths: compiled once, each row a named tuple.

SQLAlchemy writes the SQL and knows the types. Its cache look-up, execution context and result objects cost three times
what the driver does, so these statements skip them. Those that need no transaction also skip the pool: its checkout and
checkin cost more than the statement (decision 0036), so idle connections wait here while the pool has others to give.
"""

from abc import ABC, abstractmethod
from collections import namedtuple
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import sqlalchemy as sa
from sqlalchemy.sql import visitors

from . import db as database
from .db import AUTOCOMMIT, db, is_connection_closed
from .lost_connections import is_lost, mark_committing

Processor = Callable[[Any], Any]

#: Entered around each prepared statement, which SQLAlchemy's cursor events do not see; tracing sets it.
observer: Callable[[sa.Engine, str], AbstractContextManager[None]] | None = None
_UNOBSERVED = nullcontext()


#: The cursors of a connection, by statement, in its `info`: psycopg does half of its preparations per cursor.
CURSORS = "userapi-cursors"


class _Idle(NamedTuple):
    """A checked-out connection, with a cursor for each statement."""

    connection: sa.PoolProxiedConnection
    cursors: dict[str, Any]


#: Each engine's connections that wait for their next statement, the one used last at the end.
_idle: WeakKeyDictionary[sa.Engine, list[_Idle]] = WeakKeyDictionary()


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
        rows = self._rows(engine, compiled.sql, arguments)
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
    def _rows(self, engine: sa.Engine, sql: str, arguments: Any) -> Any: ...

    def _compile(self, dialect: sa.Dialect) -> _Compiled:
        statement = visitors.replacement_traverse(self.statement, {}, partial(_write_constant, dialect))
        compiled: Any = statement.compile(dialect=dialect)
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


def _write_constant(dialect: sa.Dialect, element: Any, **_options: Any) -> Any:
    """A constant of the code as a part of the SQL text; None for everything else.

    PostgreSQL would plan `kind != $1` again at each execution, because it knows nothing of values that it has not seen.
    """
    if not isinstance(element, sa.BindParameter) or element.required or element.value is None:
        return None
    process = element.type.dialect_impl(dialect).literal_processor(dialect)
    return process and sa.literal_column(process(element.value), element.type)


class Read(_Statement):
    """A SELECT outside any transaction, repeated once if the connection was lost."""

    def _engine(self) -> sa.Engine:
        return db.engines[AUTOCOMMIT]

    def _rows(self, engine: sa.Engine, sql: str, arguments: Any) -> Any:
        if database.standby is not None:
            found = database.standby.read(lambda connection: _execute_on(connection, sql, arguments))
            if found is not None:
                return found
        try:
            return _execute_autocommit(engine, sql, arguments)
        except sa.exc.DBAPIError as error:
            if not error.connection_invalidated:
                raise
            return _execute_autocommit(engine, sql, arguments)


class CommittingWrite(_Statement):
    """An INSERT, UPDATE or DELETE that returns rows and commits by itself."""

    def _engine(self) -> sa.Engine:
        return db.engines[AUTOCOMMIT]

    def _rows(self, engine: sa.Engine, sql: str, arguments: Any) -> Any:
        return _execute_autocommit(engine, sql, arguments, commits=True)


class Write(_Statement):
    """An INSERT, UPDATE or DELETE that returns rows, or a SELECT that locks them, inside the session's transaction."""

    def _engine(self) -> sa.Engine:
        return db.engine

    def _rows(self, engine: sa.Engine, sql: str, arguments: Any) -> Any:
        return _execute_on(db.session.connection(), sql, arguments)


def _processed(row: Any, results: Sequence[tuple[int, Processor]]) -> list[Any]:
    values = list(row)
    for index, processor in results:
        values[index] = processor(values[index])
    return values


def _execute_autocommit(engine: sa.Engine, sql: str, arguments: Any, *, commits: bool = False) -> Any:
    """Execute on an idle connection, or a new one.

    Args:
        commits: whether it is a write. Then check first that the server has not closed the connection, because a write
            cannot be repeated after an error: it is unknown whether it took place.
    """
    idle = _take_idle(engine, skip_closed=commits) or _connect(engine, sql)
    cursor = idle.cursors.get(sql) or idle.connection.cursor()
    try:
        rows = _fetch(engine, idle.connection, cursor, sql, arguments)
    except sa.exc.DBAPIError as error:
        if error.connection_invalidated:
            idle.connection.invalidate(error.orig)
            for each in db.engines.values():
                each.dispose()
        if commits:
            mark_committing(error)
        idle.connection.close()
        raise
    idle.cursors[sql] = cursor
    if engine.pool.checkedout() < engine.pool.size():  # type: ignore[attr-defined]
        _idle[engine].append(idle)
    else:  # another thread may be waiting at the pool for this connection
        idle.connection.close()
    return rows


def _execute_on(connection: sa.Connection, sql: str, arguments: Any) -> Any:
    pooled = connection.connection
    cursors = pooled.info.setdefault(CURSORS, {})
    cursor = cursors.pop(sql, None) or pooled.cursor()
    try:
        rows = _fetch(connection.engine, pooled, cursor, sql, arguments)
    except sa.exc.DBAPIError as error:
        if error.connection_invalidated:
            connection.invalidate(error.orig)
        raise
    cursors[sql] = cursor
    return rows


def _take_idle(engine: sa.Engine, *, skip_closed: bool) -> _Idle | None:
    waiting = _idle.get(engine)
    while waiting:
        try:
            idle = waiting.pop()
        except IndexError:  # another thread took the last one
            return None
        if not skip_closed or not is_connection_closed(idle.connection.dbapi_connection):
            return idle
        idle.connection.invalidate()
    return None


def _fetch(engine: sa.Engine, connection: sa.PoolProxiedConnection, cursor: Any, sql: str, arguments: Any) -> Any:
    base = engine.dialect.loaded_dbapi.Error
    try:
        with observer(engine, sql) if observer else _UNOBSERVED:
            cursor.execute(sql, arguments)
            return cursor.fetchall()
    except base as error:
        lost = is_lost(error) or engine.dialect.is_disconnect(error, connection.dbapi_connection, None)
        raise sa.exc.DBAPIError.instance(sql, None, error, base, connection_invalidated=lost) from error


def _connect(engine: sa.Engine, sql: str) -> _Idle:
    if engine not in _idle:
        _idle[engine] = []
        sa.event.listen(engine, "engine_disposed", close_idle)
    base = engine.dialect.loaded_dbapi.Error
    try:
        return _Idle(engine.raw_connection(), {})
    except base as error:
        raise sa.exc.DBAPIError.instance(sql, None, error, base, connection_invalidated=True) from error


def close_idle(engine: sa.Engine) -> None:
    """Close the connections that wait for their next statement, as when their engine is disposed of."""
    waiting = _idle.get(engine, [])
    while waiting:
        waiting.pop().connection.invalidate()
