"""Workers of a running server that keep dying."""

import json
import os
import signal
import time
from pathlib import Path

import processes
import pytest

from tests.support import commands, http_server
from tests.support.app_stack import child_processes
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow


def delays(log: Path) -> list[float]:
    """The restart delay of each worker that ended."""
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    return [line["starts_in"] for line in lines if line["event"] == "worker_ended"]


def test_a_worker_that_keeps_dying_is_restarted_with_growing_delays_while_others_serve(tmp_path: Path) -> None:
    env = commands.environment(f"sqlite:///{tmp_path}/test.db", tmp_path, WORKERS="2")

    with http_server.run_server(tmp_path, env) as server:
        healthy, doomed = child_processes(server.process.pid)
        for number in range(1, 5):
            os.kill(doomed, signal.SIGKILL)
            wait_until(lambda number=number: len(delays(server.log)) == number)
            assert [processes.status(f"{server.url}/userapi/") for _ in range(5)] == [200] * 5
            wait_until(lambda: len(child_processes(server.process.pid)) == 2)
            assert healthy in child_processes(server.process.pid)
            (doomed,) = set(child_processes(server.process.pid)) - {healthy}

        assert delays(server.log) == [0, 1, 2, 4]
        assert server.stop() == 0


def test_the_service_outlives_the_death_of_all_its_workers(tmp_path: Path) -> None:
    env = commands.environment(f"sqlite:///{tmp_path}/test.db", tmp_path, WORKERS="2")

    with http_server.run_server(tmp_path, env) as server:
        for _ in range(2):
            before = child_processes(server.process.pid)
            for worker in before:
                os.kill(worker, signal.SIGKILL)
            wait_until(lambda before=before: len(set(child_processes(server.process.pid)) - set(before)) == 2)
        wait_until(lambda: processes.status(f"{server.url}/readyz") == 200)

        assert server.stop() == 0


def test_stopping_does_not_wait_for_a_delayed_restart(tmp_path: Path) -> None:
    env = commands.environment(f"sqlite:///{tmp_path}/test.db", tmp_path, WORKERS="1")

    with http_server.run_server(tmp_path, env) as server:
        for number in range(1, 5):
            wait_until(lambda: child_processes(server.process.pid))
            os.kill(child_processes(server.process.pid)[0], signal.SIGKILL)
            wait_until(lambda number=number: len(delays(server.log)) == number)
        started = time.monotonic()

        assert server.stop() == 0
        assert time.monotonic() - started < delays(server.log)[-1] - 1
