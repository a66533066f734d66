"""The receivers in the guide "Receive webhooks" accept what the service sends, once, and nothing else."""

import os
import re
import subprocess
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import processes
import pytest
from flask import Flask
from werkzeug.serving import make_server

import config
from tests.support.node import node_path
from tests.support.waiting import wait_until
from userapi.core import clock
from userapi.outbound import webhook_requests
from userapi.webhooks import signing

GUIDE = (config.ROOT / "docs/guides/receive-webhooks.md").read_text()

ENDPOINT = SimpleNamespace(id=uuid.UUID(int=7), generation=2, previous_until=None)


def code_in(language: str) -> str:
    (found,) = re.findall(rf"^```{language}\n(.*?)^```", GUIDE, re.DOTALL | re.MULTILINE)
    return str(found)


@contextmanager
def python_receiver(_folder: Path, secret: str) -> Iterator[int]:
    """The receiver of the guide in Python."""
    os.environ["WEBHOOK_SECRET"] = secret
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(code_in("python"), names)  # the guide's own code
    server = make_server("127.0.0.1", 0, names["app"], threaded=True)
    threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        del os.environ["WEBHOOK_SECRET"]


@contextmanager
def node_receiver(folder: Path, secret: str) -> Iterator[int]:
    """The receiver of the guide in JavaScript."""
    script, port, output = folder / "receiver.mjs", processes.free_port(), folder / "output.txt"
    script.write_text(code_in("javascript"))
    environment = {"WEBHOOK_SECRET": secret, "PORT": str(port)}
    with output.open("w") as stream:
        process = subprocess.Popen([node_path(), script], env=environment, stdout=stream)
    try:
        wait_until(lambda: "listening" in output.read_text())
        yield port
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("start", [python_receiver, node_receiver])
def test_the_receivers_of_the_guide_verify_what_the_service_sends(
    app: Flask, tmp_path: Path, capfd: pytest.CaptureFixture[str], start: Callable[..., AbstractContextManager[int]]
) -> None:
    app.config["WEBHOOK_ALLOWED_NETWORKS"] = ("127.0.0.0/8",)
    body, message_id, now = b'{"type":"user.changed","data":{}}', uuid.uuid4(), clock.now()
    with app.app_context():
        secret = signing.make_secret(ENDPOINT.id, ENDPOINT.generation)
        genuine = dict(signing.make_headers(ENDPOINT, message_id, now, body))
        both = SimpleNamespace(id=ENDPOINT.id, generation=3, previous_until=now + timedelta(hours=1))
        rotated = dict(signing.make_headers(both, uuid.uuid4(), now, body))
        old = dict(signing.make_headers(ENDPOINT, uuid.uuid4(), now - timedelta(hours=1), body))
        other = SimpleNamespace(id=uuid.UUID(int=8), generation=2, previous_until=None)
        foreign = dict(signing.make_headers(other, uuid.uuid4(), now, body))
        with start(tmp_path, secret) as port:
            url = f"http://127.0.0.1:{port}/hooks/accounts"

            def status(headers: dict[str, str], sent: bytes = body) -> int | None:
                return webhook_requests.post(url, sent, headers).status

            assert [status(genuine), status(genuine), status(rotated)] == [204, 204, 204]
            assert [status(old), status(foreign), status(genuine, body + b" ")] == [401, 401, 401]
            wrong = {**genuine, "webhook-signature": "v1,x"}
            assert status(wrong) == 401

    output = tmp_path / "output.txt"
    printed = output.read_text() if output.exists() else capfd.readouterr().out
    assert printed.count("user.changed") == 2
