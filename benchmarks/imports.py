"""The cost of an import of many users into PostgreSQL, and what PostgreSQL alone needs for the same rows.

    python benchmarks/imports.py [number of users] [--file users.jsonl] [--checkout FOLDER …]

Seeds and exports that many users, unless the file exists, and imports them into a new database, with the commands as
an operator uses them. Then it sends the same rows with COPY into the same tables with the same indexes, in batches of
the same size: no import can be faster than that. Other checkouts of this project take turns with this one.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

sys.path[:0] = [str(Path(__file__).resolve().parent.parent / part) for part in ("", "deploy")]

import psycopg  # noqa: E402
import sqlalchemy as sa  # noqa: E402
from measuring import machine  # noqa: E402

from tests.support import servers  # noqa: E402
from userapi.transfer.import_pipeline import BATCH_SIZE  # noqa: E402

PROJECT = Path(__file__).resolve().parent.parent

#: Seconds between two looks at a process.
INTERVAL = 0.5

#: The memory is reported at these parts of the duration.
QUARTERS = (0.25, 0.5, 0.75, 1.0)


class Database:
    """A temporary PostgreSQL, without fsync."""

    def __init__(self, url: str) -> None:
        self.url = sa.make_url(url)
        self.folder = str(self.url.query["host"])
        self.pid = int((Path(self.folder) / "data" / "postmaster.pid").read_text().split()[0])

    def connect(self, name: str) -> psycopg.Connection[Any]:
        """A connection to one of its databases."""
        return psycopg.connect(host=self.folder, user="postgres", dbname=name, autocommit=True)

    def create(self, name: str, checkout: Path, folder: str) -> str:
        """Create an empty database with all tables; returns its URL."""
        with self.connect("postgres") as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
            connection.execute(f'CREATE DATABASE "{name}"')
        url = self.url.set(database=name).render_as_string()
        self.run(checkout, folder, url, "db", "upgrade")
        return url

    def run(self, checkout: Path, folder: str, url: str, *command: str) -> str:
        """Run a command of `flask`, and describe what it cost."""
        environment = {
            **os.environ,
            "DATABASE_URL": url,
            "SECRET_KEY": "benchmark-of-imports-Qm7x2Vz9-kT4wLp81",
            "JWT_KEY_DIR": folder,
            "DATA_KEY_DIR": f"{folder}/data",
            "MAIL_DELIVERY": "none",
            "PYTHONPATH": str(checkout),
            "USER_PASSWORD": "Correct-Horse-9!",
        }
        flask = [sys.executable, "-m", "flask", "--app", str(checkout / "wsgi.py"), *command]
        before, own, started = machine.used_by(self.pid), machine.used_by_children(), time.perf_counter()
        errors = subprocess.DEVNULL if command[0] == "db" else None  # Alembic names each migration there
        process = subprocess.Popen(flask, cwd=checkout, env=environment, stdout=subprocess.DEVNULL, stderr=errors)
        memory = [0.0]
        while process.poll() is None:
            time.sleep(INTERVAL)
            try:
                memory.append(machine.held(process.pid))
            except OSError:
                break
        seconds = time.perf_counter() - started
        if process.wait():
            raise SystemExit(f"imports: flask {' '.join(command)} failed")
        used = machine.used_by_children() - own
        parts = [memory[min(int(len(memory) * part), len(memory) - 1)] for part in QUARTERS]
        at = ", ".join(f"{part:.0f}" for part in parts)
        return f"{seconds:.1f} | {used:.1f} | {machine.used_by(self.pid) - before:.1f} | {max(memory):.0f} ({at})"


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("users", type=int, nargs="?", default=1_000_000)
    parser.add_argument("--file", type=Path, help="JSON Lines; written if it does not exist")
    parser.add_argument("--checkout", type=Path, action="append", default=[], help="another checkout to compare with")
    parser.add_argument("--rounds", type=int, default=1)
    given = parser.parse_args()
    with servers.postgresql() as url, tempfile.TemporaryDirectory() as folder:
        database, file = Database(url), given.file or Path(folder) / "users.jsonl"
        print("| command | s | processor s in Python | processor s in PostgreSQL | maximum MiB (each quarter) |")
        print("| --- | --- | --- | --- | --- |")
        if not file.exists():
            seeded = database.create("seeded", PROJECT, folder)
            _print("seed", database.run(PROJECT, folder, seeded, "users", "seed", str(given.users)))
            export = ("users", "export", str(file), "--with-passwords")
            _print("export", database.run(PROJECT, folder, seeded, *export))
        for _round in range(given.rounds):
            for checkout in (*given.checkout, PROJECT):
                imported = database.create("imported", checkout, folder)
                cost = database.run(checkout, folder, imported, "users", "import", str(file))
                _print(f"import ({checkout.name})", cost)
            database.create("copied", PROJECT, folder)
            _print("COPY alone", _copy(database, Path(folder)))


def _print(name: str, cost: str) -> None:
    print(f"| {name} | {cost} |", flush=True)


def _copy(database: Database, folder: Path) -> str:
    """Send the imported rows into empty tables, in transactions as large as those of an import."""
    files = {}
    with database.connect("imported") as connection:
        for table in ("users", "user_profiles"):
            with (folder / table).open("wb") as file, connection.cursor() as cursor:
                order = "id" if table == "users" else "user_id"
                with cursor.copy(f"COPY (SELECT * FROM {table} ORDER BY {order}) TO STDOUT") as copy:
                    for block in copy:
                        file.write(block)
            columns = connection.execute(f"SELECT * FROM {table} LIMIT 0").description or ()
            files[f"{table} ({', '.join(column.name for column in columns)})"] = folder / table
    before, own, started = machine.used_by(database.pid), time.process_time(), time.perf_counter()
    with database.connect("copied") as connection:
        batches = zip(*(_read_batches(path.open("rb")) for path in files.values()), strict=True)
        for batch in batches:
            with connection.transaction(), connection.cursor() as cursor:
                for target, lines in zip(files, batch, strict=True):
                    with cursor.copy(f"COPY {target} FROM STDIN") as copy:
                        copy.write(lines)
    seconds, used = time.perf_counter() - started, time.process_time() - own
    return f"{seconds:.1f} | {used:.1f} | {machine.used_by(database.pid) - before:.1f} | "


def _read_batches(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while lines := b"".join(islice(file, BATCH_SIZE)):
            yield lines


if __name__ == "__main__":
    main()
