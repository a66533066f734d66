"""Proxy headers: only those of the trusted proxy count."""

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.support import commands, http_server
from tests.support.factories import PASSWORD, make_user, new_user

TOKENS = "/api-token-auth/"
SESSIONS = "/userapi/auth/sessions/"

MakeApp = Callable[..., Flask]

#: Values of X-Forwarded-For as proxies write them, and the IP address in them; None if there is none.
FORWARDED = {
    "203.0.113.5": "203.0.113.5",
    "203.0.113.5:50001": "203.0.113.5",
    "2001:db8:85a3:8d3:1319:8a2e:370:7348": "2001:db8:85a3:8d3:1319:8a2e:370:7348",
    "[2001:0db8:85a3:08d3:1319:8a2e:0370:7348]:51234": "2001:db8:85a3:8d3:1319:8a2e:370:7348",
    "[2001:db8::1]": "2001:db8::1",
    '"[2001:db8::1]:443"': "2001:db8::1",
    "fe80::1%a-very-long-name-of-an-interface-beyond-any-column": "fe80::1",
    "::ffff:203.0.113.5": "203.0.113.5",
    "[::ffff:203.0.113.5]:9": "203.0.113.5",
    "6.6.6.6, 203.0.113.5:1": "203.0.113.5",
    '"6.6.6.6, 203.0.113.5': "203.0.113.5",
    "unknown": None,
    "_hidden": None,
    "203.0.113.5:1:2": None,
    "[203.0.113.5": "203.0.113.5",
    "]:[": None,
    "": None,
    ",": None,
    "9" * 5000: None,
    "1" * 46: None,
}


def last_ip_address(client: FlaskClient, tokens: dict[str, str]) -> str:
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    found: list[dict[str, str]] = client.get(SESSIONS, headers=headers).get_json()["results"]
    return found[0]["address"]


@pytest.mark.parametrize("value", FORWARDED, ids=lambda value: value[:50] or "empty")
def test_the_ip_address_of_a_client_is_parsed_however_a_proxy_writes_it(make_app: MakeApp, value: str) -> None:
    app = make_app(TRUSTED_PROXIES="1")
    wanted = new_user()
    make_user(app, **wanted)
    client = app.test_client()
    headers = {"X-Forwarded-For": value}

    signed_in = client.post(TOKENS, json={"email": wanted["email"], "password": PASSWORD}, headers=headers)
    registered = client.post("/userapi/users/", json=new_user(), headers=headers)
    reset = client.post("/userapi/auth/password/reset/", json={"email": wanted["email"]}, headers=headers)

    assert (signed_in.status_code, registered.status_code, reset.status_code) == (200, 201, 200)
    assert last_ip_address(client, signed_in.get_json()) == (FORWARDED[value] or "127.0.0.1")


def test_a_client_counts_as_one_whatever_its_port(make_app: MakeApp) -> None:
    app = make_app(RATELIMIT_ENABLED="true", RATELIMIT_SIGN_IN_IP="5 per 10 minutes", TRUSTED_PROXIES="1")

    def attempt(forwarded: str) -> int:
        body = {"email": "no-account@example.com", "password": "no"}
        return app.test_client().post(TOKENS, json=body, headers={"X-Forwarded-For": forwarded}).status_code

    assert [attempt(f"203.0.113.5:5000{number}") for number in range(6)] == [401] * 5 + [429]
    assert attempt("198.51.100.7:40001") == 401


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[http_server.Server]:
    """The real server with one trusted proxy."""
    folder: Path = tmp_path_factory.mktemp("proxied")
    environment = commands.environment(f"sqlite:///{folder}/proxied.db", folder, TRUSTED_PROXIES="1")
    with http_server.run_server(folder, environment) as server:
        yield server


@pytest.fixture
def send(proxied: http_server.Server) -> Callable[..., tuple[bytes, bytes]]:
    """Send a request with exactly these header lines; returns head and body of the response."""
    host, port = proxied.url.removeprefix("http://").split(":")

    def sent(line: str, *headers: str, body: str = "") -> tuple[bytes, bytes]:
        head = "".join(f"{header}\r\n" for header in headers)
        request = f"{line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(body)}\r\n{head}\r\n{body}"
        with socket.create_connection((host, int(port)), timeout=30) as connection:
            connection.sendall(request.encode())
            response = b"".join(iter(lambda: connection.recv(65536), b""))
        head_of_answer, _blank, content = response.partition(b"\r\n\r\n")
        return head_of_answer, content

    return sent


def throttled_ip_address(proxied: http_server.Server, send: Callable[..., tuple[bytes, bytes]], *headers: str) -> str:
    """The IP address for which a sign-in with these header lines counts."""
    body = json.dumps({"email": proxied.email, "password": proxied.password})
    _head, content = send(f"POST {TOKENS}", "Content-Type: application/json", *headers, body=body)
    token = json.loads(content)["access_token"]
    _head, content = send(f"GET {SESSIONS}", f"Authorization: Bearer {token}")
    address: str = next(session["address"] for session in json.loads(content)["results"] if session["current"])
    return address


PROXY = "X-Forwarded-For: 203.0.113.5"
FORGED = "6.6.6.6"


@pytest.mark.parametrize("name", ["X_Forwarded_For", "x_forwarded_for", "X-Forwarded_For", "X_FORWARDED-FOR"])
def test_a_header_name_with_underscores_is_not_one_with_hyphens(
    proxied: http_server.Server, send: Callable[..., tuple[bytes, bytes]], name: str
) -> None:
    forged = f"{name}: {FORGED}"

    assert (
        throttled_ip_address(proxied, send, PROXY, forged)
        == throttled_ip_address(proxied, send, forged, PROXY)
        == "203.0.113.5"
    )
    assert throttled_ip_address(proxied, send, forged) == "127.0.0.1"


def test_the_last_value_of_repeated_lines_is_that_of_the_proxy(
    proxied: http_server.Server, send: Callable[..., tuple[bytes, bytes]]
) -> None:
    assert throttled_ip_address(proxied, send, f"X-Forwarded-For: {FORGED}", PROXY) == "203.0.113.5"
    assert throttled_ip_address(proxied, send, f"X-Forwarded-For: {FORGED}, 7.7.7.7", PROXY) == "203.0.113.5"


#: A header, its lines, and the part of the response head that shows that they count.
HEADERS = {
    "a language": ("/login/", ("Accept-Language: de",), b"content-language: de"),
    "an id": ("/healthz", ("X-Request-ID: mine-12345678",), b"x-request-id: mine-12345678"),
    "two media types": ("/userapi/", ("Accept: application/xml", "Accept: application/json"), b" 200 "),
    "two media types, turned": ("/userapi/", ("Accept: application/json", "Accept: application/xml"), b" 200 "),
    "two cookies": ("/login/", ("Cookie: a=b", "Cookie: language=de"), b"content-language: de"),
}


@pytest.mark.parametrize("kind", HEADERS)
def test_headers_are_read_by_exact_name_and_with_all_their_lines(
    send: Callable[..., tuple[bytes, bytes]], kind: str
) -> None:
    path, lines, shown = HEADERS[kind]

    assert shown in send(f"GET {path}", *lines)[0].lower()
    if "-" in lines[0].partition(":")[0]:
        assert shown not in send(f"GET {path}", *(line.replace("-", "_", 1) for line in lines))[0].lower()


def test_two_tokens_or_two_request_ids_are_ambiguous_and_ignored(
    proxied: http_server.Server, send: Callable[..., tuple[bytes, bytes]]
) -> None:
    body = json.dumps({"email": proxied.email, "password": proxied.password})
    _head, content = send(f"POST {TOKENS}", "Content-Type: application/json", body=body)
    token = f"Authorization: Bearer {json.loads(content)['access_token']}"

    assert b" 200 " in send("GET /userapi/auth/user/", token)[0]
    for lines in ((token, "Authorization: Bearer x.y.z"), ("Authorization: Bearer x.y.z", token)):
        assert b" 401 " in send("GET /userapi/auth/user/", *lines)[0]
    assert b"x-request-id: one" not in send("GET /healthz", "X-Request-ID: one", "X-Request-ID: two")[0].lower()
