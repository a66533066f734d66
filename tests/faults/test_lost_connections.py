"""Connections to PostgreSQL that are lost while they are used: how requests fail, and that the next ones succeed."""

import threading
import time
from collections.abc import Callable, Iterator

import psycopg
import pytest
import sqlalchemy as sa
from flask import Flask

from tests.support.api_client import ApiUser
from tests.support.databases import close_app
from tests.support.factories import new_user
from tests.support.own_database import migrated_app
from userapi.core import lost_connections

#: Ends the connection that commits, while it commits.
ENDS_ITS_CONNECTION = """
    CREATE FUNCTION end_connection() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END';
    CREATE CONSTRAINT TRIGGER ends AFTER INSERT OR UPDATE ON users DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION end_connection();
"""


@pytest.fixture(scope="module")
def url(postgresql: str) -> Iterator[str]:
    """The URL of a database of its own."""
    server = sa.make_url(postgresql).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("CREATE DATABASE lost_connections")
        yield sa.make_url(server).set(database="lost_connections").render_as_string(hide_password=False)
        connection.execute("DROP DATABASE lost_connections WITH (FORCE)")


@pytest.fixture
def execute(url: str) -> Callable[[str], None]:
    """Executes statements in the database, on another connection."""

    def execute_there(statements: str) -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("SET default_transaction_read_only = off")
            connection.execute(statements.encode())

    return execute_there


@pytest.fixture
def app(url: str, key_folder: str) -> Iterator[Flask]:
    """The service."""
    with migrated_app(url, key_folder) as app:
        yield app


def test_connections_to_a_server_that_has_become_read_only_are_replaced(
    app: Flask, user: ApiUser, execute: Callable[[str], None]
) -> None:
    close_app(app)
    execute("ALTER DATABASE lost_connections SET default_transaction_read_only = on")
    assert user.get(user.url).status_code == 200

    rejected = user.patch(user.url, json={"first_name": "Lost"})
    execute("ALTER DATABASE lost_connections RESET default_transaction_read_only")

    assert (rejected.status_code, rejected.get_json()["code"]) == (503, "unavailable")
    assert int(rejected.headers["Retry-After"]) > 0
    assert user.patch(user.url, json={"first_name": "Robin"}).status_code == 200
    refreshed = user.client.post("/api-token-refresh/", json={"refresh_token": user.tokens["refresh_token"]})
    assert refreshed.status_code == 200


@pytest.mark.parametrize("kind", ["a transaction", "a statement that commits"])
def test_a_connection_that_is_lost_in_the_commit_leaves_the_outcome_unknown(
    user: ApiUser, execute: Callable[[str], None], kind: str
) -> None:
    execute(ENDS_ITS_CONNECTION)
    if kind == "a transaction":
        rejected = user.client.post("/userapi/users/", json=new_user())
    else:
        rejected = user.patch(user.url, json={"first_name": "Lost"})
    execute("DROP FUNCTION end_connection CASCADE")

    assert (rejected.status_code, rejected.get_json()["code"]) == (503, "outcome_unknown")
    assert int(rejected.headers["Retry-After"]) > 0
    assert user.patch(user.url, json={"first_name": "Robin"}).status_code == 200


def test_a_server_that_responds_may_take_its_time(user: ApiUser, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lost_connections, "MAX_SILENCE", 0.1)
    with psycopg.connect(url) as blocker:
        blocker.execute("SELECT FROM users FOR UPDATE")
        threading.Timer(1, blocker.commit).start()
        started = time.monotonic()

        assert user.patch(user.url, json={"first_name": "Robin"}).status_code == 200
        assert time.monotonic() - started > 0.5
