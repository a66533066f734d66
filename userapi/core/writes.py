"""Writes that say how many rows they hit, and INSERTs that skip or update what exists.

No object that the session has loaded follows such a write: read it again.
"""

from collections.abc import Sequence
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from .db import db


def hits(statement: Any) -> bool:
    """Execute a write; whether it hit one row."""
    return count_rows(statement) == 1


def count_rows(statement: Any, parameters: dict[str, Any] | None = None) -> int:
    """Execute a write; the number of rows that it hit."""
    result = db.session.execute(statement.execution_options(synchronize_session=False), parameters)
    return cast("sa.CursorResult[Any]", result).rowcount


def hit_keys(statement: Any, key: Any, parameters: dict[str, Any] | None = None) -> Sequence[Any]:
    """Execute a write; the keys of the rows that it hit.

    Args:
        statement: an UPDATE or DELETE.
        key: the attribute of its model that is the primary key.
        parameters: of the statement.
    """
    returning = statement.returning(key).execution_options(synchronize_session=False)
    return db.session.scalars(returning, parameters).all()


def delete_some(key: Any, condition: Any, most: int) -> int:
    """Delete at most `most` rows that meet a condition, so that no transaction takes long; the number deleted.

    Args:
        key: the attribute of a model that is its primary key.
        condition: which of its rows.
        most: the maximum number.
    """
    return count_rows(sa.delete(key.class_).where(key.in_(sa.select(key).where(condition).limit(most))))


def insert(table: Any) -> Any:
    """An INSERT that can have `on_conflict_…`, which each database has in a dialect of its own."""
    dialect: Any = postgresql if db.engine.dialect.name == "postgresql" else sqlite
    return dialect.insert(table)


def wait_for_turn(lock: int) -> None:
    """Let transactions that name the same lock follow one another; on SQLite every writer waits anyway."""
    if db.engine.dialect.name == "postgresql":
        db.session.execute(sa.select(sa.func.pg_advisory_xact_lock(lock)))
