"""Running peers, each with the server that its users would choose and two processes."""

import http.client
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from .machine import STATE, family, held, used_by
from .peers import OURS, Peer

WORKERS = 2
THREADS = 2


class Server:
    """A running peer."""

    def __init__(self, peer: Peer, workers: int = WORKERS) -> None:
        self.peer = peer
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        common = ["--host", "127.0.0.1", "--port", str(self.port), "--workers", str(workers), "--log-level", "warning"]
        if peer.name == OURS:
            command = ["userapi.cli.run"]
        elif peer.about["interface"] == "wsgi":
            common += ["--interface", "wsgi", "--blocking-threads", str(THREADS), "--no-ws"]
            command = ["granian", *common, peer.about["app"]]
        else:
            common += ["--loop", "uvloop", "--http", "httptools", "--no-access-log"]
            command = ["uvicorn", *common, peer.about["app"]]
        self.started = time.perf_counter()
        self.log = STATE / "logs" / f"{peer.name}.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [peer.python, "-m", *command],
                cwd=peer.folder,
                env=peer.environment
                | {"PORT": str(self.port), "WORKERS": str(workers), "WORKER_THREADS": str(THREADS)},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def wait(self, seconds: float = 60) -> float:
        """Wait for the first response of any status; returns the seconds since the start.

        Raises:
            SystemExit: there was no response.
        """
        while self.process.poll() is None and time.perf_counter() - self.started < seconds:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=seconds)
            try:
                connection.request("GET", self.peer.about["operations"]["verify"]["path"])
                connection.getresponse()
            except (ConnectionError, http.client.HTTPException):
                time.sleep(0.01)
            else:
                return time.perf_counter() - self.started
            finally:
                connection.close()
        raise SystemExit(f"bench: {self.peer.name} does not answer; see {self.log}")

    def memory(self) -> tuple[float, float]:
        """The memory of the largest worker and of all processes together, in megabytes."""
        parent, *workers = [held(pid) for pid in family(self.process.pid)]
        return max(workers), parent + sum(workers)

    def used(self) -> float:
        """The processor seconds used so far."""
        return used_by(self.process.pid)

    def stop(self) -> None:
        """Stop it."""
        self.process.terminate()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


@contextmanager
def running(peers: Sequence[Peer]) -> Iterator[list[Server]]:
    """Start peers in parallel, and stop them at the end."""
    servers: list[Server] = []
    try:
        for peer in peers:
            servers.append(Server(peer))
            servers[-1].wait()
        yield servers
    finally:
        for server in servers:
            server.stop()
