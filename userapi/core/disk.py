"""Disk space for the database: what is free, and writes that failed because there was none."""

import shutil
import sqlite3
import time
from functools import partial
from pathlib import Path

import psycopg
import sqlalchemy as sa
from flask import Flask, current_app

EXTENSION = "userapi-disk-full"

#: MiB. With less than FULL free, writes fail.
FULL_BELOW_MEGABYTES = 1

#: A failed write counts as the present state for so many seconds.
ERROR_MEMORY_SECONDS = 60.0

#: How the log names it.
DISK_FULL = "disk full"


def record_full_disk_errors(app: Flask, engine: sa.Engine) -> None:
    """Remember the writes of an engine that fail because the disk is full."""
    sa.event.listen(engine, "handle_error", partial(_remember, app))


def _remember(app: Flask, context: sa.ExceptionContext) -> None:
    if is_disk_full_error(context.original_exception):
        app.extensions[EXTENSION] = time.monotonic()


def is_disk_full_error(error: BaseException | None) -> bool:
    """Whether the database could not write because a disk is full: SQLITE_FULL, or PostgreSQL's 53100."""
    error = getattr(error, "orig", None) or error
    if isinstance(error, sqlite3.Error):
        return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
    return isinstance(error, psycopg.errors.DiskFull)


def has_failed_recently() -> bool:
    """Whether a write of this process has failed within the last minute because the disk is full."""
    failed_at = current_app.extensions.get(EXTENSION)
    return failed_at is not None and time.monotonic() - failed_at < ERROR_MEMORY_SECONDS


def get_free_megabytes(engine: sa.Engine) -> int | None:
    """MiB that are free beside a SQLite file; None for PostgreSQL, whose disk is elsewhere."""
    if engine.dialect.name != "sqlite":
        return None
    return shutil.disk_usage(get_database_folder(engine)).free // 2**20


def get_database_folder(engine: sa.Engine) -> Path:
    """Where the SQLite file is."""
    return Path(str(engine.url.database)).parent
