"""A database that is busy, or fails half way through."""

import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from flask_migrate import upgrade

from tests.support.api_client import ApiClient, ApiUser
from tests.support.app_config import app_config
from tests.support.databases import close_app
from tests.support.factories import new_user
from userapi.app import create_app
from userapi.core import db as database
from userapi.core.db import db

pytestmark = pytest.mark.both

WRITERS = 16
SECONDS_OF_WRITING = 1.0


@pytest.fixture
def on_file(tmp_path: Path, key_folder: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Flask]:
    """Makes applications with their own SQLite files: `on_file(timeout=200)`."""
    made: list[Flask] = []

    def make_app_on_file(timeout: int | None = None) -> Flask:
        if timeout is not None:
            monkeypatch.setattr(database, "BUSY_TIMEOUT", timeout)
        app = create_app(app_config(f"sqlite:///{tmp_path}/accounts.db", key_folder))
        app.test_client_class = ApiClient
        with app.app_context():
            upgrade()
        made.append(app)
        return app

    yield make_app_on_file
    for app in made:
        close_app(app)


def test_C11_only_the_owner_can_read_the_database_file(on_file: Callable[..., Flask], tmp_path: Path) -> None:
    app = on_file()
    app.test_client().post("/userapi/users/", json=new_user())

    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.glob("accounts.db*")}

    assert "accounts.db" in modes
    assert set(modes.values()) == {0o600}


def test_X04_writes_to_a_locked_database_are_503_after_the_timeout_and_reads_work(
    on_file: Callable[..., Flask], tmp_path: Path
) -> None:
    client = on_file(timeout=200).test_client()
    blocker = sqlite3.connect(tmp_path / "accounts.db", isolation_level=None)
    wanted = new_user()
    blocker.execute("BEGIN IMMEDIATE")

    rejected = client.post("/userapi/users/", json=wanted)
    read = client.get("/readyz")
    blocker.execute("COMMIT")
    blocker.close()

    assert (rejected.status_code, rejected.get_json()["code"]) == (503, "unavailable")
    assert int(rejected.headers["Retry-After"]) > 0
    assert read.status_code == 200
    assert client.post("/userapi/users/", json=wanted).status_code == 201


def test_N12_many_parallel_writers_all_succeed(on_file: Callable[..., Flask]) -> None:
    app = on_file()
    statuses: list[int] = []
    errors: list[str] = []
    until = time.monotonic() + SECONDS_OF_WRITING

    def write() -> None:
        client = app.test_client()
        while time.monotonic() < until:
            response = client.post("/userapi/users/", json=new_user())
            statuses.append(response.status_code)
            if response.status_code != 201:
                errors.append(response.text)

    writers = [threading.Thread(target=write) for _ in range(WRITERS)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    assert len(statuses) >= WRITERS
    assert errors == []
    with app.app_context():
        assert db.session.scalar(sa.text("SELECT count(*) FROM user_profiles")) == len(statuses)


def test_X16_a_registration_that_fails_half_way_stores_nothing(app: Flask, client: FlaskClient, staff: ApiUser) -> None:
    wanted = new_user()

    def fail(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if statement.startswith("INSERT INTO user_profiles"):
            raise RuntimeError("the plug was pulled")

    with app.app_context():
        engine = db.engine
    sa.event.listen(engine, "before_cursor_execute", fail)
    try:
        failed = client.post("/userapi/users/", json=wanted)
    finally:
        sa.event.remove(engine, "before_cursor_execute", fail)

    assert failed.status_code == 500
    assert "plug" not in failed.text
    assert staff.get("/userapi/users/", query_string={"search": wanted["email"]}).get_json()["results"] == []
    assert client.post("/userapi/users/", json=wanted).status_code == 201
