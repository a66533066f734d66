"""No log contains the secret in the path of an opened email link."""

import json
import socket
from collections.abc import Iterator
from functools import wraps
from pathlib import Path

import processes
import pytest
from flask import Flask
from stack import fill_in

import config
from tests.support.waiting import wait_until
from userapi.pages.layout import SECRET_PATHS

TEMPLATE = config.ROOT / "deploy" / "nginx" / "userapi.conf.template"
SECRET = "SECRET-d41d8cd98f00b204"

MAIN = """\
daemon off;
pid ${FOLDER}/nginx.pid;
error_log ${FOLDER}/error.log info;
events {}
http {
    client_body_temp_path ${FOLDER}/body;
    proxy_temp_path ${FOLDER}/proxy;
    fastcgi_temp_path ${FOLDER}/fastcgi;
    uwsgi_temp_path ${FOLDER}/uwsgi;
    scgi_temp_path ${FOLDER}/scgi;
    include ${FOLDER}/userapi.conf;
}
"""


@pytest.fixture
def nginx(tmp_path: Path) -> Iterator[int]:
    """The port of an nginx with our template, whose hosts are down, so that the error log has each request too."""
    try:
        program = processes.program("nginx", "nginx")
    except processes.ServiceMissing as error:
        pytest.skip(str(error))
    port = processes.free_port()
    values = {
        "FOLDER": str(tmp_path),
        "APP_1": f"127.0.0.1:{processes.free_port()}",
        "APP_2": f"127.0.0.1:{processes.free_port()}",
        "LISTEN": f"127.0.0.1:{port}",
        "ACCESS_LOG": str(tmp_path / "access.log"),
        "CONNECTIONS_PER_ADDRESS": "200",
    }
    (tmp_path / "userapi.conf").write_text(fill_in(TEMPLATE.read_text(), values))
    (tmp_path / "nginx.conf").write_text(fill_in(MAIN, values))
    server = processes.Server(
        "nginx", [program, "-c", tmp_path / "nginx.conf", "-e", tmp_path / "error.log", "-p", tmp_path],
        tmp_path / "output.log", lambda: processes.accepts(port), {}, tmp_path,
    )  # fmt: skip
    server.start()
    yield port
    server.stop()


def send(port: int, path: str, body: int = 0) -> int:
    """The status of a request with a Content-Length but no body."""
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {body}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(head.encode())
        return int(connection.makefile("rb").readline().split()[1])


def logged(log: Path, lines: int) -> list[dict[str, str]]:
    """The requests in nginx's log, which it writes after the response."""
    wait_until(lambda: log.read_text().count("\n") >= lines)
    return [json.loads(line) for line in log.read_text().splitlines()]


def test_logs_leave_out_every_path_with_a_secret(shared_app: Flask) -> None:
    with_secret = [rule.rule for rule in shared_app.url_map.iter_rules() if "token" in rule.arguments]

    assert len(with_secret) >= 4
    for rule in with_secret:
        assert rule.startswith(SECRET_PATHS), rule


@pytest.mark.parametrize("place", SECRET_PATHS)
def test_nginx_does_not_log_the_secret_of_a_link(nginx: int, place: str, tmp_path: Path) -> None:
    paths = [
        f"{place}MQ/{SECRET}/",
        f"{place}{SECRET}/?next=/",
        f"/{place}{SECRET}/",
        f"/%{ord(place[1]):x}{place[2:]}{SECRET}",
    ]

    assert [send(nginx, path) for path in paths] == [502] * 4
    assert send(nginx, paths[0], body=2_000_000) == 413
    assert send(nginx, "/userapi/") == 502

    requests = logged(tmp_path / "access.log", 6)
    assert [request["path"] for request in requests[:5]] == [f"{place}***"] * 5
    assert requests[-1]["path"] == "/userapi/"
    errors = (tmp_path / "error.log").read_text()
    assert "/userapi/" in errors
    assert SECRET not in errors + (tmp_path / "access.log").read_text()


@pytest.mark.parametrize("place", SECRET_PATHS)
def test_an_unexpected_error_does_not_log_the_secret_of_a_link(
    shared_app: Flask, place: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"{place}MQ/{SECRET}/" if place == "/reset/" else f"{place}{SECRET}/"
    endpoint, _values = shared_app.url_map.bind("localhost").match(path)

    @wraps(shared_app.view_functions[endpoint])  # stand-in for the access rule of the page
    def fail(**_values: str) -> None:
        raise RuntimeError("broken")

    monkeypatch.setitem(shared_app.view_functions, endpoint, fail)
    assert shared_app.test_client().get(path).status_code == 500

    said = capfd.readouterr().err
    assert "unexpected error" in said
    assert "RuntimeError: broken" in said
    assert SECRET not in said
