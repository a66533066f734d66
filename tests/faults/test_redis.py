"""Redis: counts shared by processes, and how the service works when Redis stops, hangs or loses its data."""

import os
import signal
import time
from collections.abc import Callable, Iterator

import pytest
import redis
from flask import Flask
from werkzeug.test import TestResponse

from tests.support import servers
from tests.support.api_client import sign_in
from tests.support.factories import PASSWORD, make_user, new_user
from userapi.security import redis_counters

AWAY = "203.0.113.50"

MakeApp = Callable[..., Flask]


@pytest.fixture(scope="module")
def shared_redis() -> Iterator[str]:
    """The URL of a Redis that is not stopped."""
    with servers.redis_server() as url:
        yield url


@pytest.fixture
def redis_url(shared_redis: str) -> str:
    """The URL of an empty Redis."""
    redis.Redis.from_url(shared_redis).flushall()
    return shared_redis


@pytest.fixture
def make_process(make_app: MakeApp) -> Callable[[str], Flask]:
    """Makes applications that count in a Redis; each stands for a process."""
    return lambda url: make_app(RATELIMIT_ENABLED="true", REDIS_URL=url, RATELIMIT_SIGN_IN_PAIR="6 per hour")


def account(app: Flask) -> str:
    email = str(new_user()["email"])
    make_user(app, email=email)
    return email


def sign_in_from(app: Flask, email: str, password: str = PASSWORD, address: str = AWAY) -> TestResponse:
    client = app.test_client()
    client.environ_base["REMOTE_ADDR"] = address
    return client.post("/api-token-auth/", json={"email": email, "password": password})


def guess(app: Flask, email: str, times: int = 1) -> list[int]:
    return [sign_in_from(app, email, f"wrong {number}").status_code for number in range(times)]


def test_D09_processes_share_counts_and_a_new_one_continues_from_them(
    make_process: Callable[[str], Flask], redis_url: str
) -> None:
    one, two = make_process(redis_url), make_process(redis_url)
    email = account(one)

    assert guess(one, email, times=3) + guess(two, email, times=4) == [401] * 6 + [429]

    assert guess(one, email) == [429]
    rejected = sign_in_from(make_process(redis_url), email)
    assert rejected.status_code == 429
    assert 3590 <= int(rejected.headers["Retry-After"]) <= 3600


def test_D09_a_successful_sign_in_is_uncounted_in_all_processes(
    make_process: Callable[[str], Flask], redis_url: str
) -> None:
    one, two = make_process(redis_url), make_process(redis_url)
    email = account(one)

    assert [sign_in_from(app, email).status_code for app in (one, two) * 8] == [200] * 16

    assert guess(one, email, times=3) + guess(two, email, times=4) == [401] * 6 + [429]


def test_D10_redis_contains_no_readable_emails(make_process: Callable[[str], Flask], redis_url: str) -> None:
    app = make_process(redis_url)
    email = account(app)
    guess(app, email)

    found = redis.Redis.from_url(redis_url).keys()

    assert len(found) == 3
    assert not any(email.encode() in key or AWAY.encode() in key for key in found)
    assert all(0 < redis.Redis.from_url(redis_url).ttl(key) <= 3600 for key in found)


def test_X06_without_redis_each_process_uses_its_own_counts_until_it_is_back(
    make_process: Callable[[str], Flask], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(redis_counters, "REDIS_COOLDOWN", 0.1)
    with servers.redis_server() as url:
        app = make_process(url)
        email, other = account(app), account(app)
        assert guess(app, email, times=4) == [401] * 4

    assert guess(app, email, times=4) == [401, 401, 429, 429]
    assert sign_in_from(app, email).status_code == 429
    assert sign_in_from(app, other).status_code == 200
    assert guess(make_process(url), email, times=7) == [401] * 6 + [429]
    assert "redis unavailable" in capsys.readouterr().err

    with servers.redis_server(int(url.rpartition(":")[2].partition("/")[0])):
        time.sleep(0.2)
        assert guess(app, email, times=7) == [401] * 6 + [429]
        assert "redis available again" in capsys.readouterr().err
        assert guess(make_process(url), email) == [429]


def test_X06_a_hanging_redis_delays_only_an_occasional_request(
    make_process: Callable[[str], Flask], redis_url: str
) -> None:
    app = make_process(redis_url)
    email = account(app)
    assert sign_in_from(app, email).status_code == 200
    process = int(redis.Redis.from_url(redis_url).info("server")["process_id"])

    os.kill(process, signal.SIGSTOP)
    try:
        started = time.monotonic()
        statuses = guess(app, email, times=7)
        took = time.monotonic() - started
    finally:
        os.kill(process, signal.SIGCONT)

    assert statuses == [401] * 6 + [429]
    assert took < 2


def test_X06_attempts_are_counted_even_with_a_wrong_redis_password(
    make_process: Callable[[str], Flask], redis_url: str
) -> None:
    app = make_process(redis_url.replace("redis://", "redis://:wrong@"))

    assert guess(app, account(app), times=7) == [401] * 6 + [429]


def test_X06_X07_revoked_sessions_stay_revoked_when_redis_loses_its_data_or_is_down(
    make_process: Callable[[str], Flask],
) -> None:
    with servers.redis_server() as url:
        app = make_process(url)
        email = account(app)
        ended, rotated, active = sign_in(app, email), sign_in(app, email), sign_in(app, email)
        client = app.test_client()

        def uses(tokens: dict[str, str]) -> int:
            headers = {"Authorization": f"Bearer {tokens['access_token']}"}
            return client.get("/userapi/auth/user/", headers=headers).status_code

        def refreshes(tokens: dict[str, str]) -> int:
            return client.post("/api-token-refresh/", json={"refresh_token": tokens["refresh_token"]}).status_code

        assert uses(ended) == 200
        assert client.post("/userapi/auth/logout/", json={"refresh_token": ended["refresh_token"]}).status_code == 200
        successor = client.post("/api-token-refresh/", json={"refresh_token": rotated["refresh_token"]}).get_json()
        assert refreshes(successor) == 200

        redis.Redis.from_url(url).flushall()
        assert (uses(ended), refreshes(ended)) == (401, 401)
        assert refreshes(rotated) == 401

    assert (uses(ended), refreshes(ended)) == (401, 401)
    assert (refreshes(rotated), refreshes(successor)) == (401, 401)
    assert (uses(active), refreshes(active)) == (200, 200)
