"""Migrations that are killed or find a table in use are applied completely or not at all, and can be repeated."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from flask import Flask
from flask_migrate import downgrade, upgrade

import config
from tests.support import commands
from tests.support.app_config import app_config
from tests.support.databases import close_app, create_database
from tests.support.factories import make_user
from tests.support.waiting import wait_until
from userapi.app import create_app
from userapi.core.db import Model, db
from userapi.users import search_index

pytestmark = [pytest.mark.both, pytest.mark.slow, pytest.mark.unmeasured]

PROGRAM = config.ROOT / "tests" / "support" / "interrupted_migration.py"


@pytest.fixture
def bare_app(new_database_url: str, key_folder: str) -> Iterator[Flask]:
    """An application with an empty database."""
    app = create_app(app_config(new_database_url, key_folder))
    yield app
    close_app(app)


@pytest.fixture
def migrated_app(request: pytest.FixtureRequest, key_folder: str, tmp_path: Path) -> Iterator[Flask]:
    """An application with its own PostgreSQL database."""
    for url in create_database("postgresql", request, tmp_path):
        app = create_app(app_config(url, key_folder))
        with app.app_context():
            upgrade()
        yield app
        close_app(app)


def revision_and_tables(app: Flask) -> tuple[str | None, set[str]]:
    """The revision stored in the database, and its tables."""
    with app.app_context():
        tables = set(sa.inspect(db.engine).get_table_names()) - {"sqlite_sequence"}
        if "alembic_version" not in tables:
            return None, tables
        with db.engine.connect() as connection:
            revision = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
        return revision, {name for name in tables if search_index.include_name(name, "table", {})} - {"alembic_version"}


@pytest.mark.parametrize("statements", [5, 30])
def test_U06_a_killed_upgrade_leaves_nothing_half_done_and_the_next_one_completes_it(
    bare_app: Flask, tmp_path: Path, statements: int
) -> None:
    env = commands.environment(bare_app.config["DATABASE_URL"], tmp_path)

    killed = subprocess.run([sys.executable, PROGRAM, str(statements)], env=env, capture_output=True, check=False)

    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert revision_and_tables(bare_app) == (None, set())
    done = commands.run(*commands.FLASK, "db", "upgrade", env=env)
    assert done.code == 0, done
    assert revision_and_tables(bare_app)[1] == set(Model.metadata.tables)
    make_user(bare_app)


def test_U05_a_migration_waits_briefly_for_a_table_in_use_and_then_changes_nothing(
    migrated_app: Flask, tmp_path: Path
) -> None:
    app = migrated_app
    make_user(app)
    with app.app_context():
        downgrade(revision="0002")
    url = app.config["DATABASE_URL"]
    env = commands.environment(url, tmp_path)
    before = revision_and_tables(app)

    with psycopg.connect(url.replace("postgresql+psycopg", "postgresql")) as other:
        other.execute("UPDATE users SET username = 'in use'")
        waited: list[float] = []
        reader = threading.Thread(target=lambda: waited.append(write_beside(url)))
        upgrading = commands.start(*commands.FLASK, "db", "upgrade", env=env)
        wait_until(lambda: waits_for_lock(url))
        started = time.monotonic()
        reader.start()
        rejected = commands.finish(upgrading)
        took = time.monotonic() - started
        other.rollback()
        reader.join()

    assert rejected.code == 1
    assert rejected.errors.count("A table was in use for too long, so nothing was changed. Run it again.") == 1
    assert took < 15
    assert waited[0] < 8  # no writer waited longer than the migration
    assert revision_and_tables(app) == before
    assert commands.run(*commands.FLASK, "db", "upgrade", env=env).code == 0
    assert revision_and_tables(app)[0] != before[0]


def waits_for_lock(url: str) -> bool:
    """Whether a connection to the database waits for a lock."""
    with psycopg.connect(url.replace("postgresql+psycopg", "postgresql")) as connection:
        waiting = connection.execute(
            "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return waiting.fetchone() is not None


def write_beside(url: str) -> float:
    """Insert a row that no one has locked; returns the time it took."""
    started = time.monotonic()
    with psycopg.connect(url.replace("postgresql+psycopg", "postgresql")) as connection:
        connection.execute(
            "INSERT INTO users (email, email_key, first_name, last_name, first_name_key, last_name_key,"
            " session_version, is_active, is_staff, is_superuser, date_joined)"
            " VALUES ('b@example.com', 'b@example.com', '', '', '', '', 0, true, false, false, now())"
        )
    return time.monotonic() - started
