"""Where the kit remembers ended sessions and handled webhooks. Processes that share a store know the same."""

import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol


class Store(Protocol):
    """Short texts, each for some seconds. The cache of Django and Redis can be such a store."""

    def put(self, key: str, value: str, seconds: int) -> None:
        """Store a text, instead of an earlier one."""

    def read(self, keys: Sequence[str]) -> dict[str, str]:
        """The texts that are stored for some of the keys."""


class MemoryStore:
    """The memory of this process.

    Args:
        limit: the maximum number of texts. Then those that expire next are dropped.
    """

    def __init__(self, limit: int = 1_000_000) -> None:
        self._limit = limit
        self._texts: dict[str, tuple[str, float]] = {}
        self._lock = threading.Lock()
        self._next_pruning = 0.0

    def put(self, key: str, value: str, seconds: int) -> None:
        """Store a text, instead of an earlier one."""
        now = time.monotonic()
        with self._lock:
            self._texts[key] = (value, now + seconds)
            if now >= self._next_pruning or len(self._texts) > self._limit:
                self._prune(now)

    def read(self, keys: Sequence[str]) -> dict[str, str]:
        """The texts that are stored for some of the keys."""
        now, texts = time.monotonic(), self._texts
        found = [(key, texts.get(key)) for key in keys]
        return {key: kept[0] for key, kept in found if kept is not None and kept[1] > now}

    def _prune(self, now: float) -> None:
        kept = {key: text for key, text in self._texts.items() if text[1] > now}
        if len(kept) > self._limit:
            by_expiry = sorted(kept.items(), key=lambda item: item[1][1])
            kept = dict(by_expiry[-self._limit * 9 // 10 :])
        self._texts, self._next_pruning = kept, now + 60


class SqliteStore:
    """A file that the processes of one machine share.

    Args:
        path: of the file, which is created if there is none.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = str(path)
        self._open()

    def put(self, key: str, value: str, seconds: int) -> None:
        """Store a text, instead of an earlier one."""
        now = time.time()
        self._run("DELETE FROM texts WHERE expires <= ?", now)
        self._run("INSERT OR REPLACE INTO texts VALUES (?, ?, ?)", key, value, now + seconds)

    def read(self, keys: Sequence[str]) -> dict[str, str]:
        """The texts that are stored for some of the keys."""
        places = ", ".join("?" * len(keys))
        statement = f"SELECT key, value FROM texts WHERE expires > ? AND key IN ({places})"  # noqa: S608
        return dict(self._run(statement, time.time(), *keys))

    def _open(self) -> None:
        self._process_id, self._lock = os.getpid(), threading.Lock()
        connection = sqlite3.connect(self._path, timeout=5, isolation_level=None, check_same_thread=False)
        weakref.finalize(self, _close, connection, self._process_id)  # also keeps it open in processes forked later
        self._connection = connection
        self._run("PRAGMA journal_mode=WAL")
        self._run(
            "CREATE TABLE IF NOT EXISTS texts (key TEXT PRIMARY KEY, value TEXT NOT NULL, expires REAL NOT NULL)"
            " WITHOUT ROWID"
        )
        self._run("CREATE INDEX IF NOT EXISTS texts_expires ON texts (expires)")

    def _run(self, statement: str, *values: str | float) -> list[Any]:
        if os.getpid() != self._process_id:  # SQLite does not allow a connection in a process that was forked since
            self._open()
        with self._lock:
            return self._connection.execute(statement, values).fetchall()


def _close(connection: sqlite3.Connection, process_id: int) -> None:
    if os.getpid() == process_id:
        connection.close()
