"""Recording the statements that reach a database, through SQLAlchemy or directly."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import sqlalchemy as sa
from flask import Flask

from userapi.core.db import db
from userapi.core.prepared import CURSORS, close_idle

TRANSACTION_STATEMENTS = ("BEGIN", "COMMIT", "ROLLBACK")

#: In what SQLite runs itself, for triggers and virtual tables.
INTERNAL = ("-- ", "'main'.")


@contextmanager
def record_statements(app: Flask) -> Iterator[list[str]]:
    """The statements that reach the driver inside the block, except those that begin and end transactions
    and those that SQLite runs for another one."""
    seen: list[str] = []
    touched: list[Any] = []

    def note(statement: str) -> None:
        if not statement.startswith(TRANSACTION_STATEMENTS) and not any(text in statement for text in INTERNAL):
            seen.append(statement)

    class Cursor(psycopg.Cursor[Any]):
        def execute(self, query: Any, *args: Any, **options: Any) -> Any:
            note(query if isinstance(query, str) else query.decode())
            return super().execute(query, *args, **options)

    def watch(connection: Any, record: Any, _proxy: Any) -> None:
        touched.append(connection)
        record.info.pop(CURSORS, None)  # they were made by another factory
        if isinstance(connection, sqlite3.Connection):
            connection.set_trace_callback(note)
        else:
            connection.cursor_factory = Cursor

    with app.app_context():
        engines = list(db.engines.values())
    for engine in engines:
        close_idle(
            engine
        )  # connections kept for the next read are not checked out again, so they would not be recorded
        sa.event.listen(engine, "checkout", watch)
    try:
        yield seen
    finally:
        for engine in engines:
            sa.event.remove(engine, "checkout", watch)
        for connection in touched:
            if isinstance(connection, sqlite3.Connection):
                connection.set_trace_callback(None)
            else:
                connection.cursor_factory = psycopg.Cursor
