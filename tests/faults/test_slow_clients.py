"""Clients that send their bodies slowly, or read their answers slowly, keep no thread of the server from the others."""

import contextlib
import json
import socket
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

import config
from tests.support import commands, http_server

#: How many slow clients there are, and in how many seconds somebody else is answered all the same.
CROWD = 60
SOON = 2

#: After how many seconds a body that has stopped coming is answered at the latest.
RESPONSE_TIMEOUT = 30

JSON = "Content-Type: application/json\r\n"
FORM = "Content-Type: multipart/form-data; boundary=b\r\n"
PART = b'--b\r\nContent-Disposition: form-data; name="file"; filename="users.csv"\r\n\r\nemail\r\n'


def begin(path: str, headers: str, method: str = "POST") -> bytes:
    return f"{method} {path} HTTP/1.1\r\nHost: x\r\n{headers}\r\n".encode()


#: Beginnings of requests whose rest does not come.
STALLED = {
    "sign-in": begin("/api-token-auth/", JSON + "Content-Length: 400\r\n") + b"{",
    "a body of which nothing comes": begin("/api-token-auth/", JSON + "Content-Length: 400\r\n"),
    "a patch": begin("/userapi/auth/user/", JSON + "Content-Length: 400\r\n", "PATCH") + b"{",
    "chunks": begin("/userapi/users/", JSON + "Transfer-Encoding: chunked\r\n") + b"1\r\n{\r\n",
    "half a chunk": begin("/userapi/users/", JSON + "Transfer-Encoding: chunked\r\n") + b"90\r\n{",
    "an upload": begin("/admin/imports/new/", FORM + "Content-Length: 400\r\n") + PART,
    "a large upload": begin("/admin/imports/new/", FORM + "Content-Length: 9000000\r\n") + PART,
    "a page": begin("/login/", "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 400\r\n") + b"e",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[http_server.Server]:
    """A server with its usual workers and threads."""
    folder = tmp_path_factory.mktemp("slow")
    with http_server.run_server(folder, commands.environment(f"sqlite:///{folder}/slow.db", folder)) as server:
        yield server


@pytest.fixture
def connect(server: http_server.Server) -> Iterator[Callable[..., socket.socket]]:
    """Opens a connection and sends something on it."""
    host, port = server.url.removeprefix("http://").split(":")
    with ExitStack() as stack:

        def connected(request: bytes) -> socket.socket:
            connection = stack.enter_context(socket.socket())
            connection.settimeout(RESPONSE_TIMEOUT)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # so that little is read ahead
            connection.connect((host, int(port)))
            connection.sendall(request)
            return connection

        yield connected


def ask(server: http_server.Server, path: str, body: dict[str, str] | None = None, token: str = "") -> dict[str, str]:
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    request = urllib.request.Request(
        server.url + path, None if body is None else json.dumps(body).encode(), headers=headers
    )
    with urllib.request.urlopen(request, timeout=RESPONSE_TIMEOUT) as response:
        answer: dict[str, str] = json.load(response)
    return answer


def assert_others_are_answered(server: http_server.Server) -> None:
    """An honest request is answered soon."""
    for _again in range(4):  # both workers are met
        began = time.monotonic()
        ask(server, "/healthz")
        assert time.monotonic() - began < SOON
    began = time.monotonic()
    tokens = ask(server, "/api-token-auth/", {"email": server.email, "password": server.password or ""})
    assert time.monotonic() - began < SOON
    began = time.monotonic()
    assert ask(server, "/userapi/auth/user/", token=tokens["access_token"])["email"] == server.email
    assert time.monotonic() - began < SOON


def drip(connection: socket.socket, stop: threading.Event) -> None:
    """Send a byte each second until the other side has had enough."""
    with contextlib.suppress(OSError):
        while not stop.wait(1):
            connection.sendall(b" ")


def test_D12_stalled_and_dripping_bodies_get_408_and_do_not_stop_others(
    server: http_server.Server, connect: Callable[..., socket.socket]
) -> None:
    began, stop = time.monotonic(), threading.Event()
    stalled = {
        (kind, number): connect(STALLED[kind]) for kind in STALLED for number in range(-(-CROWD // len(STALLED)))
    }
    dripping = connect(STALLED["sign-in"])
    dripper = threading.Thread(target=drip, args=(dripping, stop))
    dripper.start()
    try:
        time.sleep(0.5)
        assert_others_are_answered(server)

        for kind, connection in {**stalled, ("dripped", 0): dripping}.items():
            answer = connection.recv(65536)
            assert time.monotonic() - began < RESPONSE_TIMEOUT
            assert answer.startswith(b"HTTP/1.1 408 "), (kind, answer)
            assert b"\r\nconnection: close\r\n" in answer.lower(), kind
            assert b'"code":"request_timeout"' in answer or b"text/html" in answer, kind
    finally:
        stop.set()
        dripper.join()


@pytest.mark.parametrize("kind", ["sign-in", "an upload"])
def test_D12_sixty_of_one_kind_do_not_stop_others(
    server: http_server.Server, connect: Callable[..., socket.socket], kind: str
) -> None:
    for _number in range(CROWD):
        connect(STALLED[kind])
    time.sleep(0.5)

    assert_others_are_answered(server)


def test_D12_answers_that_are_not_read_do_not_stop_others(
    server: http_server.Server, connect: Callable[..., socket.socket]
) -> None:
    for _number in range(CROWD):
        connect(8 * begin("/static/vendor/swagger-ui/swagger-ui-bundle.js", "", "GET"))  # more than a socket holds
    time.sleep(0.5)

    assert_others_are_answered(server)


def test_D12_a_body_whose_connection_is_lost_does_nothing(
    server: http_server.Server, connect: Callable[..., socket.socket]
) -> None:
    tokens = ask(server, "/api-token-auth/", {"email": server.email, "password": server.password or ""})
    authorized = f"Authorization: Bearer {tokens['access_token']}\r\n"
    for headers in ("Content-Length: 400\r\n", "Transfer-Encoding: chunked\r\n"):
        connection = connect(begin("/userapi/auth/logout/", JSON + authorized + headers))
        connection.shutdown(socket.SHUT_WR)
        assert not connection.recv(65536).startswith(b"HTTP/1.1 200")

    assert ask(server, "/userapi/auth/user/", token=tokens["access_token"])["email"] == server.email


def test_D12_a_body_that_comes_in_many_pieces_is_whole(
    server: http_server.Server, connect: Callable[..., socket.socket]
) -> None:
    body = json.dumps({"email": server.email, "password": server.password}).encode()
    for headers, pieces in (
        (f"Content-Length: {len(body)}\r\n", [bytes([byte]) for byte in body]),
        ("Transfer-Encoding: chunked\r\n", [b"1\r\n%c\r\n" % byte for byte in body] + [b"0\r\n\r\n"]),
    ):
        connection = connect(begin("/api-token-auth/", JSON + headers))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(0.002)

        assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")


def test_D12_a_large_body_is_taken_in_where_one_is_allowed_and_nowhere_else(
    server: http_server.Server, connect: Callable[..., socket.socket]
) -> None:
    size, end = 5 * 2**20, b"\r\n--b--\r\n"
    for path, expected in (("/admin/imports/new/", b"303 "), ("/userapi/users/", b"413 ")):
        connection = connect(begin(path, FORM + f"Content-Length: {size}\r\n"))
        with contextlib.suppress(ConnectionError):
            connection.sendall(PART + b"a" * (size - len(PART) - len(end)) + end)
        assert expected in connection.recv(65536).split(b"\r\n")[0], path


def test_D12_only_so_many_large_bodies_are_taken_in_together(
    server: http_server.Server, connect: Callable[..., socket.socket]
) -> None:
    connections = [connect(STALLED["a large upload"]) for _number in range(CROWD)]
    time.sleep(1)

    answered = []
    for connection in connections:
        connection.settimeout(0.05)
        with contextlib.suppress(TimeoutError):
            answered.append(connection.recv(65536))

    assert CROWD - 32 <= len(answered) < CROWD
    assert all(answer.startswith(b"HTTP/1.1 503 ") and b"retry-after: 2" in answer.lower() for answer in answered)
    assert_others_are_answered(server)


def test_D12_an_answer_in_many_pieces_comes_whole(server: http_server.Server) -> None:
    path = "/static/vendor/swagger-ui/swagger-ui-bundle.js"
    content = (config.ROOT / f"userapi{path}").read_bytes()
    last = len(content) - 2

    request = urllib.request.Request(server.url + path, headers={"Range": f"bytes=1-{last}"})
    with urllib.request.urlopen(request, timeout=RESPONSE_TIMEOUT) as response:
        assert response.status == 206
        assert response.headers["Content-Length"] == str(last)
        assert response.read() == content[1:-1]
