"""The database: one engine for transactions, one for what needs none, and the types that both databases share.

Writes go through `db.session`. Reads that need no transaction go through `read_one` and `read_all`: an
autocommit connection, so that a request which only looks costs no BEGIN and no ROLLBACK.
"""

import os
import select
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import orjson
import psycopg
import sqlalchemy as sa
from flask import Flask, g, has_request_context, request
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import DeclarativeBase

from . import disk, lost_connections

AUTOCOMMIT = "reading"
STANDBY = "standby"
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")

#: How long a SQLite writer waits for another before the answer is 503, in milliseconds.
BUSY_TIMEOUT = 5000

#: How long one statement may take in PostgreSQL before the answer is 503, in milliseconds.
STATEMENT_TIMEOUT = 15_000

#: How to connect to PostgreSQL, unless DATABASE_URL says otherwise: a standby would know of no write since some time,
#: so that ended sessions would work there.
CONNECTING = {"connect_timeout": "5", "target_session_attrs": "primary"}
CONNECTING_TO_STANDBY = {"connect_timeout": "2", "target_session_attrs": "standby"}

#: The module `userapi.core.standby`, once an application with a DATABASE_READ_URL has imported it.
standby: Any = None


class Base(DeclarativeBase):
    """Names every constraint, so that a migration can change it on SQLite too."""

    metadata = sa.MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


db = SQLAlchemy(model_class=Base)

if TYPE_CHECKING:
    Model = Base
else:
    Model = db.Model

#: A row number: 64 bits on PostgreSQL; SQLite counts only a plain INTEGER up.
RowId = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


#: An object in JSON, without indexes into it; an absent one is SQL's NULL.
JSON_OBJECT = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")


def bytewise_text(length: int) -> sa.types.TypeEngine[str]:
    """Text compared byte by byte on both databases, so that an index serves a search by its beginning."""
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


class UTCDateTime(sa.types.TypeDecorator[datetime]):
    """An aware moment in UTC; SQLite, which keeps no zone, gets it without and gives it back with one."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment without a time zone")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        return None if value is None else value.replace(tzinfo=UTC)

    def result_processor(self, dialect: sa.Dialect, coltype: object) -> Any:
        """Nothing on PostgreSQL, which gives aware moments: on a page of a hundred that counts."""
        return super().result_processor(dialect, coltype) if dialect.name == "sqlite" else None


def configure(app: Flask, watch: Callable[[Flask, sa.Engine, str], None]) -> None:
    """Give the application its two engines.

    Args:
        app: the application.
        watch: called with the application, each engine and what the engine is for ("writing" or "reading").
    """
    url, options = build_engine_arguments(app.config, Path(app.instance_path))
    if url.get_backend_name() == "sqlite":
        _make_private(url)
    app.config["SQLALCHEMY_DATABASE_URI"] = url
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = options
    outside = {"isolation_level": "AUTOCOMMIT", "pool_reset_on_return": None}
    app.config["SQLALCHEMY_BINDS"] = {AUTOCOMMIT: {**options, **outside, "url": url}}
    if app.config["DATABASE_READ_URL"]:
        copied = app.config | {"DATABASE_URL": app.config["DATABASE_READ_URL"]}
        url, options = build_engine_arguments(copied, Path(app.instance_path), CONNECTING_TO_STANDBY)
        app.config["SQLALCHEMY_BINDS"][STANDBY] = {**options, **outside, "url": url, "pool_timeout": 1}
    db.init_app(app)
    with app.app_context():
        for use, engine in db.engines.items():
            if engine.dialect.name == "sqlite":
                sa.event.listen(engine, "connect", _prepare_sqlite)
            else:
                sa.event.listen(engine, "checkout", _refuse_closed)
            disk.record_full_disk_errors(app, engine)
            watch(app, engine, use or "writing")  # last: who refuses a connection has it tried again
        if db.engine.dialect.name == "sqlite":
            sa.event.listen(db.engine, "begin", _begin_sqlite)
        else:
            lost_connections.watch([db.engine, db.engines[AUTOCOMMIT]])
            if STANDBY in db.engines:
                lost_connections.watch([db.engines[STANDBY]])


def build_engine_arguments(
    settings: Mapping[str, Any], folder: Path, connecting: Mapping[str, str] = CONNECTING
) -> tuple[sa.URL, dict[str, Any]]:
    """The URL of the database and the options of an engine for it.

    Args:
        settings: the settings.
        folder: that the path of a SQLite file may be relative to.
        connecting: options of PostgreSQL, unless the URL has them.
    """
    url = sa.make_url(settings["DATABASE_URL"])
    options: dict[str, Any] = {
        "hide_parameters": True,  # logged errors then show the statement without its values
        "json_serializer": _dump_json,
        "json_deserializer": orjson.loads,
    }
    if url.get_backend_name() == "sqlite":
        options["connect_args"] = {"timeout": BUSY_TIMEOUT / 1000}
        return url.set(database=str(folder / str(url.database))), options
    # What the encoding is does not depend on PGCLIENTENCODING or on the URL.
    kept = _kept_by_connections(settings["DATABASE_POOLER"], url.query)
    own = {name: url.query.get(name, value) for name, value in connecting.items()}
    options["connect_args"] = {**own, "client_encoding": "utf8", **kept}
    options["pool_size"] = settings["DATABASE_POOL_SIZE"]
    options["pool_timeout"] = 10
    return url.set(drivername="postgresql+psycopg"), options


def _dump_json(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode()


def read_one(statement: sa.Select[Any], parameters: dict[str, Any] | None = None) -> sa.Row[Any] | None:
    """The first row of a statement, outside any transaction."""
    rows = read_all(statement, parameters)
    return rows[0] if rows else None


def read_all(statement: sa.Select[Any], parameters: dict[str, Any] | None = None) -> Sequence[sa.Row[Any]]:
    """Return all rows of a statement, outside any transaction; retry once if the connection was lost."""
    if standby is not None:
        found = standby.read(lambda connection: connection.execute(statement, parameters or {}).all())
        if found is not None:
            return cast("Sequence[sa.Row[Any]]", found)
    try:
        return _read(statement, parameters)
    except sa.exc.DBAPIError as error:
        if not error.connection_invalidated:
            raise
        return _read(statement, parameters)


def _read(statement: sa.Select[Any], parameters: dict[str, Any] | None) -> Sequence[sa.Row[Any]]:
    with db.engines[AUTOCOMMIT].connect() as connection:
        return connection.execute(statement, parameters or {}).all()


def connect_for_reading() -> sa.Connection:
    """A connection outside any transaction, to a standby if this request allows it."""
    connection: sa.Connection | None = standby.connect() if standby is not None else None
    return db.engines[AUTOCOMMIT].connect() if connection is None else connection


def allow_standby() -> None:
    """Let the reads of this request outside transactions use a standby from now on, if there is one.

    They see every commit until now, so only what the request itself decides must have been read before: whether the
    session is active, and what the caller may do.
    """
    if standby is not None:
        standby.allow()


def expect_writes() -> None:
    """Let this request write although its method is safe, as when a browser comes back from another site.

    On SQLite, its transactions then take the write lock at their start; one that first reads could not write once
    another one has written.
    """
    g.expects_writes = True


@contextmanager
def commit_on(*errors: type[Exception]) -> Iterator[None]:
    """Commit what the block wrote if it raises one of these errors, then let the error pass.

    For errors that must leave something behind: a failed sign-in its audit event, a reused refresh token the end of
    its session.
    """
    try:
        yield
    except errors:
        db.session.commit()
        raise


def _kept_by_connections(pooler: str, query: Mapping[str, Any]) -> dict[str, Any]:
    """What a connection keeps; behind a pooler, which gives each transaction another, nothing: the role does.

    `options` of DATABASE_URL are kept as well, and may set another statement_timeout.
    """
    if pooler == "transaction":
        return {"prepare_threshold": None}
    own = query.get("options", "")
    own = " ".join(own) if isinstance(own, tuple) else own
    return {"options": f"-c statement_timeout={STATEMENT_TIMEOUT} {own} -c timezone=UTC"}


def _make_private(url: sa.URL) -> None:
    """Create a SQLite file readable by its owner alone; SQLite gives its side files the same mode."""
    with suppress(OSError):  # a folder that is missing or closed: SQLite says so when it opens the file
        os.close(os.open(str(url.database), os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None
    for pragma in (
        "journal_mode=WAL",
        "synchronous=NORMAL",
        "foreign_keys=ON",
        "secure_delete=ON",  # FAST would leave what was on pages that became free
        f"busy_timeout={BUSY_TIMEOUT}",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _refuse_closed(connection: psycopg.Connection[Any], _record: object, _proxy: object) -> None:
    """Let the pool replace a connection that the server has closed."""
    if is_connection_closed(connection):
        raise sa.exc.DisconnectionError("closed by the server")


def is_connection_closed(connection: Any) -> bool:
    """Return whether the server has closed an idle connection; connections of SQLite are never closed.

    Unsolicited data on an idle connection means that the server has closed it. Checking costs no round trip, unlike a
    ping.
    """
    if not isinstance(connection, psycopg.Connection):
        return False
    if connection.closed:
        return True
    waiting = select.poll()
    waiting.register(connection.fileno(), select.POLLIN)
    return bool(waiting.poll(0))


def _begin_sqlite(connection: sa.Connection) -> None:
    """Take the write lock at the start, unless the request only looks: what was read stays true until written."""
    looks = has_request_context() and request.method in SAFE_METHODS and "expects_writes" not in g
    connection.exec_driver_sql("BEGIN" if looks else "BEGIN IMMEDIATE")


def render_migration_type(kind: str, item: Any, _context: Any) -> str | bool:
    """Write our column types into migrations as the plain types they are made of."""
    if kind == "type" and isinstance(item, UTCDateTime):
        return "sa.DateTime(timezone=True)"
    if kind == "type" and isinstance(item, sa.BigInteger):
        return 'sa.BigInteger().with_variant(sa.Integer(), "sqlite")'
    if kind == "type" and isinstance(item, sa.String) and "postgresql" in item._variant_mapping:
        return f'sa.String({item.length}).with_variant(sa.String({item.length}, collation="C"), "postgresql")'
    return False
