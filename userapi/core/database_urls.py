"""The URL of the database: its forms, and what is wrong with others."""

import re
from urllib.parse import quote, unquote

import psycopg
import sqlalchemy as sa
from marshmallow import ValidationError
from psycopg import conninfo

#: How a database URL may begin, and how SQLAlchemy names it.
DRIVERS = {
    "sqlite": "sqlite",
    "sqlite+pysqlite": "sqlite",
    "postgres": "postgresql",
    "postgresql": "postgresql",
    "postgresql+psycopg": "postgresql",
}

#: A URL of PostgreSQL with several hosts before the path, as libpq reads it: scheme, user, hosts, path and options.
WITH_HOSTS = re.compile(r"(postgres\w*(?:\+\w+)?://)((?:[^@/?]*@)?)([^@/?]*,[^@/?]*)(/[^?]*)?(?:\?(.*))?", re.DOTALL)

#: One of the hosts, an IPv6 address in brackets.
HOST_AND_PORT = re.compile(r"(?:\[(?P<address>[^\]]*)\]|(?P<name>[^:\[\]]*))(?::(?P<port>\d*))?")


def database_url(value: str) -> str:
    """The URL of a SQLite file or a PostgreSQL database, as SQLAlchemy reads it.

    `postgres://` is accepted as well, and several hosts as libpq reads them: `postgresql://user@host1:5432,host2/name`.
    """
    try:
        value = _move_hosts_to_query(value)
        url = sa.make_url(value)
    except (sa.exc.ArgumentError, ValueError) as error:
        raise ValidationError(
            "Not a database URL such as sqlite:///userapi.db or postgresql://user@host/name."
        ) from error
    if url.drivername not in DRIVERS:
        backend, _plus, driver = url.drivername.partition("+")
        if driver and DRIVERS.get(backend):
            raise ValidationError(f"The driver {driver} is not supported. Use {DRIVERS[backend]}:// instead.")
        raise ValidationError("Only SQLite and PostgreSQL are supported.")
    backend = DRIVERS[url.drivername]
    if backend == "sqlite":
        _check_sqlite(url)
    else:
        _check_postgresql(url)
    return value if url.drivername == backend else url.set(drivername=backend).render_as_string(hide_password=False)


def postgresql_url_or_none(value: str) -> str:
    """The URL of a PostgreSQL database, or nothing."""
    if value and not value.startswith("postgres"):
        raise ValidationError("Must be the URL of a PostgreSQL database, such as postgresql://user@host/name.")
    return database_url(value) if value else ""


def _move_hosts_to_query(value: str) -> str:
    """The same URL with several hosts as options, since SQLAlchemy accepts no more than one before the path."""
    found = WITH_HOSTS.fullmatch(value)
    if not found:
        return value
    scheme, user, hosts, path, query = found.groups()
    parts = [HOST_AND_PORT.fullmatch(host) for host in hosts.split(",")]
    if not all(parts):
        raise ValueError("a host or its port is malformed")
    names = [unquote(part["address"] or part["name"]) for part in parts if part]
    ports = [part["port"] or "" for part in parts if part]
    options = [f"host={quote(','.join(names), safe=',:')}", *([f"port={','.join(ports)}"] if any(ports) else [])]
    return f"{scheme}{user}{path or '/'}?{'&'.join([*options, *([query] if query else [])])}"


def _check_sqlite(url: sa.URL) -> None:
    if url.host or url.username:
        raise ValidationError(
            "A SQLite path needs three slashes, or four when it is absolute: sqlite:////srv/users.db."
        )
    if url.database in (None, "", ":memory:"):
        raise ValidationError("SQLite needs a file: an in-memory database is not shared between workers.")
    if url.query:
        raise ValidationError("SQLite does not support options after a ?. Write a ? in a path as %3F.")


def _check_postgresql(url: sa.URL) -> None:
    if not url.database:
        raise ValidationError("Add the name of the database: postgresql://user@host/name.")
    try:
        conninfo.make_conninfo(**dict.fromkeys(url.query, ""))
    except psycopg.ProgrammingError as error:
        raise ValidationError(f"PostgreSQL does not support a connection option: {str(error).strip()}.") from error
    try:
        url.set(drivername="postgresql+psycopg").get_dialect()().create_connect_args(url)
    except sa.exc.ArgumentError as error:
        raise ValidationError(
            "The hosts and ports do not fit together. Write postgresql://user@host1:5432,host2:5432/name."
        ) from error
