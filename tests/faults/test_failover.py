"""PostgreSQL with a standby: what clients see while the primary is lost, and that requests then use the new one."""

import signal
import time
from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.support import standbys
from tests.support.api_client import ApiUser
from tests.support.app_config import app_config
from tests.support.databases import close_app
from tests.support.factories import new_user
from tests.support.own_database import migrated_app
from tests.support.standbys import Cluster
from userapi.app import create_app
from userapi.core import lost_connections

pytestmark = pytest.mark.slow


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """A primary and its standby."""
    with standbys.cluster() as cluster:
        yield cluster


@pytest.fixture
def app(cluster: Cluster, key_folder: str) -> Iterator[Flask]:
    """The service with the URL of both servers."""
    with migrated_app(cluster.url("primary", "standby"), key_folder) as app:
        yield app


def assert_unavailable(response: TestResponse) -> None:
    """The response says that the service is unavailable for the moment, and when to retry."""
    assert (response.status_code, response.get_json()["code"]) == (503, "unavailable")
    assert response.headers["Content-Type"] == "application/problem+json"
    assert int(response.headers["Retry-After"]) > 0


def test_after_a_failover_requests_reach_the_new_primary(cluster: Cluster, client: FlaskClient, user: ApiUser) -> None:
    assert user.patch(user.url, json={"first_name": "Robin"}).status_code == 200
    cluster.wait_for_replay()

    cluster.stop("primary", signal.SIGQUIT)
    assert_unavailable(user.patch(user.url, json={"first_name": "Lost"}))
    assert_unavailable(user.get(user.url))
    cluster.promote()

    assert user.patch(user.url, json={"last_name": "Finch"}).status_code == 200
    found = user.get(user.url).get_json()
    assert (found["first_name"], found["last_name"]) == ("Robin", "Finch")
    assert client.post("/userapi/users/", json=new_user()).status_code == 201


def test_a_frozen_primary_delays_requests_only_for_seconds(
    cluster: Cluster, key_folder: str, app: Flask, user: ApiUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lost_connections, "MAX_SILENCE", 0.2)
    monkeypatch.setattr(lost_connections, "PROBE_TIMEOUT", 0.3)
    url = cluster.url("primary", "standby", options="&connect_timeout=2")
    app = create_app(app_config(url, key_folder))
    client = app.test_client()
    headers = {"Authorization": f"Bearer {user.tokens['access_token']}"}
    assert client.patch(user.url, json={"first_name": "Robin"}, headers=headers).status_code == 200
    cluster.wait_for_replay()

    with cluster.frozen("primary"):
        started = time.monotonic()
        assert_unavailable(client.patch(user.url, json={"first_name": "Lost"}, headers=headers))
        assert time.monotonic() - started < 20
        cluster.promote()
        assert client.get(user.url, headers=headers).get_json()["first_name"] == "Robin"
        assert client.patch(user.url, json={"first_name": "Finch"}, headers=headers).status_code == 200
        close_app(app)
