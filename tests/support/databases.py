"""Databases for tests: creating and emptying them, and closing their connections."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask

from userapi.core.db import Model, db
from userapi.core.loop import LOOPS

DATABASES = ("sqlite", "postgresql")


def create_database(kind: str, request: pytest.FixtureRequest, folder: Path) -> Iterator[str]:
    if kind == "sqlite":
        yield f"sqlite:///{folder}/test.db"
        return
    server = sa.make_url(request.getfixturevalue("postgresql"))
    name = f"test_{os.getpid()}_{folder.name}".lower().replace("-", "_")
    engine = sa.create_engine(server.set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text(f'CREATE DATABASE "{name}"'))
    yield server.set(database=name).render_as_string(hide_password=False)
    with engine.connect() as connection:
        connection.execute(sa.text(f'DROP DATABASE "{name}" WITH (FORCE)'))
    engine.dispose()


def delete_all_rows(app: Flask) -> None:
    """Delete every row in the database of an application."""
    with app.app_context(), db.engine.begin() as connection:
        for table in reversed(Model.metadata.sorted_tables):
            if table.name != "permissions":
                connection.execute(table.delete())


def close_app(app: Flask) -> None:
    for loop in app.extensions.get(LOOPS, {}).values():
        loop.stop()
    with app.app_context():
        for engine in db.engines.values():
            engine.dispose()
