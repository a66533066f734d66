"""Persistent connections still work after an error before the body was read."""

import http.client
import select
import socket
import time
from collections.abc import Iterator

import pytest

from tests.support import commands, http_server

JSON = "Content-Type: application/json\r\n"

#: Requests with a response that does not need their body, with its status.
UNREAD = {
    "not signed in": (401, "PATCH", "/userapi/auth/user/", JSON),
    "no such page": (404, "POST", "/nothing/", JSON),
    "wrong method": (405, "POST", "/healthz", JSON),
    "nothing acceptable": (406, "POST", "/userapi/users/", JSON + "Accept: application/xml\r\n"),
    "compressed body": (415, "POST", "/userapi/users/", JSON + "Content-Encoding: gzip\r\n"),
    "from another site": (403, "POST", "/login/", JSON + "Origin: https://evil.example\r\n"),
    # not a form, which would be read to show it again after sign-in
    "redirect": (303, "POST", "/admin/imports/new/", "Content-Type: text/plain\r\n"),
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[http_server.Server]:
    """A server with the default workers and threads."""
    folder = tmp_path_factory.mktemp("kept")
    with http_server.run_server(folder, commands.environment(f"sqlite:///{folder}/kept.db", folder)) as server:
        yield server


def exchange(connection: socket.socket, request: str, body: bytes) -> http.client.HTTPResponse:
    """Send the headers, then the body in a second packet; returns the whole response."""
    connection.sendall(request.encode())
    time.sleep(0.05)
    connection.sendall(body)
    response = http.client.HTTPResponse(connection)
    response.begin()
    response.read()
    return response


def connected(server: http_server.Server) -> socket.socket:
    host, port = server.url.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)), timeout=30)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


@pytest.mark.parametrize("framing", ["length", "chunks"])
@pytest.mark.parametrize("kind", UNREAD)
def test_a_connection_stays_usable_after_an_error_before_the_body_was_read(
    server: http_server.Server, kind: str, framing: str
) -> None:
    status, method, path, headers = UNREAD[kind]
    body = b"x" * 3000
    if framing == "chunks":
        headers, body = headers + "Transfer-Encoding: chunked\r\n", b"bb8\r\n" + body + b"\r\n0\r\n\r\n"
    else:
        headers += f"Content-Length: {len(body)}\r\n"
    with connected(server) as connection:
        for _again in range(3):
            first = exchange(connection, f"{method} {path} HTTP/1.1\r\nHost: x\r\n{headers}\r\n", body)
            assert first.status == status
            assert first.headers["Connection"] is None
            second = exchange(connection, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", b"")
            assert second.status == 200


@pytest.mark.parametrize("framing", ["length", "chunks"])
@pytest.mark.parametrize("path", ["/userapi/users/", "/nothing/", "/admin/imports/new/"])
def test_a_body_that_is_too_large_is_not_read_and_the_response_closes_the_connection(
    server: http_server.Server, path: str, framing: str
) -> None:
    size = 12 * 2**20
    headers = JSON + (f"Content-Length: {size}\r\n" if framing == "length" else "Transfer-Encoding: chunked\r\n")
    with connected(server) as connection:
        connection.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\n{headers}\r\n".encode())
        for _piece in range(size // 2**20 if framing == "chunks" else 0):
            if select.select([connection], [], [], 0.2)[0]:
                break  # already responded
            connection.sendall(b"100000\r\n" + b" " * 2**20 + b"\r\n")
        response = http.client.HTTPResponse(connection)
        response.begin()

        assert response.status in (303, 404, 413)
        assert response.headers["Connection"] == "close"


@pytest.mark.parametrize(("length", "body"), [("00", b""), ("0000", b""), ("0002", b"{}")])
def test_a_content_length_may_begin_with_zeros(server: http_server.Server, length: str, body: bytes) -> None:
    """RFC 9110, section 8.6: a length is any number of digits."""
    with connected(server) as connection:
        for _again in range(2):
            headers = f"Host: x\r\n{JSON}Content-Length: {length}\r\n"
            response = exchange(connection, f"POST /userapi/users/ HTTP/1.1\r\n{headers}\r\n", body)
            assert response.status == 400
            assert response.headers["Content-Type"] == "application/problem+json"
            assert response.headers["Connection"] is None
