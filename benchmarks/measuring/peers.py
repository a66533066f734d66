"""A peer is a folder with a `peer.toml`, which describes its requirements, data, start and operations."""

import os
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import sample_users

from . import postgresql
from .machine import BENCHMARKS, PROJECT, STATE, digest

PEERS = BENCHMARKS / "peers"
OURS = "userapi"


@dataclass(frozen=True)
class Peer:
    """A service that is measured, including our own.

    Attributes:
        name: the name of its folder.
        about: the contents of its `peer.toml`.
        checkout: the folder of our service's code.
    """

    name: str
    about: dict[str, Any]
    checkout: Path = PROJECT

    @property
    def folder(self) -> Path:
        """The folder of its code."""
        return PEERS / self.name

    @property
    def python(self) -> str:
        """The interpreter of its virtual environment."""
        return str(STATE / "environments" / self.name / "bin" / "python")

    @property
    def requirements(self) -> Path:
        """Its requirements; for our service, those of `make run`."""
        return PROJECT / "requirements" / "base.txt" if self.name == OURS else self.folder / "requirements.txt"

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables of its processes."""
        return {
            "PATH": f"{Path(self.python).parent}:{os.environ['PATH']}",
            "PYTHONPATH": f"{BENCHMARKS}:{self.checkout}" if self.name == OURS else str(BENCHMARKS),
            "DATABASE_URL": postgresql.url(self.about["database"]),
            "SECRET_KEY": "bench" + digest(str(STATE)) * 3,
            "JWT_KEY_DIR": str(STATE / "keys"),
            "DATA_KEY_DIR": str(STATE / "data_keys"),
            **self.about.get("environment", {}),
        }

    def call(self, *command: str) -> str:
        """Run Python in its folder and return the output."""
        return subprocess.run(
            [self.python, *command],
            cwd=self.folder,
            env=self.environment,
            check=True,
            text=True,
            stdout=subprocess.PIPE,
        ).stdout.strip()

    def versions(self) -> str:
        """Its main packages with versions."""
        code = "import sys, importlib.metadata as m; print(', '.join(f'{n} {m.version(n)}' for n in sys.argv[1:]))"
        return self.call("-c", code, *self.about["packages"])


def load(name: str) -> Peer:
    """The peer with a name.

    Raises:
        SystemExit: there is no such peer.
    """
    path = PEERS / name / "peer.toml"
    if not path.exists():
        known = ", ".join(sorted(found.parent.name for found in PEERS.glob("*/peer.toml")))
        sys.exit(f"bench: no peer is named {name}; there are {known}")
    return Peer(name, tomllib.loads(path.read_text()))


def install(peer: Peer) -> None:
    """Create its environment if it is missing or its requirements have changed."""
    stamp = STATE / "environments" / f"{peer.name}.stamp"
    wanted = digest(peer.requirements.read_text())
    if stamp.exists() and stamp.read_text() == wanted:
        return
    print(f"{peer.name}: packages", file=sys.stderr)
    subprocess.run([sys.executable, "-m", "venv", "--clear", Path(peer.python).parent.parent], check=True)
    pip = [peer.python, "-m", "pip", "install", "--disable-pip-version-check", "-qq", "-r", peer.requirements]
    subprocess.run(pip, check=True)
    stamp.write_text(wanted)


def fill(peer: Peer, count: int) -> None:
    """Fill its database if the data has changed: it creates its tables, then all peers are filled with COPY."""
    tables = peer.about.get("tables", {})
    stamp = STATE / "results" / f"{peer.about['database']}.filled"
    wanted = digest(str(count), repr(tables), sample_users.__loader__.get_source("sample_users"))  # type: ignore[union-attr]
    if not tables or (stamp.exists() and stamp.read_text() == wanted and postgresql.has(peer.about["database"])):
        return
    print(f"{peer.name}: {count:,} users", file=sys.stderr)
    postgresql.create(peer.about["database"])
    secret = {"password": peer.call("prepare.py").split("\n")[-1]}
    with postgresql.connect(peer.about["database"]) as connection:
        for table, columns in tables.items():
            _copy(connection, table, columns, count, secret)
            if columns.get("id") == "id":
                connection.execute(
                    f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) FROM {table}))"
                )
        connection.execute("VACUUM ANALYZE")
    stamp.write_text(wanted)


def _copy(
    connection: psycopg.Connection[Any], table: str, columns: dict[str, str], count: int, secret: dict[str, str]
) -> None:
    names, sources = ", ".join(f'"{name}"' for name in columns), list(columns.values())
    with connection.cursor() as cursor, cursor.copy(f'COPY "{table}" ({names}) FROM STDIN') as copy:
        for sample_user in sample_users.first_users(count):
            values = sample_user | secret
            copy.write_row([values[source] for source in sources])
