"""Finds the user of each profile, email address, second factor and social account in a Django dump.

Usually a field `user` contains the primary key of the user. With `--natural-foreign` it contains the natural key: the
value of the user model's USERNAME_FIELD, whose name is not in the dump. A profile whose `OneToOneField` is its primary
key has no field `user`. In both cases this finds the field that explains all references in the file. If two fields
explain them, but lead to different users, the file is rejected.
"""

import json
import sqlite3
from collections.abc import Mapping
from typing import Any

from flask_babel import gettext as _

from .records import UnreadableFile, printable

#: Fields of users that are never references. Any other field may be the natural key or refer to the profile.
NEVER_REFERENCES = {
    "password", "last_login", "date_joined", "first_name", "last_name", "is_active", "is_staff", "is_superuser",
    "groups", "user_permissions",
}  # fmt: skip

#: Fields of users that never refer to the profile.
NEVER_PROFILE_KEYS = ("username", "email")

#: The name of a profile's primary key among its fields.
PK = "pk"

TABLES = """
    CREATE TABLE users (number INTEGER PRIMARY KEY, entry TEXT, fields TEXT, pk TEXT UNIQUE, email TEXT);
    CREATE TABLE profiles (
        number INTEGER PRIMARY KEY, entry TEXT, model TEXT, pk TEXT, owner TEXT, fields TEXT, is_certain INTEGER
    );
    CREATE TABLE addresses (owner TEXT, email TEXT, verified INTEGER, PRIMARY KEY (owner, email));
    CREATE TABLE factors (owner TEXT, model TEXT, entry TEXT, pk TEXT, fields TEXT);
    CREATE TABLE tokens (device TEXT, token TEXT);
    CREATE INDEX factors_by_owner ON factors (owner);
    CREATE INDEX tokens_by_device ON tokens (device);
    CREATE TABLE links (model TEXT, field TEXT, profile INTEGER, value TEXT);
    CREATE TABLE user_values (field TEXT, value TEXT, user INTEGER);
    CREATE TABLE matches (field TEXT, item, user INTEGER);
    CREATE TABLE natural_keys (key TEXT PRIMARY KEY, user INTEGER UNIQUE);
    CREATE TABLE claims (profile INTEGER PRIMARY KEY, user INTEGER);
    CREATE TABLE owned (user INTEGER, model TEXT, profile INTEGER UNIQUE, PRIMARY KEY (user, model)) WITHOUT ROWID;
"""

REFERENCES = """
    SELECT owner AS key FROM profiles WHERE owner LIKE '[%'
    UNION SELECT owner FROM addresses WHERE owner LIKE '[%'
    UNION SELECT owner FROM factors WHERE owner LIKE '[%'
    UNION SELECT owner FROM social_accounts WHERE owner LIKE '[%'
    UNION SELECT value FROM links WHERE value LIKE '[%'
"""
#: A natural key is an array with one value: `["ada"]` refers to the user whose field has the value `"ada"`.
MATCH_NATURAL = f"""
    INSERT INTO matches SELECT field, key, user
    FROM ({REFERENCES}) JOIN user_values ON value = substr(key, 2, length(key) - 2)
"""  # noqa: S608 - made of the constant above
MATCH_LINKS = """
    INSERT INTO matches SELECT field, profile, users.number
    FROM links LEFT JOIN natural_keys ON natural_keys.key = links.value
    JOIN users ON users.pk = links.value OR users.number = natural_keys.user
    WHERE model = ?
"""
#: References in the other direction: a field of the user contains the key of the profile.
MATCH_BACK_LINKS = f"""
    INSERT INTO matches SELECT 'user.' || field, number, user
    FROM user_values JOIN profiles ON pk = value
    WHERE model = ? AND owner IS NULL AND field NOT IN {NEVER_PROFILE_KEYS}
"""  # noqa: S608
CLAIM = """
    INSERT INTO claims SELECT profiles.number, coalesce(users.number, natural_keys.user)
    FROM profiles
    LEFT JOIN users ON users.pk = profiles.owner
    LEFT JOIN natural_keys ON natural_keys.key = profiles.owner
    WHERE users.number IS NOT NULL OR natural_keys.user IS NOT NULL
"""

#: The first claim of each model is the one that counts.
OWN = """
    INSERT OR IGNORE INTO owned SELECT user, model, profile
    FROM claims JOIN profiles ON profiles.number = claims.profile ORDER BY profile
"""


def key(value: Any) -> str:
    """A primary or natural key as ASCII text, for comparisons."""
    return json.dumps(value)


def resolve_owners(connection: sqlite3.Connection) -> None:
    """Fill `natural_keys`, `claims` and `owned` from the other tables.

    Raises:
        UnreadableFile: references are ambiguous.
    """
    has_natural = _exists(connection, REFERENCES)
    models = [model for (model,) in connection.execute("SELECT DISTINCT model FROM links ORDER BY model")]
    if has_natural or models:
        _insert_user_values(connection)
    if has_natural:
        _resolve_natural_keys(connection)
    connection.execute(CLAIM)
    for model in models:
        _resolve_links(connection, model)
    connection.execute(OWN)


def _insert_user_values(connection: sqlite3.Connection) -> None:
    """Insert a row for each value of a user that may be part of a reference."""
    for number, fields in connection.execute("SELECT number, fields FROM users"):
        rows = [
            (printable(name), key(value), number)
            for name, value in json.loads(fields).items()
            if name not in NEVER_REFERENCES and may_refer(value)
        ]
        connection.executemany("INSERT INTO user_values VALUES (?, ?, ?)", rows)
    connection.execute("CREATE INDEX by_value ON user_values (value)")


def may_refer(value: Any) -> bool:
    """Whether a value may be a reference: a number, a text or a natural key."""
    return isinstance(value, int | str | list) and not isinstance(value, bool) and value not in ("", [])


def _resolve_natural_keys(connection: sqlite3.Connection) -> None:
    connection.execute("DELETE FROM matches")
    connection.execute(MATCH_NATURAL)
    (references,) = connection.execute(f"SELECT count(*) FROM ({REFERENCES})").fetchone()  # noqa: S608
    fields = [field for (field,) in connection.execute("SELECT DISTINCT field FROM matches")]
    chosen, others = _choose_field(connection, dict.fromkeys(fields, references))
    if others:
        raise UnreadableFile(
            _(
                "The dump refers to users by a natural key. It could be any of the fields %(fields)s, which point to "
                "different users. Nothing was imported. Create the dump again without --natural-foreign.",
                fields=_list_fields(others),
            )
        )
    connection.execute("INSERT OR IGNORE INTO natural_keys SELECT item, user FROM matches WHERE field = ?", (chosen,))


def _resolve_links(connection: sqlite3.Connection, model: str) -> None:
    """Find the owners of the profiles of a model without a field `user`."""
    connection.execute("DELETE FROM matches")
    for statement in (MATCH_LINKS, MATCH_BACK_LINKS):
        connection.execute(statement, (model,))
    of_profiles = "SELECT field, count(*) FROM links WHERE model = ? GROUP BY field"
    of_users = "SELECT 'user.' || field, count(*) FROM user_values GROUP BY field"
    values = dict([*connection.execute(of_profiles, (model,)), *connection.execute(of_users)])
    chosen, others = _choose_field(connection, values)
    if others:
        raise UnreadableFile(
            _(
                "The dump does not say which user an entry of %(model)s belongs to. It could be any of the fields "
                "%(fields)s, which point to different users. Nothing was imported. Rename the correct field to user, "
                "or add a field named user that holds the user's key.",
                model=model,
                fields=_list_fields(others),
            )
        )
    connection.execute("INSERT OR IGNORE INTO claims SELECT item, user FROM matches WHERE field = ?", (chosen,))


def _choose_field(connection: sqlite3.Connection, values: Mapping[str, int]) -> tuple[str | None, list[str]]:
    """Choose the field that explains the references in `matches`.

    Args:
        values: the number of values that each field has to explain.

    Returns:
        The field, or None if no field explains any; and the fields that contradict each other, if there are any.
    """
    found = {
        field: (items, rows)
        for field, items, rows in connection.execute(
            "SELECT field, count(DISTINCT item), count(*) FROM matches GROUP BY field ORDER BY field"
        )
        if items == rows  # a value that two users have is not a key
    }
    complete = [field for field, (items, _rows) in found.items() if items == values[field]]
    possible = complete or list(found)
    if not possible:
        return None, []
    differ = [field for field in possible[1:] if _differ(connection, possible[0], field)]
    return possible[0], possible if differ else []


def _differ(connection: sqlite3.Connection, one: str, other: str) -> bool:
    """Whether two fields explain different references, or lead to different users."""
    matched = "SELECT item, user FROM matches WHERE field = ?"
    return any(_exists(connection, f"{matched} EXCEPT {matched}", pair) for pair in ((one, other), (other, one)))


def _exists(connection: sqlite3.Connection, statement: str, parameters: tuple[Any, ...] = ()) -> bool:
    return connection.execute(f"SELECT 1 FROM ({statement}) LIMIT 1", parameters).fetchone() is not None  # noqa: S608


def _list_fields(fields: list[str]) -> str:
    return ", ".join(fields[:5])
