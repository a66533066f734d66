"""Requests to receivers of webhooks end in time and at a size, whatever a receiver does; every status is a result."""

import gzip
import socket
import struct
import threading
import time
import tracemalloc
from collections.abc import Iterator
from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from tests.support.certificates import over_tls, write_certificate
from tests.support.raw_server import RawServer, Respond, raw_server, respond_with, send_forever
from userapi.core import clock
from userapi.outbound import guarded_session, webhook_requests
from userapi.outbound.webhook_requests import Error, Result

#: For tests in which a request runs into it.
SHORT_TIMEOUT = 0.4

#: How long the other requests may take at most; they take milliseconds on a machine with nothing else to do.
QUICK = 5

OK = b"HTTP/1.1 200 OK\r\n"
BOMB = gzip.compress(b"\0" * 50_000_000)


@pytest.fixture(autouse=True)
def _local_app(app: Flask) -> Iterator[None]:
    app.config.update(WEBHOOK_ALLOWED_NETWORKS=("127.0.0.0/8",), WEBHOOK_TIMEOUT=15)
    guarded_session.load_authorities.cache_clear()
    with app.app_context():
        yield
    guarded_session.load_authorities.cache_clear()


def post(url: str, body: bytes = b"{}") -> Result:
    return webhook_requests.post(url, body, {"Content-Type": "application/json", "webhook-id": "msg_1"})


def respond_and_reset(connection: socket.socket) -> None:
    connection.sendall(OK + b"Content-Length: 100\r\n\r\nhalf")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def close(_connection: socket.socket) -> None:
    """Close the connection without a response."""


def test_the_body_and_the_headers_arrive_as_they_are() -> None:
    body = b'{"name": "J\xc3\xbcrgen"}\r\n '
    with raw_server(respond_with(b"thanks")) as server:
        result = post(f"{server.url}/hook?a=1", body)

    head, _blank, received = server.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /hook?a=1 HTTP/1.1\r\n")
    assert b"webhook-id: msg_1\r\n" in head + b"\r\n"
    assert b"Content-Type: application/json\r\n" in head + b"\r\n"
    assert received == body
    assert (result.status, result.error, result.excerpt, result.is_accepted) == (200, None, "thanks", True)


@pytest.mark.parametrize("status", [204, 301, 400, 410, 429, 500, 503])
def test_every_status_is_a_result_and_2xx_alone_accepts(status: int) -> None:
    with raw_server(respond_with(b"", f"{status} Whatever")) as server:
        result = post(server.url)

    assert (result.status, result.error, result.is_accepted) == (status, None, status == 204)


@pytest.mark.parametrize("later", ["120", "a date", "soon", "-1"])
def test_a_receiver_says_when_it_wants_the_next_request(later: str) -> None:
    value = format_datetime(clock.now() + timedelta(seconds=120), usegmt=True) if later == "a date" else later
    with raw_server(respond_with(b"", f"503 Busy\r\nRetry-After: {value}")) as server:
        result = post(server.url)

    expected = None if later in ("soon", "-1") else pytest.approx(120, abs=5)
    assert result.retry_after == expected


@pytest.mark.parametrize(
    ("respond", "status"),
    [
        pytest.param(send_forever(b"", b"", 0.05), None, id="hangs"),
        pytest.param(send_forever(b"x", b"HTTP/1.1 200 O", 0.05), None, id="drips its status"),
        pytest.param(send_forever(b"a: b\r\n", OK, 0.05), None, id="drips headers"),
        pytest.param(send_forever(b"x", OK + b"Content-Length: 9999\r\n\r\n", 0.05), 200, id="drips its body"),
    ],
)
def test_W39_a_receiver_that_hangs_or_drips_costs_no_more_than_the_timeout(
    app: Flask, respond: Respond, status: int | None
) -> None:
    app.config["WEBHOOK_TIMEOUT"] = SHORT_TIMEOUT
    with raw_server(respond) as server:
        started = time.monotonic()
        result = post(server.url)

    assert time.monotonic() - started < QUICK
    assert (result.status, result.error, result.is_accepted) == (status, Error.TIMEOUT, False)


def test_W39_a_resolver_that_hangs_costs_no_more_than_the_timeout(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    app.config["WEBHOOK_TIMEOUT"] = SHORT_TIMEOUT
    release = threading.Event()

    def hang(*_arguments: Any, **_options: Any) -> Any:
        release.wait(QUICK)
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    started = time.monotonic()
    result = post("https://slow.example.com/")
    release.set()

    assert time.monotonic() - started < QUICK
    assert result.error is Error.TIMEOUT


@pytest.mark.parametrize(
    ("respond", "status", "error"),
    [
        pytest.param(send_forever(b"x" * 65536, OK + b"Content-Length: 1073741824\r\n\r\n"), 200, None, id="body"),
        pytest.param(send_forever(b"1000\r\n" + b"x" * 4096 + b"\r\n", OK + b"Transfer-Encoding: chunked\r\n\r\n"),
                     200, None, id="chunks"),
        pytest.param(respond_with(BOMB, "200 OK\r\nContent-Encoding: gzip"), 200, None, id="gzip bomb"),
        pytest.param(respond_with(BOMB, "302 Found\r\nLocation: /\r\nContent-Encoding: gzip"), 302, None,
                     id="gzip bomb in a redirect"),
        pytest.param(send_forever(b"a" * 60_000 + b": b\r\n", OK), None, Error.RESPONSE_TOO_LARGE, id="headers"),
        pytest.param(send_forever(b"HTTP/1.1 100 Continue\r\n\r\n", b""), None, Error.RESPONSE_TOO_LARGE,
                     id="interim responses"),
    ],
)  # fmt: skip
def test_W39_of_a_response_without_end_64_kib_are_read(
    caplog: pytest.LogCaptureFixture, respond: Respond, status: int | None, error: Error | None
) -> None:
    with raw_server(respond) as server:
        _warm_up(server)
        tracemalloc.start()
        started = time.monotonic()
        result = post(server.url)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()

    assert time.monotonic() - started < QUICK
    assert peak < 1_000_000
    assert (result.status, result.error) == (status, error)
    assert caplog.text == ""


def _warm_up(server: RawServer) -> None:
    """Load the libraries, which need memory too."""
    post(server.url)


@pytest.mark.parametrize(
    ("respond", "status"),
    [
        pytest.param(respond_and_reset, 200, id="resets the connection"),
        pytest.param(close, None, id="closes the connection"),
        pytest.param(lambda connection: connection.sendall(b"SSH-2.0-OpenSSH_9.6\r\n"), None, id="speaks no HTTP"),
    ],
)
def test_W39_a_response_that_breaks_off_is_not_accepted(respond: Respond, status: int | None) -> None:
    with raw_server(respond) as server:
        result = post(server.url)

    assert (result.status, result.error, result.is_accepted) == (status, Error.CONNECTION_FAILED, False)


def test_a_closed_port_and_a_name_that_does_not_resolve_are_results() -> None:
    with raw_server(respond_with(b"")) as server:
        pass

    assert post(server.url).error is Error.CONNECTION_FAILED
    assert post("https://no-such-host.invalid/").error is Error.NAME_NOT_RESOLVED


def test_W42_no_redirect_is_followed_and_no_proxy_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    head = "301 Moved\r\nLocation: http://169.254.169.254/latest/meta-data"
    with raw_server(respond_with(b"")) as proxy, raw_server(respond_with(b"moved", head)) as server:
        for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        result = post(server.url)

    assert (result.status, result.excerpt, result.is_accepted) == (301, "moved", False)
    assert len(server.requests) == 1
    assert proxy.requests == []


@pytest.mark.parametrize("certified", ["receiver.example.com", "other.example.com"])
def test_W42_the_certificate_and_the_server_name_are_those_of_the_host(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, certified: str
) -> None:
    look_up, names = socket.getaddrinfo, list[str | None]()
    monkeypatch.setattr(
        socket, "getaddrinfo",
        lambda host, *more, **options: look_up(
            "127.0.0.1" if host.endswith(".example.com") else host, *more, **options
        ),
    )  # fmt: skip
    certificate = write_certificate(tmp_path, certified)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with raw_server(over_tls(certificate, respond_with(b"ok"), names), reads=False) as server:
        result = post(f"https://receiver.example.com:{server.port}/")

    is_right = certified == "receiver.example.com"
    assert names == ["receiver.example.com"]
    assert (result.status, result.error) == ((200, None) if is_right else (None, Error.CERTIFICATE_INVALID))


def test_W43_of_a_response_200_printable_characters_are_kept() -> None:
    answer = "<b>no\x00\x1b[31m\u202e\r\n\t such</b> \xff".encode("latin-1", "ignore") + b" secret" * 10_000
    with raw_server(respond_with(answer, "500 Oops")) as server:
        excerpt = post(server.url).excerpt

    assert excerpt.startswith("<b>no[31m such</b> \ufffd secret secret")
    assert len(excerpt) == 200
    assert excerpt.isprintable()
