"""What the service writes when it starts and serves: short lines to a terminal, JSON to a pipe."""

import json
import os
import pty
import re
import signal
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import processes
import pytest
from flask import Flask

from tests.support import commands, http_server

pytestmark = pytest.mark.slow


class Screen:
    """A terminal and what a program has written to it."""

    def __init__(self) -> None:
        self._screen_end, self.end = pty.openpty()
        self._written = b""
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        try:
            while piece := os.read(self._screen_end, 4096):
                self._written += piece
        except OSError:  # the program has ended
            return

    @property
    def lines(self) -> list[str]:
        return self._written.decode().replace("\r\n", "\n").splitlines()

    def close(self) -> None:
        """Close the terminal, and wait until all output of the program is read."""
        os.close(self.end)
        self._reader.join(10)
        os.close(self._screen_end)


def get(url: str) -> None:
    try:
        urllib.request.urlopen(url, timeout=10).close()
    except urllib.error.HTTPError as error:
        error.close()


def start_and_request(folder: Path, **variables: str) -> Iterator[list[str]]:
    """The lines on the terminal of a service: first those before the requests of the test, then the others."""
    port = str(processes.free_port())
    screen = Screen()
    env = commands.environment(f"sqlite:///{folder}/users.db", folder, PORT=port, **variables)
    process = commands.start(*commands.RUN, env=env, cwd=folder, stdin=screen.end, stdout=screen.end, stderr=screen.end)
    try:
        http_server.wait_until_ready(f"http://127.0.0.1:{port}", process)
        yield screen.lines
        get(f"http://127.0.0.1:{port}/login/")
        get(f"http://127.0.0.1:{port}/static/ui/ui.css")
        get(f"http://127.0.0.1:{port}/static/nothing.css")
        process.send_signal(signal.SIGINT)
        assert process.wait(http_server.SECONDS_TO_STOP) == 0
    finally:
        process.kill()
        screen.close()
    yield screen.lines


def is_json(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def test_a_terminal_keeps_the_password_visible_and_shows_short_lines(tmp_path: Path) -> None:
    before, after = start_and_request(
        tmp_path, WORKERS="9", WORKER_THREADS="64"
    )  # the server would log a warning about these

    shown = [line for line in before if "/readyz" not in line]
    (password,) = [index for index, line in enumerate(shown) if re.match(r"  Password +\S+$", line)]
    assert [line for line in shown[password + 1 :] if line and "flask mail list" not in line] == []
    logged = [line for line in after[len(before) :] if "/readyz" not in line]
    assert [re.sub(r"^\d\d:\d\d:\d\d  |\d+ ms.*", "", line) for line in logged] == [
        "GET /login/ 200 ",
        "GET /static/<path:filename> 404 ",
    ]


def test_a_later_start_says_how_to_replace_a_lost_password(tmp_path: Path) -> None:
    _before, first = start_and_request(tmp_path)
    before, _after = start_and_request(tmp_path, MAIL_SERVER="127.0.0.1")

    assert any("created" in line for line in first)
    assert [line for line in before if "Password  " in line or "created" in line] == []
    assert any("flask users set-password EMAIL" in line for line in before)
    assert [line for line in before if "flask mail list" in line] == []


def test_a_terminal_gets_json_when_the_setting_says_so(tmp_path: Path) -> None:
    before, after = start_and_request(tmp_path, LOG_FORMAT="json")

    assert any(is_json(line) for line in after[len(before) :])
    assert [line for line in after[len(before) :] if not is_json(line)] == []


@pytest.mark.parametrize(("variables", "wanted"), [({}, True), ({"LOG_FORMAT": "console"}, False)])
def test_a_pipe_gets_json_unless_the_setting_says_otherwise(
    tmp_path: Path, variables: dict[str, str], wanted: bool
) -> None:
    port = str(processes.free_port())
    env = commands.environment(f"sqlite:///{tmp_path}/users.db", tmp_path, PORT=port, **variables)
    process = commands.start(*commands.RUN, env=env, cwd=tmp_path)
    try:
        http_server.wait_until_ready(f"http://127.0.0.1:{port}", process)
        get(f"http://127.0.0.1:{port}/static/ui/ui.css")
        get(f"http://127.0.0.1:{port}/login/")
    finally:
        process.send_signal(signal.SIGINT)
        done = commands.finish(process)

    lines = done.errors.splitlines()
    assert {is_json(line) for line in lines} == {wanted}
    assert sum("/login/" in line for line in lines) == 1
    assert [line for line in lines if "/static/" in line] == []
    for place in ("/\n", "/userapi/\n", "/docs/\n", "/admin/\n"):
        assert f"http://localhost:{port}{place}" in done.output


def test_no_input_can_move_the_cursor_or_start_a_new_line(
    make_app: Callable[..., Flask], capsys: pytest.CaptureFixture[str]
) -> None:
    app = make_app(LOG_FORMAT="console")

    def fail(rest: str) -> None:
        raise ValueError(rest)

    app.add_url_rule("/fail/<path:rest>", view_func=fail, methods=["GET"])
    capsys.readouterr()

    app.test_client().get("/fail/a\x1b[31m\r\n12:00:00  forged")

    written = capsys.readouterr().err
    assert "Traceback" in written
    assert "forged" in written
    assert re.findall(r"[^\n -\x7e]", written) == []
    assert [line for line in written.splitlines() if line.startswith("12:00:00")] == []
