"""What an error of the database means for an operator, in one line of English that names the setting."""

import re

import sqlalchemy as sa
from flask import current_app

from . import disk

#: What to do about an error of PostgreSQL that has no hint of its own.
SERVER_HINT = "Check that the server is running and lets this user connect."

#: How SQLite and PostgreSQL begin what they say, and what to do. In braces: parts of DATABASE_URL.
HINTS: tuple[tuple[str, str], ...] = (
    (r"disk full|disk is full|No space left on device", "Free some space on the database's disk."),
    (r"no such table|relation .* does not exist|no such column", "Run `flask db upgrade` first."),
    (r"database .* does not exist", "Create it with `createdb --encoding=UTF8 {database}`, or correct the URL."),
    (r"role .* does not exist", "Create it with `createuser --pwprompt {user}`, or correct the user name in the URL."),
    (r"password authentication failed|no password supplied", "Correct the user name or password in the URL."),
    (
        r"permission denied for schema public|no schema has been selected to create in",
        'Since PostgreSQL 15 only the owner may create tables. Run: GRANT USAGE, CREATE ON SCHEMA public TO "{user}";',
    ),
    (
        r"server is in hot standby mode",
        "This is a standby. Use the primary, or list all hosts: postgresql://{user}@host1:5432,host2:5432/{database}.",
    ),
    (r"permission denied for (table|sequence)", "Use the role that owns the tables, or grant access to this one."),
    (r"unable to open database file", "Its folder must exist, and this user must be able to write to it."),
    (r"attempt to write a readonly database", "This user must be able to write to the file and its folder."),
    (r"database is locked", "Another process is writing. Try again in a moment."),
    (r"file is not a database", "Use a SQLite file, or a path where no file exists yet."),
)  # fmt: skip


def describe_database_error(error: sa.exc.SQLAlchemyError, database_url: str | None = None) -> str:
    """What the database said, its URL without the password, and what to do.

    Args:
        error: of any kind.
        database_url: DATABASE_URL; that of the present application when it is None.
    """
    original = getattr(error, "orig", None) or error
    reason = "disk full" if disk.is_disk_full_error(error) else first_line_of_error(original)
    return add_hint(reason, database_url or current_app.config["DATABASE_URL"])


def add_hint(reason: str, database_url: str) -> str:
    """The same, of what the database said."""
    url = sa.make_url(database_url)
    return f"DATABASE_URL: {reason} ({url.render_as_string()}). {find_hint(reason, url)}"


def first_line_of_error(error: BaseException) -> str:
    """The first line of what an error says, without a full stop."""
    lines = str(error).strip().splitlines()
    return lines[0][:300].rstrip(".") if lines else type(error).__name__


def find_hint(reason: str, url: sa.URL | None = None) -> str:
    """What to do about an error.

    Args:
        reason: what the database said.
        url: of a PostgreSQL database; None for SQLite.
    """
    is_sqlite = url is None or url.get_backend_name() == "sqlite"
    parts = {"database": "", "user": ""} if url is None else {"database": url.database, "user": url.username or "USER"}
    for pattern, text in HINTS:
        if re.search(pattern, reason):
            return text.format(**parts)
    return "The file and its folder must exist and be writable." if is_sqlite else SERVER_HINT
