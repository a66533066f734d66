"""The service as a real server in its own process."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import processes
from processes import status

from tests.support.commands import RUN

SECONDS_TO_START = 60
SECONDS_TO_STOP = 20


@dataclass
class Server:
    """A running service.

    Attributes:
        url: its origin, as http://localhost:40123, or http://127.0.0.1:40123 where SITE_URL is set.
        process: the server's parent process.
        environment: the environment it was started with.
        log: the file of all that it writes.
        email: the first superuser's.
        password: the first superuser's, if this start has made one.
    """

    url: str
    process: subprocess.Popen[bytes]
    environment: dict[str, str]
    log: Path
    email: str
    password: str | None

    def stop(self, stop_signal: signal.Signals = signal.SIGINT) -> int:
        """Stop it as Ctrl-C does. Returns its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(stop_signal)
        return self.process.wait(SECONDS_TO_STOP)


@contextmanager
def run_server(
    folder: Path, environment: dict[str, str], cwd: Path | None = None, command: Sequence[str] = RUN
) -> Iterator[Server]:
    """Start the service as `make run` does, on a free port, and stop it afterwards.

    Args:
        folder: for its log; also its working directory, so that it finds no `.env`.
        environment: its variables; a HOST or PORT in it is kept.
        cwd: another working directory.
        command: another command that starts it.
    """
    port = environment.get("PORT") or str(processes.free_port())
    environment = environment | {"PORT": port}
    log = folder / f"server-{port}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=cwd or folder, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            start_new_session=True,  # Ctrl-C is for the tests, which then stop it
        )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until_ready(url, process, log)
        if not environment.get("SITE_URL"):
            url = f"http://localhost:{port}"
        credentials = dict(re.findall(r"^  (Email|Password) +(\S+)$", log.read_text(), re.MULTILINE))
        yield Server(
            url, process, environment, log, credentials.get("Email", "admin@example.com"), credentials.get("Password")
        )
    finally:
        _kill(process)


def wait_until_ready(url: str, process: subprocess.Popen[Any], log: Path | None = None) -> None:
    """Wait until a service is ready. Raises ServiceFailed if it ends first or takes too long."""
    deadline = time.monotonic() + SECONDS_TO_START
    while process.poll() is None and time.monotonic() < deadline:
        if status(f"{url}/readyz") == 200:
            return
        time.sleep(0.05)
    output = log.read_text(errors="replace")[-2000:] if log else ""
    raise processes.ServiceFailed(f"The service did not start:\n{output}")


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End the server and its workers."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(SECONDS_TO_STOP)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
