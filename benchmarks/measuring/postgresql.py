"""A PostgreSQL of the benchmark's own: as it comes, durable, reached by a Unix socket."""

import os
import pwd
import shutil
import subprocess
from pathlib import Path
from typing import Any

import psycopg

from .machine import STATE

FOLDER = STATE / "postgresql"
DATA = FOLDER / "data"
PORT = 54329
SETTINGS = f"""
listen_addresses = ''
port = {PORT}
unix_socket_directories = '{FOLDER}'
shared_buffers = 512MB
max_connections = 300
"""


def _call(*command: str, check: bool = True) -> int:
    """Run one of its programs, which refuse to be root's."""
    account: dict[str, Any] = {}
    if os.geteuid() == 0:
        postgres = pwd.getpwnam("postgres")
        account = {"user": postgres.pw_uid, "group": postgres.pw_gid, "extra_groups": []}
    # Into a file: the server would keep a pipe open.
    log = STATE / "logs" / "postgresql.log"
    with log.open("ab") as output:
        code = subprocess.run(command, cwd="/", stdout=output, stderr=output, **account).returncode
    if check and code:
        raise SystemExit(f"bench: {command[0]} failed; see {log}")
    return code


def start() -> None:
    """Start it; the first time, make it."""
    if not DATA.exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0:
            shutil.chown(FOLDER, "postgres")
        _call("initdb", "-D", str(DATA), "-A", "trust", "-U", "bench", "-E", "UTF8", "--locale=C.UTF-8")
        with (DATA / "postgresql.conf").open("a") as file:
            file.write(SETTINGS)
    if _call("pg_ctl", "-D", str(DATA), "status", check=False):
        _call("pg_ctl", "-D", str(DATA), "-l", str(FOLDER / "log"), "-w", "start")


def stop() -> None:
    """Stop it, if it runs."""
    if DATA.exists() and _call("pg_ctl", "-D", str(DATA), "status", check=False) == 0:
        _call("pg_ctl", "-D", str(DATA), "-m", "fast", "-w", "stop")


def pid() -> int:
    """The server's process."""
    return int((DATA / "postmaster.pid").read_text().split()[0])


def url(database: str) -> str:
    """The address of a database."""
    return f"postgresql://bench@/{database}?host={FOLDER}&port={PORT}"


def connect(database: str = "postgres") -> psycopg.Connection[Any]:
    """A connection that commits each statement."""
    return psycopg.connect(host=str(FOLDER), port=PORT, user="bench", dbname=database, autocommit=True)


def version() -> str:
    """As `15.18`."""
    with connect() as connection:
        number = connection.info.server_version
    return f"{number // 10000}.{number % 10000}"


def has(database: str) -> bool:
    """Whether there is such a database."""
    with connect() as connection:
        return bool(connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (database,)).fetchone())


def remove(database: str) -> None:
    """Drop a database."""
    with connect() as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')


def create(database: str) -> None:
    """An empty database."""
    remove(database)
    with connect() as connection:
        connection.execute(f'CREATE DATABASE "{database}"')


def log_file() -> Path:
    """Where it says what went wrong."""
    return FOLDER / "log"
