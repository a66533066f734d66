"""The database: it answers, it is at the right migration, its file is ours alone, and there is room."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import sqlalchemy as sa
from flask import current_app

from userapi.core import migrations
from userapi.core.db import READING, db
from userapi.users import queries
from userapi.users.models import ZIP_SETTING

from .findings import Finding, ok, said, trouble, warning

#: Free space on the disk of a SQLite file, in MiB: what is too little, and what soon will be.
TOO_LITTLE = 100
LITTLE = 1000

#: Connections that a pool opens beyond its size when it must, as SQLAlchemy has it.
OVERFLOW = 10


def check() -> Iterator[Finding]:
    """Look at the database."""
    engine = db.engines[READING]
    try:
        with engine.connect() as connection:
            started = time.perf_counter()
            connection.execute(sa.text("SELECT 1"))
            milliseconds = (time.perf_counter() - started) * 1000
            version = ".".join(str(part) for part in engine.dialect.server_version_info or ())
            yield ok("database", f"{engine.dialect.name} {version} answers in {milliseconds:.1f} ms")
            yield from _migrations()
            yield from _postal_codes()
            yield from _sqlite(connection) if engine.dialect.name == "sqlite" else _postgresql(connection)
    except sa.exc.SQLAlchemyError as error:
        url = sa.make_url(current_app.config["DATABASE_URL"]).render_as_string()
        reason = said(getattr(error, "orig", None) or error)
        yield trouble("database", f"DATABASE_URL: {reason} ({url}). Is it up, and may this user connect?")


def _migrations() -> Iterator[Finding]:
    present, wanted = migrations.present(), migrations.wanted()
    if present == wanted:
        yield ok("migrations", f"at {present}, as this code wants")
    elif present is None or migrations.knows(present):
        yield trouble("migrations", f"at {present or 'nothing'}, this code wants {wanted}: run `flask db upgrade`.")
    else:
        yield trouble(
            "migrations", f"at {present}, which this code does not know: run the code that made it, or a newer."
        )


def _postal_codes() -> Iterator[Finding]:
    maximum = current_app.config[ZIP_SETTING]
    if migrations.present() == migrations.wanted() and (longer := queries.count_longer_zips(maximum)):
        yield warning(
            "database",
            f"{longer} profiles have a longer postal code than {ZIP_SETTING} ({maximum}), so their owners cannot save "
            "it again. Raise the setting.",
        )


def _sqlite(connection: sa.Connection) -> Iterator[Finding]:
    path = Path(str(connection.engine.url.database))
    if path.stat().st_mode & 0o077:
        yield trouble("database", f"DATABASE_URL: others may read {path}. chmod 600 {path}*")
    mode = connection.scalar(sa.text("PRAGMA journal_mode"))
    if mode != "wal":
        yield warning(
            "database", f"DATABASE_URL: {path} has the journal mode {mode}, not wal: is its disk a network's?"
        )
    free = shutil.disk_usage(path.parent).free // 2**20
    if free < TOO_LITTLE:
        yield trouble("disk", f"{free} MiB are free beside {path}. Make room, or writes will fail.")
    elif free < LITTLE:
        yield warning("disk", f"{free} MiB are free beside {path}. Make room.")
    else:
        yield ok("disk", f"{free} MiB are free beside {path}")


def _postgresql(connection: sa.Connection) -> Iterator[Finding]:
    settings = current_app.config
    allowed = int(str(connection.scalar(sa.text("SHOW max_connections"))))
    most = settings["WORKERS"] * 2 * (settings["DATABASE_POOL_SIZE"] + OVERFLOW)
    if settings["DATABASE_POOLER"] == "none" and most > allowed:
        yield warning(
            "database",
            f"WORKERS times two pools of DATABASE_POOL_SIZE + {OVERFLOW} may take {most} connections, and "
            f"max_connections of PostgreSQL is {allowed}. Lower one, raise the other, or set up a pooler.",
        )
    else:
        yield ok("database", f"at most {most} connections from here, {allowed} allowed")
