"""A server that stops responds to every request that has reached it."""

import os
import signal
import socket
import sys
from contextlib import ExitStack
from http.client import HTTPResponse
from pathlib import Path

import processes
import pytest

from tests.support import commands, http_server
from tests.support.app_stack import child_processes

pytestmark = pytest.mark.slow

#: Requests that the workers have not accepted when they are stopped.
WAITING = 40

REQUEST = b"POST /nothing/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}"


@pytest.mark.skipif(sys.platform != "linux", reason="other systems cannot refuse only new connections")
@pytest.mark.parametrize(
    "stop", [signal.SIGTERM, signal.SIGINT] * 2
)  # a worker that closes early is lucky half of the time
def test_X02_requests_that_wait_for_a_worker_get_a_response_when_it_stops(tmp_path: Path, stop: signal.Signals) -> None:
    env = commands.environment(f"sqlite:///{tmp_path}/test.db", tmp_path, WORKERS="2")

    with http_server.run_server(tmp_path, env) as server, ExitStack() as connections:
        workers = child_processes(server.process.pid)
        for worker in workers:
            os.kill(worker, signal.SIGSTOP)
        port = int(server.url.rpartition(":")[2])
        clients = [
            connections.enter_context(socket.create_connection(("127.0.0.1", port), timeout=30)) for _ in range(WAITING)
        ]
        for client in clients:
            client.sendall(REQUEST)
        server.process.send_signal(stop)
        for worker in workers:
            os.kill(worker, stop)
            os.kill(worker, signal.SIGCONT)

        statuses = []
        for client in clients:
            response = HTTPResponse(client)
            response.begin()
            statuses.append(response.status)

        assert statuses == [404] * WAITING
        assert server.process.wait(http_server.SECONDS_TO_STOP) == 0
        assert "refused to gracefully stop" not in server.log.read_text()
        assert processes.status(server.url) != 200
