"""The email addresses and ids that an import has already read, and the records that wait for an id.

They are in a temporary SQLite database of this process, on disk but without a file name, so that memory use does not
grow with the file.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from .records import Record, place

TABLES = """
    PRAGMA journal_mode = OFF;
    PRAGMA cache_size = -32000;
    CREATE TABLE keys (email_key TEXT PRIMARY KEY, number INTEGER, entry TEXT) WITHOUT ROWID;
    CREATE TABLE ids (id INTEGER PRIMARY KEY);
    CREATE TABLE deferred (number INTEGER, entry TEXT, record TEXT);
    BEGIN;
"""


class SeenKeys:
    """What an import has read so far.

    Attributes:
        has_ids: whether any record had an id.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.has_ids = False
        connection.executescript(TABLES)

    def add_email(self, email_key: str, record: Record) -> str | None:
        """Add an email address; returns the place of the earlier record that has it, or None."""
        row = (email_key, record.number, record.entry)
        if self.connection.execute("INSERT OR IGNORE INTO keys VALUES (?, ?, ?)", row).rowcount:
            return None
        found = self.connection.execute("SELECT number, entry FROM keys WHERE email_key = ?", (email_key,)).fetchone()
        return place(*found)

    def add_id(self, user_id: int) -> bool:
        """Add an id; returns whether no earlier record has it."""
        self.has_ids = True
        return bool(self.connection.execute("INSERT OR IGNORE INTO ids VALUES (?)", (user_id,)).rowcount)

    def add_deferred(self, record: Record) -> None:
        """Store a record until all ids of the file are known."""
        row = (record.number, record.entry, json.dumps(record.values))
        self.connection.execute("INSERT INTO deferred VALUES (?, ?, ?)", row)

    def deferred_records(self) -> Iterator[Record]:
        """The records that were stored, in their order."""
        found = self.connection.execute("SELECT number, entry, record FROM deferred ORDER BY rowid")
        for number, entry, values in found:
            yield Record(number, json.loads(values), entry)


@contextmanager
def open_seen_keys() -> Iterator[SeenKeys]:
    """An empty `SeenKeys`, whose database is deleted at the end."""
    connection = sqlite3.connect("", isolation_level=None)
    try:
        yield SeenKeys(connection)
    finally:
        connection.close()
