"""Sign-ins from several IP addresses, with wrong passwords, and with a stopped clock."""

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.support.factories import PASSWORD
from userapi.security import throttling

HOME_IP, AWAY_IP = "198.51.100.7", "203.0.113.50"
TOKEN_PATH, LOGIN_PATH = "/api-token-auth/", "/userapi/auth/login/"

MakeApp = Callable[..., Flask]


def client_from_ip(app: Flask, ip_address: str) -> FlaskClient:
    client = app.test_client()
    client.environ_base["REMOTE_ADDR"] = ip_address
    return client


def sign_in_from_ip(
    app: Flask, ip_address: str, email: str, password: str = PASSWORD, path: str = TOKEN_PATH
) -> TestResponse:
    return client_from_ip(app, ip_address).post(path, json={"email": email, "password": password})


def guess_passwords(app: Flask, ip_address: str, email: str, times: int = 1, path: str = TOKEN_PATH) -> list[int]:
    """Try this many wrong passwords. Returns the statuses."""
    return [sign_in_from_ip(app, ip_address, email, f"wrong {number}", path).status_code for number in range(times)]


class StoppedClock:
    """The clock of the throttles, in seconds; it moves when a test changes `now`."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now


def stop_clock(monkeypatch: pytest.MonkeyPatch) -> StoppedClock:
    """Stop the clock of the throttles: `clock.now += 60`."""
    clock = StoppedClock()
    monkeypatch.setattr(throttling, "time", clock)
    return clock
