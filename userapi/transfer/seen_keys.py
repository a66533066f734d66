"""What an import has seen of its file so far: addresses, ids, and the users who must wait for an id.

It is kept in a temporary database of this process, in a file without a name, so that memory stays flat.
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
    CREATE TABLE waiting (number INTEGER, entry TEXT, record TEXT);
    BEGIN;
"""


class Seen:
    """What was seen.

    Attributes:
        has_ids: whether any record had an id.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.has_ids = False
        connection.executescript(TABLES)

    def first_with(self, email_key: str, record: Record) -> str | None:
        """Where an earlier record with this address stands, if there was one."""
        row = (email_key, record.number, record.entry)
        if self.connection.execute("INSERT OR IGNORE INTO keys VALUES (?, ?, ?)", row).rowcount:
            return None
        found = self.connection.execute("SELECT number, entry FROM keys WHERE email_key = ?", (email_key,)).fetchone()
        return place(*found)

    def is_new(self, user_id: int) -> bool:
        """Whether no earlier record had this id."""
        self.has_ids = True
        return bool(self.connection.execute("INSERT OR IGNORE INTO ids VALUES (?)", (user_id,)).rowcount)

    def keep(self, record: Record) -> None:
        """Keep a record until every id of the file is known."""
        row = (record.number, record.entry, json.dumps(record.values))
        self.connection.execute("INSERT INTO waiting VALUES (?, ?, ?)", row)

    def kept(self) -> Iterator[Record]:
        """The records that were kept."""
        found = self.connection.execute("SELECT number, entry, record FROM waiting ORDER BY rowid")
        for number, entry, values in found:
            yield Record(number, json.loads(values), entry)


@contextmanager
def memory() -> Iterator[Seen]:
    """What knows nothing yet, and forgets everything at the end."""
    connection = sqlite3.connect("", isolation_level=None)
    try:
        yield Seen(connection)
    finally:
        connection.close()
