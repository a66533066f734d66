"""The log cannot be written because the disk is full or its reader has ended."""

import json
import os
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import processes
import pytest

from tests.support import commands, http_server
from tests.support.factories import new_user

pytestmark = pytest.mark.slow


@contextmanager
def full_device() -> Iterator[int]:
    """A device without space (ENOSPC)."""
    descriptor = os.open("/dev/full", os.O_WRONLY)
    yield descriptor
    os.close(descriptor)


@contextmanager
def broken_pipe() -> Iterator[int]:
    """A pipe without a reader (EPIPE)."""
    reader, writer = os.pipe()
    os.close(reader)
    yield writer
    os.close(writer)


def send_request(url: str, body: object = None) -> int:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize(("log", "form"), [(full_device, "json"), (broken_pipe, "console")])
def test_X12_the_service_keeps_working_when_its_log_cannot_be_written(
    tmp_path: Path, log: Callable[[], Iterator[int]], form: str
) -> None:
    port = str(processes.free_port())
    url = f"http://127.0.0.1:{port}"
    environment = commands.environment(f"sqlite:///{tmp_path}/test.db", tmp_path, PORT=port, LOG_FORMAT=form)
    with log() as descriptor:  # type: ignore[attr-defined]
        process = subprocess.Popen(
            commands.RUN, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL, stderr=descriptor
        )
    try:
        http_server.wait_until_ready(url, process)
        statuses = [send_request(f"{url}/userapi/") for _ in range(20)]
        statuses += [send_request(f"{url}/userapi/users/", new_user()) for _ in range(3)]
        statuses += [
            send_request(f"{url}/api-token-auth/", {"email": "a@example.com", "password": "wrong"}) for _ in range(3)
        ]
    finally:
        process.terminate()
        process.wait(http_server.SECONDS_TO_STOP)

    assert statuses == [200] * 20 + [201] * 3 + [401] * 3
