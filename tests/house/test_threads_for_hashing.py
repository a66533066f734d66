"""The real server's threads while many sign-ins wait for their hash."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support import commands, http_server
from tests.support.app_stack import JSON, call, post
from tests.support.factories import PASSWORD
from tests.support.prometheus import METRICS_TOKEN, fetch_metrics, metric_value
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow


def test_P18_a_server_with_one_thread_serves_others_while_sign_ins_wait(tmp_path: Path) -> None:
    slow = {"PASSWORD_HASH_MEMORY": "65536", "PASSWORD_HASH_TIME": "4", "WORKERS": "1", "WORKER_THREADS": "1"}
    env = commands.environment(f"sqlite:///{tmp_path}/test.db", tmp_path, METRICS_TOKEN=METRICS_TOKEN, **slow)

    with http_server.run_server(tmp_path, env) as server, ThreadPoolExecutor(6) as clients:
        signing_in = [
            clients.submit(post, server.url, "/api-token-auth/", {"email": server.email, "password": server.password})
            for _ in range(6)
        ]
        # Reading the metrics needs a thread too.
        wait_until(
            lambda: (
                metric_value(fetch_metrics(server.url, METRICS_TOKEN), "userapi_password_hashing_places_in_use") >= 4
            )
        )
        statuses = [future.result().status for future in signing_in]

    assert statuses.count(200) >= 4


def test_a_request_that_hashes_while_it_holds_a_lock_does_not_deadlock_with_others(
    new_database_url: str, tmp_path: Path
) -> None:
    slow = {"PASSWORD_HASH_MEMORY": "65536", "PASSWORD_HASH_TIME": "8", "WORKERS": "1", "WORKER_THREADS": "1"}
    env = commands.environment(new_database_url, tmp_path, **slow)

    with http_server.run_server(tmp_path, env) as server, ThreadPoolExecutor(1) as clients:
        credentials = {"email": server.email, "password": server.password}
        token = post(server.url, "/api-token-auth/", credentials).body["access_token"]
        change = {"old_password": server.password, "new_password1": PASSWORD, "new_password2": PASSWORD}
        changing = clients.submit(post, server.url, "/userapi/auth/password/change/", change, token)
        statuses = []
        while not changing.done():
            response = call(server.url, "PATCH", "/userapi/auth/user/", '{"first_name": "Ada"}', token, **JSON)
            statuses.append(response.status)

    assert changing.result().status == 200
    assert set(statuses) == {200}
