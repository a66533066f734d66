"""Can the service do its work: database, migrations, keys."""

from pathlib import Path

import sqlalchemy as sa
from alembic.script import ScriptDirectory
from flask import current_app

from userapi.core import signing
from userapi.core.db import READING, db


def checks() -> dict[str, str]:
    """Each part's state: `ok`, or a word for what is wrong that tells strangers nothing."""
    return {"database": _database(), "migrations": _migrations(), "keys": _keys()}


def expected_revision() -> str | None:
    """The newest migration this code knows."""
    folder = Path(current_app.root_path).parent / "migrations"
    return ScriptDirectory(str(folder)).get_current_head()


def present_revision() -> str | None:
    """The migration the database is at; None before the first."""
    with db.engines[READING].connect() as connection:
        if not sa.inspect(connection).has_table("alembic_version"):
            return None
        revision: str | None = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
        return revision


def _database() -> str:
    try:
        with db.engines[READING].connect() as connection:
            connection.execute(sa.text("SELECT 1"))
    except sa.exc.SQLAlchemyError:
        return "unreachable"
    return "ok"


def _migrations() -> str:
    try:
        return "ok" if present_revision() == expected_revision() else "pending"
    except sa.exc.SQLAlchemyError:
        return "unknown"


def _keys() -> str:
    try:
        signing.keys().newest()
    except signing.KeyProblem:
        return "missing"
    return "ok"
