"""Requests to other services reach only servers with a valid certificate for the host of the URL."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from tests.support.certificates import over_tls, write_certificate
from tests.support.raw_server import raw_server, respond_with
from userapi.outbound import guarded_session, http_client
from userapi.outbound.limits import Unavailable

HOST = "login.internal"


@pytest.fixture(autouse=True)
def _forget_authorities() -> Iterator[None]:
    guarded_session.load_authorities.cache_clear()
    yield
    guarded_session.load_authorities.cache_clear()


@pytest.mark.parametrize(
    ("certified", "trusted", "is_valid"),
    [
        pytest.param(HOST, True, True, id="an authority of our own"),
        pytest.param(HOST, False, False, id="an unknown authority"),
        pytest.param("other.internal", True, False, id="for another host at the same IP address"),
    ],
)
def test_only_a_valid_certificate_for_the_host_is_accepted(
    app: Flask, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, certified: str, trusted: bool, is_valid: bool
) -> None:
    look_up = socket.getaddrinfo
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda host, *more, **options: look_up("127.0.0.1" if host == HOST else host, *more, **options),
    )
    certificate = write_certificate(tmp_path, certified)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    app.config["OUTBOUND_PRIVATE_HOSTS"] = (HOST,)

    with raw_server(over_tls(certificate, respond_with(b'{"ok": true}')), reads=False) as server, app.app_context():
        url = f"https://{HOST}:{server.port}/"
        if is_valid:
            assert http_client.get(url, service="internal").json() == {"ok": True}
        else:
            with pytest.raises(Unavailable, match="SSLError"):
                http_client.get(url, service="internal")
