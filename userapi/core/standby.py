"""Reads on a standby of the database (DATABASE_READ_URL), which are as new as reads on the primary.

A request that allows it first reads the position of the primary's log, which is after every commit until then. A
standby that has replayed the log up to there has all of them: what the caller saved before, through any host, and what
others saved. A standby that is behind gets a moment to catch up. After that, and if it fails, the primary serves the
read.
"""

import logging
import sys
import time
from collections.abc import Callable
from typing import Any, TypeVar

import sqlalchemy as sa
from flask import Flask, current_app, g, has_app_context
from sqlalchemy.orm import Session

from . import context
from . import db as database
from .db import AUTOCOMMIT, STANDBY, db

log = logging.getLogger("userapi.standby")

Result = TypeVar("Result")

#: How long a read waits for a standby that is behind, and how often it looks, in seconds.
MAX_WAIT = 0.1
INTERVAL = 0.005

#: For how many seconds the primary serves all reads after a standby was behind, or has failed.
PAUSES = {"behind": 1.0, "failed": 5.0}

#: The name of the state among the extensions of an application.
STATE = "userapi-standby"

#: Positions in the log, in bytes. That of the primary includes what is not yet written to its disk.
POSITION = sa.text("SELECT pg_current_wal_insert_lsn() - CAST('0/0' AS pg_lsn)")
REPLAYED = sa.text("SELECT pg_last_wal_replay_lsn() - CAST('0/0' AS pg_lsn)")

#: The cluster and the database that a connection leads to; a standby has those of its primary.
IDENTITY = sa.text(
    "SELECT system_identifier, (SELECT oid FROM pg_database WHERE datname = current_database())"
    " FROM pg_control_system()"
)


class _State:
    """What the threads of one application know of its standby.

    Attributes:
        count: called with the outcome of each read that may use the standby: `standby`, or why it did not.
        problem: `behind` or `failed` if the last attempt was; otherwise empty.
        resumes_at: when the standby is tried again, by the monotonic clock.
        identity: of the primary, once it is known.
    """

    def __init__(self, count: Callable[[str], None]) -> None:
        self.count = count
        self.problem = ""
        self.resumes_at = 0.0
        self.identity: tuple[Any, ...] = ()

    def pause(self, problem: str, error: Exception | None = None) -> None:
        """Let the primary serve all reads for a while."""
        if problem != self.problem:
            log.warning(f"standby {problem}: the primary serves its reads", extra={"error": repr(error)[:200]})
        self.problem = problem
        self.resumes_at = time.monotonic() + PAUSES[problem]
        self.count(problem)

    def resume(self) -> None:
        """Count a read that the standby serves."""
        if self.problem:
            log.warning("standby used again")
        self.problem = ""
        self.count("standby")


def configure(app: Flask, count: Callable[[str], None]) -> None:
    """Let requests that allow it read from the standby.

    Args:
        app: an application with a DATABASE_READ_URL.
        count: called with the outcome of each read that may use the standby: `standby`, `behind` or `failed`.
    """
    app.extensions[STATE] = _State(count)
    if database.standby is None:
        sa.event.listen(db.session, "after_commit", _forget_position)
        database.standby = sys.modules[__name__]


def allow() -> None:
    """Let the reads of this request outside transactions use the standby from now on."""
    if STATE in current_app.extensions:
        g.standby_position = None


def read(run: Callable[[sa.Connection], Result]) -> Result | None:
    """Run a read on the standby; None if it has to be run on the primary."""
    connection = connect()
    if connection is None:
        return None
    try:
        with connection:
            return run(connection)
    except sa.exc.SQLAlchemyError as error:
        _state().pause("failed", error)
        return None


def connect() -> sa.Connection | None:
    """A connection to a standby that is not behind; None if this request does not allow it, or there is none."""
    if "standby_position" not in context.current_g():
        return None
    state = _state()
    if time.monotonic() < state.resumes_at:
        state.count(state.problem)
        return None
    if g.standby_position is None:
        g.standby_position = read_position()
    try:
        connection = db.engines[STANDBY].connect()
    except sa.exc.SQLAlchemyError as error:
        state.pause("failed", error)
        return None
    try:
        _require_same_database(connection, state)
        if _has_replayed(connection, g.standby_position):
            state.resume()
            return connection
        state.pause("behind")
    except (sa.exc.SQLAlchemyError, LookupError) as error:
        state.pause("failed", error)
    connection.close()
    return None


def read_position() -> int:
    """The position of the primary's log."""
    with db.engines[AUTOCOMMIT].connect() as connection:
        return int(connection.execute(POSITION).scalar_one())


def read_identity(connection: sa.Connection) -> tuple[Any, ...]:
    """The cluster and the database that a connection leads to."""
    return tuple(connection.execute(IDENTITY).one())


def measure_lag(connection: sa.Connection) -> int | None:
    """By how many bytes of the log a standby is behind the primary; None if it is no standby."""
    replayed = connection.execute(REPLAYED).scalar()
    return None if replayed is None else max(0, read_position() - int(replayed))


def _has_replayed(connection: sa.Connection, position: int) -> bool:
    """Whether a standby has replayed the log up to a position, if need be after a moment."""
    if connection.info.get("replayed", 0) >= position:
        return True
    deadline = time.monotonic() + MAX_WAIT
    while True:
        replayed = connection.info["replayed"] = int(connection.execute(REPLAYED).scalar() or 0)
        if replayed >= position:
            return True
        if time.monotonic() > deadline:
            return False
        time.sleep(INTERVAL)


def _require_same_database(connection: sa.Connection, state: _State) -> None:
    """Check once for each connection that it leads to a copy of this database.

    Raises:
        LookupError: it does not.
    """
    if "is_same_database" not in connection.info:
        if not state.identity:
            with db.engines[AUTOCOMMIT].connect() as primary:
                state.identity = read_identity(primary)
        connection.info["is_same_database"] = read_identity(connection) == state.identity
    if not connection.info["is_same_database"]:
        raise LookupError("DATABASE_READ_URL leads to another database")


def _forget_position(_session: Session) -> None:
    if has_app_context() and "standby_position" in g:
        g.standby_position = None  # what was committed now is behind that position


def _state() -> _State:
    state: _State = current_app.extensions[STATE]
    return state
