"""Throttles stop password guesses, not owners, and do not reveal who has an account."""

from functools import partial

import pytest
import sqlalchemy as sa
from flask import Flask

from tests.support.comparable_responses import comparable
from tests.support.factories import make_account
from tests.support.race import run_simultaneously
from tests.support.sign_in_attempts import (
    AWAY_IP,
    HOME_IP,
    LOGIN_PATH,
    TOKEN_PATH,
    MakeApp,
    StoppedClock,
    client_from_ip,
    guess_passwords,
    sign_in_from_ip,
    stop_clock,
)
from userapi.core.db import db


@pytest.fixture
def app(make_app: MakeApp) -> Flask:
    """An application with the default throttles."""
    return make_app(RATELIMIT_ENABLED="true")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> StoppedClock:
    return stop_clock(monkeypatch)


def test_D01_guesses_from_one_ip_address_are_throttled_even_with_the_right_password(app: Flask) -> None:
    email = make_account(app)
    assert sign_in_from_ip(app, AWAY_IP, email).status_code == 200

    statuses = guess_passwords(app, AWAY_IP, email, times=12)

    assert statuses == [401] * 10 + [429] * 2
    assert sign_in_from_ip(app, AWAY_IP, email).status_code == 429


def test_D02_the_owner_can_sign_in_from_elsewhere(app: Flask) -> None:
    email = make_account(app)

    assert guess_passwords(app, AWAY_IP, email, times=100)[-1] == 429

    assert sign_in_from_ip(app, HOME_IP, email).status_code == 200


def test_D03_guesses_from_many_ip_addresses_are_throttled_but_a_known_device_signs_in(app: Flask) -> None:
    email = make_account(app)
    assert sign_in_from_ip(app, HOME_IP, email).status_code == 200

    statuses = [guess_passwords(app, f"203.0.113.{number}", email)[0] for number in range(60)]

    assert statuses == [401] * 50 + [429] * 10
    assert sign_in_from_ip(app, AWAY_IP, email).status_code == 429
    assert sign_in_from_ip(app, HOME_IP, email).status_code == 200


def test_D03_a_device_is_known_by_its_network_and_its_guesses_are_throttled(make_app: MakeApp) -> None:
    app = make_app(
        RATELIMIT_ENABLED="true", RATELIMIT_SIGN_IN_ACCOUNT="2 per hour", RATELIMIT_SIGN_IN_PAIR="5 per hour"
    )
    email = make_account(app)
    assert sign_in_from_ip(app, "2001:db8:1:1::1", email).status_code == 200
    assert [guess_passwords(app, f"203.0.113.{number}", email)[0] for number in range(3)] == [401, 401, 429]

    assert sign_in_from_ip(app, "2001:db8:1:1:ffff::2", email).status_code == 200
    assert sign_in_from_ip(app, "2001:db8:1:2::1", email).status_code == 429
    assert guess_passwords(app, "2001:db8:1:1::3", email, times=6) == [401] * 5 + [429]


def test_D04_parallel_guesses_do_not_beat_the_counter(app: Flask) -> None:
    email = make_account(app)
    guesses = [partial(sign_in_from_ip, app, AWAY_IP, email, f"wrong {number}") for number in range(40)]

    statuses = [response.status_code for response in run_simultaneously(guesses)]

    assert 1 <= statuses.count(401) <= 10
    assert statuses.count(401) + statuses.count(429) == 40


@pytest.mark.parametrize("header", ["X-Forwarded-For", "X-Real-IP", "Forwarded", "True-Client-IP", "CF-Connecting-IP"])
def test_D05_no_header_changes_the_ip_address_of_a_client(app: Flask, header: str) -> None:
    email = make_account(app)

    statuses = [
        client_from_ip(app, AWAY_IP)
        .post(TOKEN_PATH, json={"email": email, "password": "wrong"}, headers={header: f"198.51.100.{number}"})
        .status_code
        for number in range(11)
    ]

    assert statuses == [401] * 10 + [429]


def test_D05_only_headers_from_the_trusted_proxy_are_used(make_app: MakeApp) -> None:
    app = make_app(RATELIMIT_ENABLED="true", TRUSTED_PROXIES="1")
    email = make_account(app)

    def attempt(forwarded: str) -> int:
        body = {"email": email, "password": "wrong"}
        return app.test_client().post(TOKEN_PATH, json=body, headers={"X-Forwarded-For": forwarded}).status_code

    assert [attempt(f"198.51.100.{number}, {AWAY_IP}") for number in range(11)] == [401] * 10 + [429]
    assert attempt(f"{AWAY_IP}, {HOME_IP}") == 401


def test_D05_ip_addresses_in_one_ipv6_network_count_together(app: Flask) -> None:
    email = make_account(app)

    statuses = [guess_passwords(app, f"2001:db8:0:1::{number}", email)[0] for number in range(1, 12)]

    assert statuses == [401] * 10 + [429]
    assert guess_passwords(app, "2001:db8:0:2::1", email) == [401]


def test_D05_an_ipv4_address_counts_once_however_it_is_written(app: Flask) -> None:
    email = make_account(app)

    assert (
        guess_passwords(app, "::ffff:203.0.113.9", email, times=5) + guess_passwords(app, "203.0.113.9", email, times=5)
        == [401] * 10
    )

    assert guess_passwords(app, "203.0.113.9", email) == guess_passwords(app, "::ffff:203.0.113.9", email) == [429]
    assert guess_passwords(app, "::ffff:203.0.113.10", email) == [401]


def test_D06_a_success_between_guesses_does_not_reset_the_count(make_app: MakeApp) -> None:
    app = make_app(RATELIMIT_ENABLED="true", RATELIMIT_SIGN_IN_IP="5 per hour")
    own, other = make_account(app), make_account(app)
    statuses = []
    for _ in range(5):
        statuses += guess_passwords(app, AWAY_IP, other)
        statuses.append(sign_in_from_ip(app, AWAY_IP, own).status_code)

    assert statuses[:-1] == [401, 200] * 4 + [401]
    assert statuses[-1] == 429
    assert guess_passwords(app, AWAY_IP, other) == [429]


def test_D06_successful_sign_ins_are_not_throttled(app: Flask) -> None:
    email = make_account(app)

    assert {sign_in_from_ip(app, HOME_IP, email).status_code for _ in range(120)} == {200}


def test_D06_parallel_rejected_sign_ins_do_not_block_later_ones(make_app: MakeApp) -> None:
    app = make_app(RATELIMIT_ENABLED="true", RATELIMIT_SIGN_IN_PAIR="2 per hour", PASSWORD_HASH_CONCURRENCY="1")
    email = make_account(app)

    statuses = {
        response.status_code for response in run_simultaneously([lambda: sign_in_from_ip(app, HOME_IP, email)] * 12)
    }

    assert statuses <= {200, 429}
    assert [sign_in_from_ip(app, HOME_IP, email).status_code for _ in range(5)] == [200] * 5


def test_L03_all_paths_share_one_count(app: Flask) -> None:
    email = make_account(app)

    assert (
        guess_passwords(app, AWAY_IP, email, times=5)
        == guess_passwords(app, AWAY_IP, email, times=5, path=LOGIN_PATH)
        == [401] * 5
    )

    assert [
        guess_passwords(app, AWAY_IP, email, path=path)[0] for path in (TOKEN_PATH, LOGIN_PATH, f"/userapi{TOKEN_PATH}")
    ] == [429] * 3


def test_L13_all_spellings_of_an_email_share_one_count(app: Flask) -> None:
    email = make_account(app)
    spellings = (email, email.upper(), f" {email} ", email.replace("example.com", "EXAMPLE.com"))

    assert [guess_passwords(app, AWAY_IP, spellings[number % 4])[0] for number in range(11)] == [401] * 10 + [429]
    by_username = client_from_ip(app, AWAY_IP).post(TOKEN_PATH, json={"username": email, "password": "wrong"})
    assert by_username.status_code == 429


@pytest.mark.parametrize("name", ["SIGN_IN_PAIR", "SIGN_IN_ACCOUNT", "SIGN_IN_ADDRESS"])
def test_G04_a_throttle_does_not_reveal_whether_an_account_exists(
    make_app: MakeApp, clock: StoppedClock, name: str
) -> None:
    app = make_app(**{"RATELIMIT_ENABLED": "true", f"RATELIMIT_{name}": "3 per hour"})
    responses = []
    inactive = make_account(app)
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(sa.text("UPDATE users SET is_active = false WHERE email = :email"), {"email": inactive})
    for number, email in enumerate((make_account(app), "unknown@example.com", inactive, "no address")):
        responses.append([comparable(sign_in_from_ip(app, f"203.0.113.{number}", email, "wrong")) for _ in range(4)])

    assert [status for status, _body, _headers in responses[0]] == [401, 401, 401, 429]
    assert responses == [responses[0]] * 4


def test_D10_the_response_is_a_problem_with_consistent_headers(app: Flask, clock: StoppedClock) -> None:
    email = make_account(app)
    guess_passwords(app, AWAY_IP, email, times=10)

    response = sign_in_from_ip(app, AWAY_IP, email)

    assert response.headers["Retry-After"] == "1200"
    assert response.mimetype == "application/problem+json"
    assert response.get_json() == {
        "type": "about:blank",
        "title": "Too many requests",
        "status": 429,
        "code": "rate_limited",
        "detail": "Too many attempts. Try again in 20 minutes.",
    }
    assert response.headers["RateLimit-Policy"] == '"sign-in-pair";q=10;w=1200'
    assert response.headers["RateLimit"] == '"sign-in-pair";r=0;t=1200'
    assert email not in str(response.headers) + response.text


def test_D10_sign_in_works_again_after_the_time_in_retry_after(app: Flask, clock: StoppedClock) -> None:
    email = make_account(app)
    guess_passwords(app, AWAY_IP, email, times=10)
    clock.now += 100
    rejected = sign_in_from_ip(app, AWAY_IP, email)
    assert rejected.status_code == 429

    clock.now += int(rejected.headers["Retry-After"]) - 1
    assert sign_in_from_ip(app, AWAY_IP, email).status_code == 429
    clock.now += 1
    assert sign_in_from_ip(app, AWAY_IP, email).status_code == 200
