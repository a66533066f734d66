"""Rows of every revision survive the upgrade to the newest and the downgrade."""

import json
import uuid
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.script import ScriptDirectory
from flask import Flask
from flask_migrate import downgrade, upgrade

import config
from userapi.core.db import db

pytestmark = [pytest.mark.both, pytest.mark.unmeasured]

#: One file per revision with the rows that it made possible, by table.
SAMPLES = Path(__file__).parent / "samples"

SCRIPTS = ScriptDirectory(str(config.ROOT / "migrations"))
REVISIONS = [script.revision for script in reversed(list(SCRIPTS.walk_revisions()))]

Rows = dict[str, list[dict[str, Any]]]


def sample(revision: str) -> Rows:
    """The rows of a revision, with values for the database."""
    rows: Rows = json.loads((SAMPLES / f"{revision}.json").read_text())
    return rows


def insert(rows: Rows) -> None:
    metadata = sa.MetaData()
    with db.engine.begin() as connection:
        for name, added in rows.items():
            table = sa.Table(name, metadata, autoload_with=connection)
            for row in added:
                values = {column: typed(table.c[column], value) for column, value in row.items()}
                connection.execute(table.insert().values(values))


def typed(column: sa.Column[Any], value: Any) -> Any:
    """A sample value as the type of the column; SQLite stores timestamps without a zone."""
    if not isinstance(value, str):
        return value
    if isinstance(column.type, sa.DateTime):
        moment = datetime.fromisoformat(value).astimezone(UTC)
        return moment if db.engine.dialect.name == "postgresql" else moment.replace(tzinfo=None)
    if isinstance(column.type, sa.Date):
        return date.fromisoformat(value)
    if isinstance(column.type, sa.LargeBinary):
        return value.encode()
    if isinstance(column.type, sa.Uuid):
        return uuid.UUID(value)
    return uuid.UUID(value).hex if isinstance(column.type, sa.CHAR) else value  # as stored by SQLite


def stored(rows: Rows) -> Rows:
    """The stored values of the columns in a sample, in the form of the sample."""
    metadata = sa.MetaData()
    found: Rows = {}
    with db.engine.connect() as connection:
        for name, added in rows.items():
            table = sa.Table(name, metadata, autoload_with=connection)
            columns = [table.c[column] for column in added[0]]
            first = columns[0]
            wanted = [typed(first, row[first.name]) for row in added]
            statement = sa.select(*columns).where(first.in_(wanted)).order_by(first)
            found[name] = [dict(row) for row in connection.execute(statement).mappings()]
    return found


def lost(before: Rows, after: Rows) -> list[dict[str, Any]]:
    """Sample rows that are missing or changed; later revisions may have added others."""
    return [row for name, kept in before.items() for row in kept if row not in after[name]]


def test_U03_every_revision_has_sample_rows() -> None:
    assert sorted(path.stem for path in SAMPLES.glob("*.json")) == sorted(REVISIONS)


def test_U01_U03_rows_of_every_revision_survive_upgrade_and_downgrade(bare_app: Flask) -> None:
    with bare_app.app_context():
        kept: list[tuple[str, Rows, Rows]] = []
        for revision in REVISIONS:
            upgrade(revision=revision)
            rows = sample(revision)
            insert(rows)
            kept.append((revision, rows, stored(rows)))

        for revision, rows, before in kept:
            assert all(len(before[name]) == len(added) for name, added in rows.items()), revision
            assert lost(before, stored(rows)) == [], revision
        for revision, rows, before in reversed(kept):
            downgrade(revision=revision)
            assert lost(before, stored(rows)) == [], revision
