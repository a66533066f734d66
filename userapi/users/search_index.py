"""The index for searches by contained text: trigrams of the search keys of users.

PostgreSQL needs the extension pg_trgm for it, SQLite version 3.34 with FTS5. Without the index, searches compare
beginnings only (decision 0044). SQLAlchemy knows neither a virtual table nor an index that may be missing, so the index
is not part of the models: a migration creates it, or `db.create_all()`.
"""

import sqlite3
from typing import Any
from weakref import WeakKeyDictionary

import psycopg.errors
import sqlalchemy as sa

from userapi.core.db import db, read_one

from .models import User

#: The index in PostgreSQL, and the virtual table in SQLite, whose own tables begin with the same name.
INDEX = "ix_users_search"
TABLE = "users_search"

#: Words contain no space, so none can match across two keys.
POSTGRESQL_TEXT = "email_key || ' ' || coalesce(username_key, '') || ' ' || first_name_key || ' ' || last_name_key"

#: In SQLite: the table, and the triggers that keep it current.
SQLITE = (
    """
    CREATE VIRTUAL TABLE IF NOT EXISTS users_search USING fts5(
        email_key, username_key, first_name_key, last_name_key,
        content='users', content_rowid='id', tokenize='trigram case_sensitive 1', detail=none, columnsize=0
    )
    """,
    "INSERT INTO users_search(users_search) VALUES ('rebuild')",
    """
    CREATE TRIGGER IF NOT EXISTS users_search_insert AFTER INSERT ON users BEGIN
        INSERT INTO users_search(rowid, email_key, username_key, first_name_key, last_name_key)
        VALUES (new.id, new.email_key, new.username_key, new.first_name_key, new.last_name_key);
    END
    """,
    """
    CREATE TRIGGER IF NOT EXISTS users_search_delete AFTER DELETE ON users BEGIN
        INSERT INTO users_search(users_search, rowid, email_key, username_key, first_name_key, last_name_key)
        VALUES ('delete', old.id, old.email_key, old.username_key, old.first_name_key, old.last_name_key);
    END
    """,
    """
    CREATE TRIGGER IF NOT EXISTS users_search_update
    AFTER UPDATE OF email_key, username_key, first_name_key, last_name_key ON users
    WHEN old.email_key != new.email_key OR old.username_key IS NOT new.username_key
        OR old.first_name_key != new.first_name_key OR old.last_name_key != new.last_name_key
    BEGIN
        INSERT INTO users_search(users_search, rowid, email_key, username_key, first_name_key, last_name_key)
        VALUES ('delete', old.id, old.email_key, old.username_key, old.first_name_key, old.last_name_key);
        INSERT INTO users_search(rowid, email_key, username_key, first_name_key, last_name_key)
        VALUES (new.id, new.email_key, new.username_key, new.first_name_key, new.last_name_key);
    END
    """,
)

#: Delete an entry from the index immediately. Earlier versions of SQLite do so when they merge parts of the index.
HAS_SECURE_DELETE = sqlite3.sqlite_version_info >= (3, 42)
SECURE_DELETE = "INSERT INTO users_search(users_search, rank) VALUES ('secure-delete', 1)"

#: Merge parts of the index; a negative number of pages begins to merge all of them.
MERGE = sa.text("INSERT INTO users_search(users_search, rank) VALUES ('merge', :pages)")
PAGES = 500

#: Statements that return a row if there is the index.
PRESENT = {
    "postgresql": """
        SELECT 1 FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
        WHERE relname = 'ix_users_search' AND indrelid = to_regclass('users') AND indisvalid
    """,
    "sqlite": "SELECT 1 FROM sqlite_master WHERE name = 'users_search'",
}

#: What PostgreSQL reports if the extension is not installed or may not be created.
UNAVAILABLE = (
    psycopg.errors.FeatureNotSupported,
    psycopg.errors.InsufficientPrivilege,
    psycopg.errors.UndefinedFile,
    psycopg.errors.UndefinedObject,
)

#: Engines whose database has the index.
_indexed: WeakKeyDictionary[sa.Engine, bool] = WeakKeyDictionary()


def create(connection: sa.Connection) -> bool:
    """Create the index if it is missing, and say whether there is one now."""
    made = _create_postgresql(connection) if connection.dialect.name == "postgresql" else _create_sqlite(connection)
    _indexed.pop(db.engine, None)
    return made


def is_available() -> bool:
    """Whether searches can use the index. One that was found is not looked for again."""
    engine = db.engine
    if not _indexed.get(engine):
        _indexed[engine] = find_index()
    return _indexed[engine]


def find_index() -> bool:
    """Whether the database has the index."""
    statement = PRESENT[db.engine.dialect.name]
    return read_one(sa.text(statement)) is not None  # type: ignore[arg-type]


def purge_deleted() -> None:
    """Rewrite the index of an earlier SQLite, which still has entries of deleted users, in short transactions."""
    if db.engine.dialect.name != "sqlite" or HAS_SECURE_DELETE or not find_index():
        return
    pages, is_merged = -PAGES, False
    while not is_merged:
        connection = db.session.connection()
        driver: Any = connection.connection.driver_connection
        before = driver.total_changes
        connection.execute(MERGE, {"pages": pages})
        is_merged = pages > 0 and driver.total_changes - before < 2  # as SQLite's documentation says
        db.session.commit()
        pages = PAGES


def include_name(name: str | None, kind: str, _parents: Any) -> bool:
    """Whether Alembic's autogenerate compares a table or an index with the models."""
    return not (name or "").startswith(INDEX if kind == "index" else TABLE)


def _create_postgresql(connection: sa.Connection) -> bool:
    try:
        with connection.begin_nested():
            connection.exec_driver_sql("CREATE EXTENSION IF NOT EXISTS pg_trgm")
            connection.exec_driver_sql(
                f"CREATE INDEX IF NOT EXISTS {INDEX} ON users USING gin (({POSTGRESQL_TEXT}) gin_trgm_ops)"
            )
    except sa.exc.DBAPIError as error:
        if isinstance(error.orig, UNAVAILABLE):
            return False
        raise
    connection.exec_driver_sql("ANALYZE users")  # otherwise no statistics say how common a text is
    return True


def _create_sqlite(connection: sa.Connection) -> bool:
    try:
        for statement in SQLITE:
            connection.exec_driver_sql(statement)
    except sa.exc.OperationalError as error:
        if "no such module" in str(error.orig) or "no such tokenizer" in str(error.orig):
            return False
        raise
    if HAS_SECURE_DELETE:
        connection.exec_driver_sql(SECURE_DELETE)
    return True


@sa.event.listens_for(User.__table__, "after_create")
def _create_with_users(_table: sa.Table, connection: sa.Connection, **_options: Any) -> None:
    """Create the index of a table made by `db.create_all()`, as the migration does."""
    create(connection)


@sa.event.listens_for(User.__table__, "before_drop")
def _drop_with_users(_table: sa.Table, connection: sa.Connection, **_options: Any) -> None:
    """Drop what dropping `users` would leave behind."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"DROP TABLE IF EXISTS {TABLE}")
