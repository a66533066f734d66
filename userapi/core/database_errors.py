"""What an error of the database means for an operator, in one line of English that names the setting."""

import re

import sqlalchemy as sa
from flask import current_app

from . import disk

#: How SQLite and PostgreSQL begin what they say, and what to do. In braces: parts of DATABASE_URL.
HINTS: tuple[tuple[str, str], ...] = (
    (r"no such table|relation .* does not exist|no such column", "Run `flask db upgrade` first."),
    (r"database .* does not exist", "Create it with `createdb --encoding=UTF8 {database}`, or correct the URL."),
    (r"role .* does not exist", "Create it with `createuser --pwprompt {user}`, or correct the user name in the URL."),
    (r"password authentication failed|no password supplied", "Correct the user name or password in the URL."),
    (
        r"permission denied for schema public|no schema has been selected to create in",
        'Since PostgreSQL 15 only the owner may create tables. Run: GRANT USAGE, CREATE ON SCHEMA public TO "{user}";',
    ),
    (r"permission denied for (table|sequence)", "Use the role that owns the tables, or grant it."),
    (r"unable to open database file", "Its folder must exist, and this user must be able to write in it."),
    (r"attempt to write a readonly database", "This user must be able to write the file and its folder."),
    (r"database is locked", "Another process is writing. Try again in a moment."),
    (r"file is not a database", "Name a SQLite file, or a path where there is no file yet."),
)  # fmt: skip


def in_one_line(error: sa.exc.SQLAlchemyError) -> str:
    """What the database said, its URL without the password, and what to do."""
    url = sa.make_url(current_app.config["DATABASE_URL"])
    reason = first_line(getattr(error, "orig", None) or error)
    return f"DATABASE_URL: {reason} ({url.render_as_string()}). {_hint(error, reason, url)}"


def first_line(error: BaseException) -> str:
    """The first line of what an error says, without a full stop."""
    lines = str(error).strip().splitlines()
    return lines[0][:300].rstrip(".") if lines else type(error).__name__


def _hint(error: sa.exc.SQLAlchemyError, reason: str, url: sa.URL) -> str:
    if disk.is_full_error(error):
        return "The disk is full. Make room on it."
    for pattern, hint in HINTS:
        if re.search(pattern, reason):
            return hint.format(database=url.database, user=url.username or "the user")
    if url.get_backend_name() == "sqlite":
        return "The file and its folder must exist and be writable."
    return "Is the server up, and may this user connect?"
