"""The email addresses, ids and unique values that an import has already read, and the records that wait for an id.

They are in a temporary SQLite database of this process, on disk but without a file name, so that memory use does not
grow with the file.
"""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from .records import Record, place

TABLES = """
    PRAGMA journal_mode = OFF;
    PRAGMA cache_size = -32000;
    CREATE TABLE keys (email_key TEXT PRIMARY KEY, number INTEGER, entry TEXT) WITHOUT ROWID;
    CREATE TABLE field_values (field TEXT, key TEXT, PRIMARY KEY (field, key)) WITHOUT ROWID;
    CREATE TABLE ids (id INTEGER PRIMARY KEY, number INTEGER);
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

    def add_emails(self, emails: Sequence[tuple[str, Record]]) -> dict[int, str]:
        """Add the email addresses of some records, in their order.

        Returns:
            By index, the place of the earlier record that has the same one.
        """
        rows = [(email_key, record.number, record.entry) for email_key, record in emails]
        if self.connection.executemany("INSERT OR IGNORE INTO keys VALUES (?, ?, ?)", rows).rowcount == len(rows):
            return {}
        places = {}
        for index, (email_key, *own) in enumerate(rows):
            found = self.connection.execute(
                "SELECT number, entry FROM keys WHERE email_key = ?", (email_key,)
            ).fetchone()
            if found != tuple(own):
                places[index] = place(*found)
        return places

    def add_value(self, field: str, key: str) -> bool:
        """Add the key of a unique value; returns whether no earlier record has it."""
        row = (field, key)
        return bool(self.connection.execute("INSERT OR IGNORE INTO field_values VALUES (?, ?)", row).rowcount)

    def add_ids(self, ids: Sequence[tuple[int, int]]) -> set[int]:
        """Add ids, each with the number of its record; returns the numbers of records whose id an earlier one has."""
        if self.connection.executemany("INSERT OR IGNORE INTO ids VALUES (?, ?)", ids).rowcount == len(ids):
            return set()
        select = "SELECT number FROM ids WHERE id = ?"
        return {
            number for user_id, number in ids if self.connection.execute(select, (user_id,)).fetchone() != (number,)
        }

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
