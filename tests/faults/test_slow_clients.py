"""Clients that send bodies or read responses slowly do not occupy the threads of the server."""

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

pytestmark = pytest.mark.slow

#: The number of slow clients, and the seconds within which other clients must get a response. One that waits for a slow
#: client gets it after 20.
CROWD = 60
SOON = 5

#: The maximum number of seconds until a stalled body gets a response.
RESPONSE_TIMEOUT = 30

JSON = "Content-Type: application/json\r\n"
FORM = "Content-Type: multipart/form-data; boundary=b\r\n"
PART = b'--b\r\nContent-Disposition: form-data; name="file"; filename="users.csv"\r\n\r\nemail\r\n'


def start_body(path: str, headers: str, method: str = "POST") -> bytes:
    return f"{method} {path} HTTP/1.1\r\nHost: x\r\n{headers}\r\n".encode()


#: Beginnings of requests that are never completed.
STALLED = {
    "sign-in": start_body("/api-token-auth/", JSON + "Content-Length: 400\r\n") + b"{",
    "a body of which nothing comes": start_body("/api-token-auth/", JSON + "Content-Length: 400\r\n"),
    "a patch": start_body("/userapi/auth/user/", JSON + "Content-Length: 400\r\n", "PATCH") + b"{",
    "chunks": start_body("/userapi/users/", JSON + "Transfer-Encoding: chunked\r\n") + b"1\r\n{\r\n",
    "half a chunk": start_body("/userapi/users/", JSON + "Transfer-Encoding: chunked\r\n") + b"90\r\n{",
    "an upload": start_body("/admin/imports/new/", FORM + "Content-Length: 400\r\n") + PART,
    "a large upload": start_body("/admin/imports/new/", FORM + "Content-Length: 9000000\r\n") + PART,
    "a page": start_body("/login/", "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 400\r\n")
    + b"e",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[http_server.Server]:
    """A server with the default workers and threads."""
    folder = tmp_path_factory.mktemp("slow")
    with http_server.run_server(folder, commands.environment(f"sqlite:///{folder}/slow.db", folder)) as server:
        yield server


@pytest.fixture
def connect(server: http_server.Server) -> Iterator[Callable[..., socket.socket]]:
    """Open a connection and send data on it."""
    host, port = server.url.removeprefix("http://").split(":")
    with ExitStack() as stack:

        def connected(request: bytes) -> socket.socket:
            connection = stack.enter_context(socket.socket())
            connection.settimeout(RESPONSE_TIMEOUT)
            connection.setsockopt(
                socket.SOL_SOCKET, socket.SO_RCVBUF, 4096
            )  # a small receive buffer, so that little is read ahead
            connection.connect((host, int(port)))
            connection.sendall(request)
            return connection

        yield connected


def send_request(
    server: http_server.Server, path: str, body: dict[str, str] | None = None, token: str = ""
) -> dict[str, str]:
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    request = urllib.request.Request(
        server.url + path, None if body is None else json.dumps(body).encode(), headers=headers
    )
    with urllib.request.urlopen(request, timeout=RESPONSE_TIMEOUT) as response:
        answer: dict[str, str] = json.load(response)
    return answer


def assert_others_are_answered(server: http_server.Server) -> None:
    """Check that a normal request gets a response soon."""
    for _again in range(4):  # reaches both workers
        began = time.monotonic()
        send_request(server, "/healthz")
        assert time.monotonic() - began < SOON
    began = time.monotonic()
    tokens = send_request(server, "/api-token-auth/", {"email": server.email, "password": server.password or ""})
    assert time.monotonic() - began < SOON
    began = time.monotonic()
    assert send_request(server, "/userapi/auth/user/", token=tokens["access_token"])["email"] == server.email
    assert time.monotonic() - began < SOON


def drip(connection: socket.socket, stop: threading.Event) -> None:
    """Send a byte every second until the server closes the connection."""
    with contextlib.suppress(OSError):
        while not stop.wait(1):
            connection.sendall(b" ")


@pytest.mark.unmeasured
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
            response = connection.recv(65536)
            assert time.monotonic() - began < RESPONSE_TIMEOUT
            assert response.startswith(b"HTTP/1.1 408 "), (kind, response)
            assert b"\r\nconnection: close\r\n" in response.lower(), kind
            assert b'"code":"request_timeout"' in response or b"text/html" in response, kind
    finally:
        stop.set()
        dripper.join()


@pytest.mark.parametrize("kind", ["sign-in", "an upload"])
def test_D12_sixty_slow_clients_of_one_kind_do_not_stop_others(
    server: http_server.Server, connect: Callable[..., socket.socket], kind: str
) -> None:
    for _number in range(CROWD):
        connect(STALLED[kind])
    time.sleep(0.5)

    assert_others_are_answered(server)


def test_D12_unread_responses_do_not_stop_others(
    server: http_server.Server, connect: Callable[..., socket.socket]
) -> None:
    for _number in range(CROWD):
        connect(
            8 * start_body("/static/vendor/swagger-ui/swagger-ui-bundle.js", "", "GET")
        )  # more than a socket buffers
    time.sleep(0.5)

    assert_others_are_answered(server)


def test_D12_a_body_whose_connection_is_lost_has_no_effect(
    server: http_server.Server, connect: Callable[..., socket.socket]
) -> None:
    tokens = send_request(server, "/api-token-auth/", {"email": server.email, "password": server.password or ""})
    authorized = f"Authorization: Bearer {tokens['access_token']}\r\n"
    for headers in ("Content-Length: 400\r\n", "Transfer-Encoding: chunked\r\n"):
        connection = connect(start_body("/userapi/auth/logout/", JSON + authorized + headers))
        connection.shutdown(socket.SHUT_WR)
        assert not connection.recv(65536).startswith(b"HTTP/1.1 200")

    assert send_request(server, "/userapi/auth/user/", token=tokens["access_token"])["email"] == server.email


def test_D12_a_body_in_many_pieces_is_complete(
    server: http_server.Server, connect: Callable[..., socket.socket]
) -> None:
    body = json.dumps({"email": server.email, "password": server.password}).encode()
    for headers, pieces in (
        (f"Content-Length: {len(body)}\r\n", [bytes([byte]) for byte in body]),
        ("Transfer-Encoding: chunked\r\n", [b"1\r\n%c\r\n" % byte for byte in body] + [b"0\r\n\r\n"]),
    ):
        connection = connect(start_body("/api-token-auth/", JSON + headers))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(0.002)

        assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")


def test_D12_large_bodies_are_read_only_where_allowed(
    server: http_server.Server, connect: Callable[..., socket.socket]
) -> None:
    size, end = 5 * 2**20, b"\r\n--b--\r\n"
    for path, expected in (("/admin/imports/new/", b"303 "), ("/userapi/users/", b"413 ")):
        connection = connect(start_body(path, FORM + f"Content-Length: {size}\r\n"))
        with contextlib.suppress(ConnectionError):
            connection.sendall(PART + b"a" * (size - len(PART) - len(end)) + end)
        assert expected in connection.recv(65536).split(b"\r\n")[0], path


def test_D12_large_bodies_beyond_the_limit_get_503_after_they_were_received(
    server: http_server.Server, connect: Callable[..., socket.socket]
) -> None:
    size = 500_000
    started = start_body("/userapi/users/", JSON + f"Content-Length: {size}\r\n")
    connections = [connect(started + b" " * (size - 2)) for _number in range(CROWD)]

    responses = []
    for connection in connections:
        connection.sendall(b"{}")
        responses.append(connection.recv(65536))

    refused = [response for response in responses if response.startswith(b"HTTP/1.1 503 ")]
    assert CROWD - 32 <= len(refused) < CROWD
    assert all(b"retry-after: 2" in response.lower() for response in refused)
    assert {response.split()[1] for response in responses} == {b"400", b"503"}
    for connection in connections:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
    assert_others_are_answered(server)


def test_D12_a_response_in_many_pieces_is_complete(server: http_server.Server) -> None:
    path = "/static/vendor/swagger-ui/swagger-ui-bundle.js"
    content = (config.ROOT / f"userapi{path}").read_bytes()
    last = len(content) - 2

    request = urllib.request.Request(server.url + path, headers={"Range": f"bytes=1-{last}"})
    with urllib.request.urlopen(request, timeout=RESPONSE_TIMEOUT) as response:
        assert response.status == 206
        assert response.headers["Content-Length"] == str(last)
        assert response.read() == content[1:-1]
