"""Checks of the database: the permissions of its file, its configuration, and whether it fits the settings."""

from collections.abc import Iterator
from pathlib import Path

import sqlalchemy as sa
from flask import current_app

from userapi.cli import preflight
from userapi.core import database_errors, migrations, private_files
from userapi.core.db import AUTOCOMMIT, db
from userapi.health.findings import Finding, failure, ok, warning
from userapi.users import queries, search_index
from userapi.users.fields import PROFILE

#: The connections that a pool may open beyond its size, SQLAlchemy's default.
OVERFLOW = 10


def check() -> Iterator[Finding]:
    """Check the database."""
    try:
        with db.engines[AUTOCOMMIT].connect() as connection:
            yield from _postal_codes()
            yield from _search()
            yield from _sqlite(connection) if connection.dialect.name == "sqlite" else _postgresql(connection)
    except sa.exc.SQLAlchemyError:
        return  # reported by the health checks


def try_to_write() -> Iterator[Finding]:
    """Write a row and roll it back, because only a write shows that the disk is full; the health checks report it."""
    kind = "TABLE" if db.engine.dialect.name == "sqlite" else "TEMPORARY TABLE"
    filler = "zeroblob(65536)" if kind == "TABLE" else "repeat('x', 65536)"
    try:
        with db.engine.connect() as connection:
            connection.exec_driver_sql(f"CREATE {kind} userapi_doctor AS SELECT {filler} AS filler")
            connection.rollback()
    except sa.exc.SQLAlchemyError as error:
        if "readonly" in str(error):
            yield failure("database", database_errors.describe_database_error(error))


def _postal_codes() -> Iterator[Finding]:
    setting = PROFILE["zip"].length_setting
    maximum = current_app.config[setting]
    if migrations.is_current() and (longer := queries.count_longer_zips(maximum)):
        yield warning(
            "database",
            f"{longer} profiles have a postal code longer than {setting} ({maximum}), so their owners cannot save "
            "them. Raise the setting.",
        )


def _search() -> Iterator[Finding]:
    if not migrations.is_current() or search_index.find_index():
        return
    missing = (
        "SQLite 3.34 or later with FTS5 is required"
        if db.engine.dialect.name == "sqlite"
        else "as a superuser, run CREATE EXTENSION pg_trgm in this database"
    )
    yield warning(
        "database",
        f"Searches find only the beginnings of emails and names, because the search index is missing: {missing}. "
        "Then run `flask users index`.",
    )


def _sqlite(connection: sa.Connection) -> Iterator[Finding]:
    path = Path(str(connection.engine.url.database))
    if private_files.is_accessible_to_others(path):
        yield failure("database", f"DATABASE_URL: Other users of this machine can read {path}. Run: chmod 600 {path}*")
    mode = connection.scalar(sa.text("PRAGMA journal_mode"))
    if mode != "wal":
        yield warning(
            "database", f"DATABASE_URL: {path} has the journal mode {mode}, not wal. Move it to a local disk."
        )


def _postgresql(connection: sa.Connection) -> Iterator[Finding]:
    settings = current_app.config
    if problem := preflight.postgresql_problem(settings, connection):
        yield failure("database", problem)
    allowed = int(str(connection.scalar(sa.text("SHOW max_connections"))))
    most = settings["WORKERS"] * 2 * (settings["DATABASE_POOL_SIZE"] + OVERFLOW)
    if settings["DATABASE_POOLER"] == "none" and most > allowed:
        yield warning(
            "database",
            f"WORKERS × 2 × (DATABASE_POOL_SIZE + {OVERFLOW}) is {most} connections, but max_connections of "
            f"PostgreSQL is {allowed}. Lower the settings, raise max_connections, or use a connection pooler.",
        )
    else:
        yield ok("database", f"up to {most} connections from this host; PostgreSQL allows {allowed}")
