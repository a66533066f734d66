"""Malformed requests to the socket of the real server."""

import socket
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest

from tests.support import http_server

HELLO = "GET /userapi/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"


@pytest.fixture
def talk(server: http_server.Server) -> Callable[..., bytes]:
    """Send bytes and return everything received until the server closes the connection or goes silent."""
    parts = urlsplit(server.url)

    def send(request: bytes, timeout: float = 5) -> bytes:
        with socket.create_connection((parts.hostname, parts.port), timeout=timeout) as connection:
            response = b""
            try:
                connection.sendall(request)
                while piece := connection.recv(65536):
                    response += piece
            except (TimeoutError, ConnectionError):
                pass
            return response

    return send


def status(response: bytes) -> int | None:
    """The status of the first response, or None if the connection was closed without one."""
    return int(response.split(b" ", 2)[1]) if response.startswith(b"HTTP/1.") else None


def assert_well(talk: Callable[..., bytes]) -> None:
    """Check that the server responds to a normal request."""
    assert status(talk((HELLO + "\r\n").encode())) == 200


def test_H10_the_server_names_neither_itself_nor_its_version(talk: Callable[..., bytes]) -> None:
    head = talk((HELLO + "\r\n").encode()).split(b"\r\n\r\n")[0].lower()

    for word in (b"werkzeug", b"python", b"flask", b"gunicorn", b"x-powered-by", b"granian/"):
        assert word not in head


BROKEN = {
    "1000 headers": HELLO + "".join(f"X-{number}: y\r\n" for number in range(1000)) + "\r\n",
    "a header of 64 kB": HELLO + "X-Long: " + "y" * 65_536 + "\r\n\r\n",
    "a negative length": "POST /userapi/users/ HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    "a length of words": "POST /userapi/users/ HTTP/1.1\r\nHost: x\r\nContent-Length: many\r\n\r\n",
    "two lengths": "POST /userapi/users/ HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 40\r\n\r\n{}",
    "a bad chunk": "POST /userapi/users/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n",
    "a blank in a name": HELLO + "X Bad: y\r\n\r\n",
    "a NUL": HELLO + "X-Bad: a\x00b\r\n\r\n",
    "a bare line feed": HELLO + "X-Bad: a\nInjected: b\r\n\r\n",
    "no version": "GET /userapi/\r\n\r\n",
    "another protocol": "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "a path of 100 kB": f"GET /{'a' * 100_000} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
}


@pytest.mark.parametrize("kind", BROKEN)
def test_V17_a_malformed_request_is_rejected_or_closed_and_the_next_one_is_served(
    talk: Callable[..., bytes], kind: str
) -> None:
    response = talk(BROKEN[kind].encode("latin-1"), timeout=3)

    assert status(response) is None or status(response) in (200, 400, 404, 411, 413, 414, 415, 431, 501, 505)
    assert status(response) != 200 or kind in ("1000 headers", "a header of 64 kB", "a bare line feed")
    assert_well(talk)


def test_V17_a_length_with_chunks_cannot_smuggle_a_second_request(talk: Callable[..., bytes]) -> None:
    smuggled = "GET /.well-known/jwks.json HTTP/1.1\r\nHost: x\r\n\r\n"
    request = (
        "POST /userapi/users/ HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 4\r\n"
        f"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n{smuggled}"
    )

    response = talk(request.encode(), timeout=2)

    assert status(response) in (None, 400) or b'"keys"' not in response or response.count(b"HTTP/1.1") == 2
    assert_well(talk)


def test_D11_rejects_a_large_chunked_body(talk: Callable[..., bytes]) -> None:
    chunk = b"10000\r\n" + b" " * 65_536 + b"\r\n"
    head = (
        b"POST /userapi/users/ HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n"
    )

    response = talk(head + chunk * 20 + b"0\r\n\r\n", timeout=3)

    assert status(response) in (None, 413)
    assert_well(talk)
