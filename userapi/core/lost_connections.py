"""Connections to PostgreSQL that are lost: their server has ended or is silent, or is no longer the primary."""

import socket
from collections.abc import Collection
from functools import partial
from typing import Any

import psycopg
import sqlalchemy as sa

#: Errors after which a connection is useless, though the server may have left it open: by the names of PostgreSQL
#: read_only_sql_transaction, admin_shutdown, crash_shutdown, cannot_connect_now and idle_session_timeout.
READ_ONLY = "25006"
SQLSTATES = frozenset({READ_ONLY, "57P01", "57P02", "57P03", "57P05"})

#: After a statement has waited so many seconds, a second connection shows whether the server still responds.
MAX_SILENCE = 5.0

#: How often psycopg looks for signals while it waits, in seconds.
WAIT_INTERVAL = 0.1

#: How long it may take to respond, in seconds.
PROBE_TIMEOUT = 3.0

#: What a client sends first to ask for encryption; every server responds to it with one byte, before any sign-in.
SSL_REQUEST = b"\x00\x00\x00\x08\x04\xd2\x16\x2f"


class Connection(psycopg.Connection[Any]):
    """A connection whose statements fail when their server is silent and responds to no one.

    A frozen server, or a cut network, ends no connection: without this, its statements would wait for hours.
    """

    def wait(self, gen: Any, interval: float = WAIT_INTERVAL, timeout: float | None = None) -> Any:
        """Wait for the server, as psycopg does, while it responds."""
        while True:
            try:
                return super().wait(gen, interval, MAX_SILENCE if timeout is None else timeout)
            except psycopg.errors._WaitTimeout:
                if timeout is not None:
                    raise
            self._require_response()

    def _require_response(self) -> None:
        host = (self.pgconn.hostaddr or self.pgconn.host or b"localhost").decode()
        port = int(self.pgconn.port or b"5432")
        if not is_responding(host, port):
            self.close()
            raise psycopg.OperationalError("the server does not respond")


def is_responding(host: str, port: int) -> bool:
    """Whether a PostgreSQL server, or a pooler, responds to a new connection.

    Args:
        host: a name, an IP address, or the folder of a Unix socket.
        port: its port.
    """
    is_local = host.startswith("/")
    address: Any = f"{host}/.s.PGSQL.{port}" if is_local else (host, port)
    try:
        with _connect_locally(address) if is_local else socket.create_connection(address, PROBE_TIMEOUT) as probe:
            probe.sendall(SSL_REQUEST)
            return bool(probe.recv(1))
    except OSError:
        return False


def _connect_locally(path: str) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(PROBE_TIMEOUT)
    try:
        connection.connect(path)
    except OSError:
        connection.close()
        raise
    return connection


def watch(engines: Collection[sa.Engine]) -> None:
    """Let the engines of one database make such connections, and discard all of them when one is lost."""
    for engine in engines:
        sa.event.listen(engine, "do_connect", _connect)
        sa.event.listen(engine, "handle_error", partial(_discard_lost, engines))


def _connect(_dialect: sa.Dialect, _record: object, arguments: Any, options: Any) -> psycopg.Connection[Any]:
    return Connection.connect(*arguments, **options)


def _discard_lost(engines: Collection[sa.Engine], context: sa.ExceptionContext) -> None:
    if context.connection is None:
        return
    if is_lost(context.original_exception):
        context.is_disconnect = True  # so SQLAlchemy replaces this connection, and the others of its pool
    if context.is_disconnect:
        for engine in engines:
            if engine is not context.engine:
                engine.dispose()


def is_lost(error: BaseException) -> bool:
    """Whether an error of a statement says that its connection is useless."""
    return getattr(error, "sqlstate", None) in SQLSTATES


def mark_committing(error: sa.exc.DBAPIError) -> None:
    """Remember that the statement of an error commits by itself."""
    error.commits = True  # type: ignore[attr-defined]


def is_outcome_unknown(error: BaseException) -> bool:
    """Whether a connection was lost during a commit, so that it is not known whether the changes were saved."""
    if not isinstance(error, sa.exc.DBAPIError) or not error.connection_invalidated:
        return False
    if getattr(error.orig, "sqlstate", None) == READ_ONLY:
        return False
    return error.statement is None or hasattr(error, "commits")
