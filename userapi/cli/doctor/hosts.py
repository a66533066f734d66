"""Checks of the hosts of a PostgreSQL database: each responds, one is the primary, and the standby is one of it."""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from flask import current_app

from userapi.core import database_errors
from userapi.core.db import AUTOCOMMIT, STANDBY, db
from userapi.health.findings import Finding, ok, warning

#: By how many bytes of the log a standby may be behind before the check warns.
MAX_LAG = 16 * 2**20


def check() -> Iterator[Finding]:
    """Check each host of DATABASE_URL, if there are several, and the standby of DATABASE_READ_URL."""
    if db.engine.dialect.name == "postgresql":
        yield from _hosts(db.engine)
    if STANDBY in db.engines:
        yield from _standby(db.engines[STANDBY])


def _hosts(engine: sa.Engine) -> Iterator[Finding]:
    options = engine.dialect.create_connect_args(engine.url)[1]
    hosts = str(options.get("host", "")).split(",")
    ports = str(options.get("port", "")).split(",")
    if len(hosts) < 2:
        return
    for number, host in enumerate(hosts):
        port = ports[number] if len(ports) > 1 else ports[0]
        name = f"{host}:{port}" if port else host
        url = engine.url.set(host=None, port=None).difference_update_query(("host", "port", "target_session_attrs"))
        only = {"host": host, **({"port": port} if port else {})}
        try:
            yield ok("database", f"{name} is {_read_role(url.update_query_dict(only))}")
        except sa.exc.SQLAlchemyError as error:
            reason = database_errors.first_line_of_error(getattr(error, "orig", None) or error)
            yield warning("database", f"DATABASE_URL: {name} cannot be used now: {reason}. Start it, or remove it.")


def _read_role(url: sa.URL) -> str:
    engine = sa.create_engine(url, connect_args={"connect_timeout": 2}, poolclass=sa.NullPool)
    with engine.connect() as connection:
        is_standby = connection.scalar(sa.text("SELECT pg_is_in_recovery()"))
    return "a standby" if is_standby else "the primary"


def _standby(engine: sa.Engine) -> Iterator[Finding]:
    from userapi.core import standby  # without a standby, nothing of it is imported

    served = "Until then the primary serves its reads."
    try:
        with engine.connect() as connection, db.engines[AUTOCOMMIT].connect() as primary:
            if standby.read_identity(connection) != standby.read_identity(primary):
                yield warning("standby", f"DATABASE_READ_URL: This is no standby of the database. Correct it. {served}")
                return
            lag = standby.measure_lag(connection)
    except sa.exc.SQLAlchemyError as error:
        reason = database_errors.describe_database_error(error, current_app.config["DATABASE_READ_URL"])
        yield warning("standby", f"{reason.replace('DATABASE_URL', 'DATABASE_READ_URL', 1)} {served}")
        return
    yield _describe_lag(lag)


def _describe_lag(lag: Any) -> Finding:
    if lag is None:
        return warning("standby", "DATABASE_READ_URL: The server is no standby any more. Correct the URL.")
    text = f"{lag / 1024:.0f} KiB behind the primary"
    if lag > MAX_LAG:
        return warning("standby", f"DATABASE_READ_URL: {text}, so the primary serves its reads. Check the replication.")
    return ok("standby", text)
