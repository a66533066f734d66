"""A separate PostgreSQL for the benchmarks: default settings, durable, reached by a Unix socket."""

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
    """Run one of its programs, not as root, which they do not allow."""
    account: dict[str, Any] = {}
    if os.geteuid() == 0:
        postgres = pwd.getpwnam("postgres")
        account = {"user": postgres.pw_uid, "group": postgres.pw_gid, "extra_groups": []}
    # To a file, because the server would keep a pipe open.
    log = STATE / "logs" / "postgresql.log"
    with log.open("ab") as output:
        code = subprocess.run(command, cwd="/", stdout=output, stderr=output, **account).returncode
    if check and code:
        raise SystemExit(f"bench: {command[0]} failed; see {log}")
    return code


def start() -> None:
    """Start the server, and create it the first time."""
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
    """Stop the server if it runs."""
    if DATA.exists() and _call("pg_ctl", "-D", str(DATA), "status", check=False) == 0:
        _call("pg_ctl", "-D", str(DATA), "-m", "fast", "-w", "stop")


def pid() -> int:
    """The process id of the server."""
    return int((DATA / "postmaster.pid").read_text().split()[0])


def url(database: str) -> str:
    """The URL of a database."""
    return f"postgresql://bench@/{database}?host={FOLDER}&port={PORT}"


def connect(database: str = "postgres") -> psycopg.Connection[Any]:
    """A connection that commits each statement."""
    return psycopg.connect(host=str(FOLDER), port=PORT, user="bench", dbname=database, autocommit=True)


def version() -> str:
    """The version, such as `15.18`."""
    with connect() as connection:
        number = connection.info.server_version
    return f"{number // 10000}.{number % 10000}"


def has(database: str) -> bool:
    """Whether a database exists."""
    with connect() as connection:
        return bool(connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (database,)).fetchone())


def remove(database: str) -> None:
    """Drop a database."""
    with connect() as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')


def create(database: str) -> None:
    """Create an empty database."""
    remove(database)
    with connect() as connection:
        connection.execute(f'CREATE DATABASE "{database}"')


def log_file() -> Path:
    """The path of the server's log."""
    return FOLDER / "log"
