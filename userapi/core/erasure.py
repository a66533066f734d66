"""Deleting data from a SQLite file so that its bytes are gone as well (decision 0099).

`PRAGMA secure_delete` overwrites deleted content with zeros. But the write-ahead log still has the pages as they were
before, until it is emptied. PostgreSQL cleans up by itself: see docs/operations.md.
"""

import logging
import sqlite3
from contextlib import closing

import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import Session

from .db import db

log = logging.getLogger("userapi.database")

#: Whether the log is to be emptied after the commit, in the `info` of a database session.
ERASE = "userapi-erase"

#: How long to wait for readers of the log, in seconds. Writers wait with it.
TIMEOUT = 0.1


def configure(_app: Flask) -> None:
    """Erase what was deleted after the commit, if `erase_on_commit` was called."""
    if not sa.event.contains(db.session, "after_commit", _erase):
        sa.event.listen(db.session, "after_commit", _erase)


def erase_on_commit() -> None:
    """Empty the write-ahead log once the current transaction, which deletes personal data, is committed."""
    if db.engine.dialect.name == "sqlite":
        db.session().info[ERASE] = True


def empty_log() -> bool:
    """Empty the write-ahead log of SQLite; false if a reader or writer prevents it, and a later call has to do it."""
    if db.engine.dialect.name != "sqlite":
        return True
    try:
        with closing(sqlite3.connect(str(db.engine.url.database), timeout=TIMEOUT)) as connection:
            is_busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    except sqlite3.OperationalError as error:
        is_busy = True
        log.info("write-ahead log not emptied", extra={"error": str(error)})
    return not is_busy


def _erase(session: Session) -> None:
    if not session.in_nested_transaction() and session.info.pop(ERASE, False):
        empty_log()
