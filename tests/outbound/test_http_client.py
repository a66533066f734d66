"""Requests to other services reach no private IP address, and end in time however a service responds."""

import gzip
import itertools
import socket
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest
from flask import Flask

import config
from tests.support.raw_server import RawServer, Respond, raw_server, respond_with, send_forever
from tests.support.waiting import wait_until
from userapi.outbound import http_client, limits
from userapi.outbound.http_client import NotAllowed, Response
from userapi.outbound.limits import Limits, Unavailable

#: For tests in which a request runs into it.
SHORT_TIMEOUT = 0.4


@pytest.fixture
def local_app(app: Flask) -> Iterator[Flask]:
    """An application that may send requests to servers on this machine."""
    app.config["OUTBOUND_PRIVATE_HOSTS"] = ("127.0.0.0/8",)
    app.extensions["userapi-outbound"] = Limits(4)
    with app.app_context():
        yield app


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "localhost", "2130706433", "0.0.0.0", "127.1"],
)
def test_I47_private_ip_addresses_get_no_connection(app: Flask, host: str) -> None:
    with raw_server(respond_with(b"{}"), "::1" if host == "[::1]" else "127.0.0.1") as server, app.app_context():
        with pytest.raises(NotAllowed, match="private IP address"):
            http_client.get(f"https://{host}:{server.port}/", service="acme")

        assert server.requests == []


@pytest.mark.parametrize(
    "address",
    ["10.0.0.1", "169.254.169.254", "[::ffff:10.0.0.1]", "[fe80::1]", "[fd00::1]", "100.64.0.1", "224.0.0.1"],
)
def test_I47_ip_addresses_of_networks_and_of_clouds_are_private(app: Flask, address: str) -> None:
    with app.app_context(), pytest.raises(NotAllowed, match="private IP address"):
        http_client.get(f"https://{address}/latest/meta-data", service="acme")


def test_I47_the_ip_address_that_was_checked_is_the_one_that_gets_the_connection(
    local_app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    local_app.config["OUTBOUND_PRIVATE_HOSTS"] = ("127.0.0.2/32",)
    look_up, answers = socket.getaddrinfo, itertools.chain(["127.0.0.2"], itertools.repeat("127.0.0.1"))

    def rebind(host: str, *arguments: Any, **options: Any) -> Any:
        return look_up(next(answers) if host == "rebinding.example.com" else host, *arguments, **options)

    with raw_server(respond_with(b"{}"), "127.0.0.2") as checked:
        monkeypatch.setattr(socket, "getaddrinfo", rebind)
        # http is only for hosts that are listed, so this connects and then fails in TLS.
        with pytest.raises(Unavailable):
            http_client.get(f"https://rebinding.example.com:{checked.port}/", service="acme")
        wait_until(lambda: len(checked.requests) == 1)
        with pytest.raises(NotAllowed, match="private IP address"):
            http_client.get(f"https://rebinding.example.com:{checked.port}/", service="acme")

        assert b"rebinding.example.com" in checked.requests[0]  # SNI


@pytest.mark.parametrize("allowed", ["localhost", "127.0.0.1/32", "127.0.0.0/8"])
def test_a_private_host_can_be_allowed(app: Flask, allowed: str) -> None:
    app.config["OUTBOUND_PRIVATE_HOSTS"] = (allowed,)
    host = "localhost" if allowed == "localhost" else "127.0.0.1"
    with raw_server(respond_with(b'{"ok": true}')) as server, app.app_context():
        response = http_client.get(f"http://{host}:{server.port}/", service="acme")

    assert (response.status, response.json()) == (200, {"ok": True})
    assert f"Host: {host}:{server.port}".encode() in server.requests[0]


@pytest.mark.parametrize(
    "url",
    ["http://example.com/", "ftp://example.com/", "file:///etc/passwd", "//example.com", "https://", "https://[::1/",
     "https://example.com:99999/", f"https://{'a' * 70}.example.com/"],
)  # fmt: skip
def test_only_https_urls_are_requested(app: Flask, url: str) -> None:
    with app.app_context(), pytest.raises(NotAllowed):
        http_client.get(url, service="acme")


def test_I48_a_redirect_is_not_followed_and_the_secret_stays(local_app: Flask) -> None:
    with raw_server(respond_with(b"{}")) as target:
        head = f"307 Temporary Redirect\r\nLocation: {target.url}/elsewhere"
        with raw_server(respond_with(b"", head)) as server, pytest.raises(NotAllowed, match="redirect"):
            http_client.post_form(server.url, {"code": "c"}, service="acme", basic_auth=("client", "secret"))

    assert len(server.requests) == 1
    assert b"Authorization: Basic Y2xpZW50OnNlY3JldA==" in server.requests[0]
    assert target.requests == []


def test_proxies_and_passwords_of_the_environment_are_not_used(
    local_app: Flask, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login someone password secret\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    with raw_server(respond_with(b"{}")) as proxy, raw_server(respond_with(b"{}")) as server:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        http_client.get(server.url, service="acme")

    assert proxy.requests == []
    assert b"Authorization" not in server.requests[0]


BOMB = gzip.compress(b"\0" * 50_000_000)
OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    "respond",
    [
        pytest.param(send_forever(b"x" * 65536, OK + b"\r\n"), id="endless"),
        pytest.param(send_forever(b"1000\r\n" + b"x" * 4096 + b"\r\n", OK + b"Transfer-Encoding: chunked\r\n\r\n"),
                     id="endless chunks"),
        pytest.param(respond_with(BOMB, "200 OK\r\nContent-Encoding: gzip"), id="gzip bomb"),
    ],
)  # fmt: skip
def test_I49_a_response_that_is_too_large_is_not_read(local_app: Flask, respond: Respond) -> None:
    with raw_server(respond) as server:
        _warm_up(server)
        tracemalloc.start()
        with pytest.raises(NotAllowed, match="too large"):
            http_client.get(server.url, service="acme")
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()

    assert peak < 8 * http_client.MAX_BODY


def _warm_up(server: RawServer) -> None:
    """Load the libraries, which need memory too."""
    with suppress(NotAllowed):
        http_client.get(server.url, service="acme")


@pytest.mark.parametrize(
    "respond",
    [
        pytest.param(send_forever(b"x", OK + b"\r\n", 0.05), id="body"),
        pytest.param(send_forever(b"x", b"HTTP/1.1 200 O", 0.05), id="status"),
        pytest.param(send_forever(b"a: b\r\n", OK, 0.05), id="headers"),
        pytest.param(send_forever(b"", b"", 0.05), id="nothing"),
    ],
)
def test_I49_a_response_that_comes_slowly_ends_at_the_deadline(local_app: Flask, respond: Respond) -> None:
    local_app.config["OUTBOUND_TIMEOUT"] = SHORT_TIMEOUT
    with raw_server(respond) as server:
        started = time.monotonic()
        with pytest.raises(Unavailable) as caught:
            http_client.get(server.url, service="acme")

    assert time.monotonic() - started < 5
    assert caught.value.retry_after > 0


@pytest.mark.parametrize(
    ("respond", "retry_after"),
    [
        (respond_with(b"", "503 Service Unavailable\r\nRetry-After: 120"), 120),
        (respond_with(b"", "429 Too Many Requests\r\nRetry-After: 99999999"), 3600),
        (respond_with(b"", "500 Oops\r\nRetry-After: Fri, 31 Dec 1999 23:59:59 GMT"), 5),
        (lambda connection: connection.sendall(b"SSH-2.0-OpenSSH_9.6\r\n"), 5),
        (lambda connection: None, 5),
    ],
)
def test_a_service_that_fails_is_unavailable_for_a_while(local_app: Flask, respond: Respond, retry_after: int) -> None:
    with raw_server(respond) as server, pytest.raises(Unavailable) as caught:
        http_client.get(server.url, service="acme")

    assert caught.value.retry_after == retry_after


def test_a_name_that_does_not_resolve_and_a_closed_port_are_unavailable(local_app: Flask) -> None:
    with raw_server(respond_with(b"")) as server:
        pass
    for url in (server.url, "https://no-such-host.invalid/"):
        with pytest.raises(Unavailable):
            http_client.get(url, service="acme")


def test_an_error_of_the_client_is_a_response(local_app: Flask) -> None:
    with raw_server(respond_with(b'{"error": "invalid_grant"}', "400 Bad Request")) as server:
        response = http_client.post_form(server.url, {"grant_type": "x y"}, service="acme")

    assert (response.status, response.json()) == (400, {"error": "invalid_grant"})
    assert b"application/x-www-form-urlencoded" in server.requests[0]


def test_I50_a_service_that_hangs_gets_a_few_requests_and_leaves_turns_to_others(local_app: Flask) -> None:
    release = threading.Event()

    def hang(connection: socket.socket) -> None:
        release.wait(10)
        respond_with(b"{}")(connection)

    with (
        raw_server(hang) as slow,
        raw_server(respond_with(b"{}")) as quick,
        ThreadPoolExecutor(40) as threads,
    ):
        requests = [threads.submit(_get, local_app, slow.url, "slow") for _ in range(40)]
        wait_until(lambda: sum(request.done() for request in requests) == 38)
        assert http_client.get(quick.url, service="quick").status == 200
        release.set()
        failed = [error for error in map(Future.exception, requests) if error]

    assert len(slow.requests) == 2
    assert len(failed) == 38
    assert {type(error) for error in failed} == {Unavailable}


def _get(app: Flask, url: str, service: str) -> Response:
    with app.app_context():
        return http_client.get(url, service=service)


def test_I50_a_service_that_failed_five_times_gets_no_requests_for_a_while_and_recovers(
    local_app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    working = threading.Event()

    def respond(connection: socket.socket) -> None:
        respond_with(b"{}", "200 OK" if working.is_set() else "502 Bad Gateway")(connection)

    def statuses(service: str, count: int) -> list[int]:
        found = []
        for _number in range(count):
            with suppress(Unavailable):
                found.append(http_client.get(server.url, service=service).status)
        return found

    def paused(service: str) -> float | None:
        registry = local_app.extensions["userapi-metrics"].registry
        value: float | None = registry.get_sample_value("userapi_outbound_paused", {"service": service})
        return value

    with raw_server(respond) as server:
        assert statuses("acme", 8) == []
        assert len(server.requests) == 5
        assert paused("acme") == 1
        working.set()
        assert statuses("acme", 1) == []
        assert statuses("other", 1) == [200]
        with monkeypatch.context() as later:
            later.setattr(limits, "PAUSE", 0)
            assert statuses("acme", 1) == [200]
        assert statuses("acme", 1) == [200]
        assert (paused("acme"), paused("other")) == (0, 0)


def test_requests_are_measured_and_logged_without_what_they_contain(
    local_app: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    with raw_server(respond_with(b"", "500 Oops")) as server, suppress(Unavailable):
        http_client.post_form(f"{server.url}/?code=hidden", {"code": "hidden"}, service="measured")

    registry = local_app.extensions["userapi-metrics"].registry
    labels = {"service": "measured", "outcome": "unavailable"}
    assert registry.get_sample_value("userapi_outbound_request_duration_seconds_count", labels) == 1
    assert "service unavailable" in caplog.text
    assert "hidden" not in caplog.text


def test_starting_the_service_does_not_load_the_library_for_requests() -> None:
    loaded = "import sys; from userapi import app; print(*{'requests', 'urllib3'} & {*sys.modules})"
    ran = subprocess.run(
        [sys.executable, "-c", loaded], cwd=config.ROOT, capture_output=True, text=True, check=True, timeout=60
    )

    assert ran.stdout.strip() == ""


@pytest.mark.parametrize(
    ("value", "expected"),
    [("", ()), ("Keycloak.internal., 10.1.0.0/16,fd00::1", ("keycloak.internal", "10.1.0.0/16", "fd00::1/128"))],
)
def test_private_hosts_are_names_addresses_and_ranges(
    make_app: Callable[..., Flask], value: str, expected: tuple[str, ...]
) -> None:
    assert tuple(make_app(OUTBOUND_PRIVATE_HOSTS=value).config["OUTBOUND_PRIVATE_HOSTS"]) == expected
