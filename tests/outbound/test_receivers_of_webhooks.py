"""Requests to receivers of webhooks go to public hosts alone, or into the networks that a setting allows."""

import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask

from tests.support.raw_server import raw_server, respond_with
from userapi.core.environment import ConfigurationError
from userapi.outbound import webhook_requests
from userapi.outbound.webhook_requests import Error, NotAllowed

#: IP addresses that no request may be sent to, in the spellings that a resolver accepts.
NOT_PUBLIC = [
    "127.0.0.1", "127.1", "0x7f.1", "0177.0.0.1", "2130706433", "0.0.0.0", "0", "10.0.0.1", "172.16.0.1",
    "192.168.1.1", "169.254.169.254", "100.64.0.1", "100.100.100.200", "192.0.0.192", "192.88.99.1", "198.18.0.1",
    "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::1",
    "2002:7f00:1::", "2001::1", "2001:db8::1", "3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fec0::1",
    "ff02::1",
]  # fmt: skip

PUBLIC = ["93.184.216.34", "2606:4700:4700::1111"]


@pytest.fixture(autouse=True)
def _app_context(app: Flask) -> Iterator[None]:
    with app.app_context():
        yield


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that sets what the names below example.com resolve to, one list for each request."""
    look_up, answers = socket.getaddrinfo, list[list[str]]()

    def stub(host: str, port: int, *more: Any, **options: Any) -> Any:
        if not host.endswith(".example.com") or options.get("flags"):
            return look_up(host, port, *more, **options)
        addresses = answers.pop(0) if len(answers) > 1 else answers[0]
        return [answer for address in addresses for answer in look_up(address, port, *more, **options)]

    def set_answers(*lists: list[str]) -> None:
        answers[:] = lists

    monkeypatch.setattr(socket, "getaddrinfo", stub)
    return set_answers


def reason_of(url: str) -> str | None:
    """Why a URL is rejected when it is entered."""
    try:
        webhook_requests.check_url(url)
    except NotAllowed as error:
        return error.reason
    return None


def post(url: str) -> webhook_requests.Result:
    return webhook_requests.post(url, b"{}", {})


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_W40_private_ip_addresses_are_rejected_at_entry_and_at_each_request(
    resolver: Callable[..., None], address: str
) -> None:
    literal = f"https://[{address}]/" if ":" in address else f"https://{address}/"
    resolver([address])

    assert reason_of(literal) == Error.PRIVATE_IP_ADDRESS
    assert post(literal).error is Error.PRIVATE_IP_ADDRESS
    assert reason_of("https://hook.example.com/") == Error.PRIVATE_IP_ADDRESS
    assert post("https://hook.example.com/").error is Error.PRIVATE_IP_ADDRESS


@pytest.mark.parametrize("address", PUBLIC)
def test_public_ip_addresses_are_reached_by_name_alone(resolver: Callable[..., None], address: str) -> None:
    resolver([address])

    assert reason_of("https://hook.example.com/") is None
    assert reason_of(f"https://[{address}]/" if ":" in address else f"https://{address}/") == Error.IP_ADDRESS_IN_URL


def test_W41_a_name_that_becomes_private_after_its_entry_gets_no_connection(
    app: Flask, resolver: Callable[..., None]
) -> None:
    with raw_server(respond_with(b"")) as server:
        url = f"https://hook.example.com:{server.port}/"
        resolver(PUBLIC, ["127.0.0.1"])
        app.config["WEBHOOK_PORTS"] = [server.port]
        assert reason_of(url) is None
        assert post(url).error is Error.PRIVATE_IP_ADDRESS

    assert server.requests == []


def test_W41_a_name_is_resolved_once_for_a_request(app: Flask, resolver: Callable[..., None]) -> None:
    app.config["WEBHOOK_ALLOWED_NETWORKS"] = ("127.0.0.2/32",)
    with raw_server(respond_with(b""), "127.0.0.2") as server:
        resolver(["127.0.0.2"], ["127.0.0.1"])
        assert post(f"http://hook.example.com:{server.port}/").status == 200

    assert f"Host: hook.example.com:{server.port}".encode() in server.requests[0]


@pytest.mark.parametrize("addresses", [[*PUBLIC, "10.0.0.1"], ["127.0.0.1", "93.184.216.34"], ["93.184.216.34", "::1"]])
def test_W41_a_name_with_one_private_ip_address_is_rejected(
    resolver: Callable[..., None], addresses: list[str]
) -> None:
    resolver(addresses)

    assert reason_of("https://hook.example.com/") == Error.PRIVATE_IP_ADDRESS
    assert post("https://hook.example.com/").error is Error.PRIVATE_IP_ADDRESS


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("https://hook.example.com/path?x=1&to=@me", None),
        ("https://hook.example.com:8443/", None),
        ("https://not-yet-there.invalid/", None),
        ("http://hook.example.com/", Error.HTTPS_REQUIRED),
        ("http://not-yet-there.invalid/", Error.HTTPS_REQUIRED),
        ("https://hook.example.com:22/", Error.PORT_NOT_ALLOWED),
        ("https://hook.example.com:0/", Error.INVALID_URL),
        ("https://hook.example.com:99999/", Error.INVALID_URL),
        ("https://someone:secret@hook.example.com/", Error.INVALID_URL),
        ("https://hook.example.com/#part", Error.INVALID_URL),
        ("https://hook.example.com\\@127.0.0.1/", Error.INVALID_URL),
        ("https://hook.example.com/a b", Error.INVALID_URL),
        ("https://hook.example.com/\r\nX: y", Error.INVALID_URL),
        ("https://ex\u00e4mple.com/", Error.INVALID_URL),
        ("https://\uff11\uff12\uff17.1/", Error.INVALID_URL),
        ("https://%31%32%37.0.0.1/", Error.INVALID_URL),
        ("https://[::1", Error.INVALID_URL),
        ("https:///path", Error.INVALID_URL),
        ("ftp://hook.example.com/", Error.INVALID_URL),
        ("file:///etc/passwd", Error.INVALID_URL),
        ("https://hook.example.com/" + "a" * 2000, Error.INVALID_URL),
    ],
)
def test_a_url_is_public_https_on_an_allowed_port(resolver: Callable[..., None], url: str, reason: str | None) -> None:
    resolver(PUBLIC)

    assert reason_of(url) == reason
    if reason:
        assert post(url).error in (reason, Error.NAME_NOT_RESOLVED)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://10.1.2.3:5000/", None),
        ("http://hook.example.com:5000/", None),
        ("http://not-yet-there.invalid/", None),
        ("https://10.2.0.1/", Error.PRIVATE_IP_ADDRESS),
        ("http://someone@10.1.2.3/", Error.INVALID_URL),
    ],
)
def test_inside_the_allowed_networks_http_any_port_and_ip_addresses_are_allowed(
    app: Flask, resolver: Callable[..., None], url: str, reason: str | None
) -> None:
    app.config["WEBHOOK_ALLOWED_NETWORKS"] = ("10.1.0.0/16",)
    resolver(["10.1.0.1"])

    assert reason_of(url) == reason


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("WEBHOOK_ALLOWED_NETWORKS", "10.1.0.0/16, fd00::1", ("10.1.0.0/16", "fd00::1/128")),
        ("WEBHOOK_ALLOWED_NETWORKS", "10.1.0.1/16", None),
        ("WEBHOOK_ALLOWED_NETWORKS", "internal.example.com", None),
        ("WEBHOOK_PORTS", "443,9443", [443, 9443]),
        ("WEBHOOK_PORTS", "0", None),
    ],
)
def test_the_settings_are_networks_and_ports(
    make_app: Callable[..., Flask], name: str, value: str, expected: object
) -> None:
    if expected is None:
        with pytest.raises(ConfigurationError, match=f"^{name}: "):
            make_app(**{name: value})
    else:
        assert make_app(**{name: value}).config[name] == expected
