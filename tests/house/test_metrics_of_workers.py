"""Metrics of a server with several workers, some of which are killed."""

import http.client
import json
import os
import re
import signal
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import processes
import pytest

from tests.support import commands, http_server
from tests.support.prometheus import METRICS_TOKEN, fetch_metrics, metric_value
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow


def children(process_id: int) -> list[int]:
    """The process ids of the server's workers."""
    found = Path(f"/proc/{process_id}/task/{process_id}/children").read_text()
    return [int(number) for number in found.split()]


def counts_of(process_id: int) -> Path:
    """The folder in which the workers of a server store their counts."""
    variables = Path(f"/proc/{children(process_id)[0]}/maps").read_text()
    return Path(re.findall(r"(/\S*/userapi-counts-[^/\s]+)/", variables)[0])


def post(url: str, body: dict[str, str]) -> None:
    """Send a request that may get no response."""
    data = json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with suppress(OSError, http.client.HTTPException):
        urllib.request.urlopen(request, timeout=20).close()


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc to find the workers")
def test_workers_share_counts_that_outlive_them(tmp_path: Path) -> None:
    slow = {"PASSWORD_HASH_MEMORY": "65536", "PASSWORD_HASH_TIME": "20"}
    environment = commands.environment(
        f"sqlite:///{tmp_path}/test.db", tmp_path, METRICS_TOKEN=METRICS_TOKEN, WORKERS="2", **slow
    )
    index = {"route": "/userapi/", "method": "GET", "status": "2xx"}

    def count(url: str) -> float | None:
        return metric_value(fetch_metrics(url, METRICS_TOKEN), "userapi_request_duration_seconds_count", **index)

    def ask(url: str, times: int) -> None:
        with ThreadPoolExecutor(8) as threads:
            assert set(threads.map(lambda _number: processes.status(f"{url}/userapi/"), range(times))) == {200}

    def hashing(url: str) -> float | None:
        return metric_value(fetch_metrics(url, METRICS_TOKEN), "userapi_password_hashing_places_in_use")

    with http_server.run_server(tmp_path, environment) as server:
        ask(server.url, 200)
        assert [count(server.url) for _ in range(10)] == [200] * 10

        killed = children(server.process.pid)
        body = {"email": server.email, "password": "not the password"}
        with ThreadPoolExecutor(1) as thread:
            thread.submit(post, f"{server.url}/api-token-auth/", body)
            wait_until(lambda: hashing(server.url) == 1)
            for number in killed:
                os.kill(number, signal.SIGKILL)
        wait_until(lambda: not set(killed) & set(children(server.process.pid)))
        wait_until(lambda: processes.status(f"{server.url}/healthz") == 200)
        ask(server.url, 100)

        assert [count(server.url) for _ in range(10)] == [300] * 10
        assert hashing(server.url) == 0


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc to find the folders")
def test_a_start_deletes_the_files_of_a_killed_server_and_keeps_those_of_a_running_one(tmp_path: Path) -> None:
    environment = commands.environment(f"sqlite:///{tmp_path}/test.db", tmp_path, WORKERS="1")

    def age(folder: Path) -> None:
        os.utime(folder, (time.time() - 120,) * 2)

    with (
        http_server.run_server(tmp_path, environment) as running,
        http_server.run_server(tmp_path, environment) as killed,
    ):
        kept, left = counts_of(running.process.pid), counts_of(killed.process.pid)
        os.killpg(killed.process.pid, signal.SIGKILL)
        killed.process.wait()
        assert left.exists()
        age(kept)
        age(left)
        with http_server.run_server(tmp_path, environment):
            wait_until(lambda: not left.exists())
            assert kept.exists()
    assert not kept.exists()
