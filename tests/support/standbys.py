"""A PostgreSQL primary with a streaming standby, both temporary and on Unix sockets."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
from processes import account_for, postgresql_programs

from tests.support import waiting

#: Of both servers; commits do not wait for the disk, as nothing has to survive the test.
SETTINGS = ("fsync=off", "full_page_writes=off", "listen_addresses=", "max_connections=60", "hot_standby_feedback=on")

NAMES = ("primary", "standby")


class Cluster:
    """A primary and its standby, by name.

    Attributes:
        database: the database in the URLs.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._programs = postgresql_programs(folder)
        self._servers: dict[str, subprocess.Popen[bytes]] = {}
        self.database = "accounts"
        for name in NAMES:
            (folder / name).mkdir()
        self._account: dict[str, Any] = account_for(folder)

    def socket_folder(self, name: str) -> Path:
        """Where the Unix socket of a server is."""
        return self._folder / name

    def url(self, *names: str, options: str = "") -> str:
        """The URL of the database at one server, or at several, of which the first that fits is used."""
        hosts = ",".join(str(self.socket_folder(name)) for name in names)
        return f"postgresql://postgres@/{self.database}?host={hosts}{options}"

    def query(self, name: str, statement: str) -> list[Any]:
        """Execute a statement at a server, and return its rows if it has any."""
        with psycopg.connect(
            host=str(self.socket_folder(name)), user="postgres", dbname="postgres", autocommit=True
        ) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def create(self) -> None:
        """Create the primary with its database and then the standby, and start both."""
        data = self.socket_folder("primary") / "data"
        self._run("initdb", "-D", data, "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--no-sync")
        self.start("primary")
        self.query("primary", f"CREATE DATABASE {self.database}")
        options = ("-h", self.socket_folder("primary"), "-U", "postgres", "--checkpoint=fast", "--no-sync")
        self._run("pg_basebackup", "-D", self.socket_folder("standby") / "data", "-R", *options)
        self.start("standby")

    def start(self, name: str) -> None:
        """Start a server and wait until it accepts connections."""
        folder = self.socket_folder(name)
        settings = [part for setting in SETTINGS for part in ("-c", setting)]
        command = [self._programs / "postgres", "-D", folder / "data", "-k", folder, *settings]
        with (folder / "log").open("ab") as log:
            self._servers[name] = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, **self._surroundings
            )
        waiting.wait_until(lambda: self._accepts(name))

    def stop(self, name: str, stop_signal: signal.Signals = signal.SIGQUIT) -> None:
        """Stop a server; SIGQUIT ends it immediately, SIGINT disconnects its clients first."""
        self._servers[name].send_signal(stop_signal)
        self._servers.pop(name).wait(30)

    @contextmanager
    def frozen(self, name: str) -> Iterator[None]:
        """Stop all processes of a server without ending them, as a machine that hangs."""
        main = self._servers[name].pid
        pids = [main, *map(int, Path(f"/proc/{main}/task/{main}/children").read_text().split())]
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    def promote(self) -> None:
        """Make the standby a primary."""
        self.query("standby", "SELECT pg_promote()")

    def wait_for_replay(self) -> None:
        """Wait until the standby has everything that the primary has."""
        position = self.query("primary", "SELECT pg_current_wal_flush_lsn()")[0][0]
        replayed = f"SELECT pg_last_wal_replay_lsn() >= '{position}'"
        waiting.wait_until(lambda: self.query("standby", replayed)[0][0])

    def close(self) -> None:
        """Stop the servers that run."""
        for name in tuple(self._servers):
            self.stop(name)

    def _accepts(self, name: str) -> bool:
        with suppress(psycopg.OperationalError):
            self.query(name, "SELECT 1")
            return True
        return False

    def _run(self, program: str, *arguments: Any) -> None:
        command = [self._programs / program, *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, **self._surroundings)

    @property
    def _surroundings(self) -> dict[str, Any]:
        env = {name: value for name, value in os.environ.items() if not name.startswith("PG")} | {"LC_ALL": "C"}
        return {"cwd": self._folder, "env": env, **self._account}


@contextmanager
def cluster() -> Iterator[Cluster]:
    """Run a primary and its standby."""
    folder = Path(tempfile.mkdtemp(prefix="pg-")).resolve()  # short, as the path of a Unix socket has to be
    servers = Cluster(folder)
    try:
        servers.create()
        yield servers
    finally:
        servers.close()
        shutil.rmtree(folder, ignore_errors=True)
