"""Idle connections that PostgreSQL has closed, as in a restart."""

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.support.api_client import ApiUser
from userapi.core.db import db

pytestmark = pytest.mark.both


def close_every_connection(app: Flask) -> None:
    """Close the application's connections at the PostgreSQL server and wait until they are closed."""
    with app.app_context():
        url = db.engine.url
    if url.get_backend_name() == "sqlite":
        return
    address = url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address, autocommit=True) as connection:
        ended = connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        ).fetchall()
    assert ended
    assert all(one for (one,) in ended)


def test_X03_the_next_request_of_each_kind_succeeds(app: Flask, client: FlaskClient, user: ApiUser) -> None:
    refresh_token = user.tokens["refresh_token"]

    for _again in range(2):
        close_every_connection(app)
        assert user.get(user.url).status_code == 200
        close_every_connection(app)
        assert user.patch(user.url, json={"first_name": "Wren"}).status_code == 200
        close_every_connection(app)
        refreshed = client.post("/api-token-refresh/", json={"refresh_token": refresh_token})
        assert refreshed.status_code == 200, refreshed.text
        refresh_token = refreshed.get_json()["refresh_token"]
