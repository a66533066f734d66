"""Can the service do its work: database, migrations, keys; and does what it can do without answer as well."""

import sqlalchemy as sa

from userapi.core import limits, migrations, signing
from userapi.core.db import READING, db

#: Parts without which the service goes on, as well as it can: told, but no reason to send requests elsewhere.
DISPENSABLE = frozenset({"redis"})


def checks() -> dict[str, str]:
    """Each part's state: `ok`, or a word for what is wrong that tells strangers nothing."""
    found = {"database": _database(), "migrations": _migrations(), "keys": _keys()}
    answers = limits.redis_answers()
    return found if answers is None else found | {"redis": "ok" if answers else "unreachable"}


def is_ready(checks: dict[str, str]) -> bool:
    """Whether the service can do its work."""
    return all(state == "ok" for name, state in checks.items() if name not in DISPENSABLE)


def _database() -> str:
    try:
        with db.engines[READING].connect() as connection:
            connection.execute(sa.text("SELECT 1"))
    except sa.exc.SQLAlchemyError:
        return "unreachable"
    return "ok"


def _migrations() -> str:
    try:
        return "ok" if migrations.present() == migrations.wanted() else "pending"
    except sa.exc.SQLAlchemyError:
        return "unknown"


def _keys() -> str:
    try:
        signing.keys().newest()
    except signing.KeyProblem:
        return "missing"
    return "ok"
