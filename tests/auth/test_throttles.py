"""How often something may be tried: guesses are stopped, owners are not, and nobody learns who has an account."""

import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
import sqlalchemy as sa
from conftest import sign_in
from factories import PASSWORD, make_user, new_user
from flask import Flask
from flask.testing import FlaskClient
from inbox import letters_to
from settings import settings
from werkzeug.test import TestResponse

import config
from userapi.core.db import db

HOME, AWAY = "198.51.100.7", "203.0.113.50"
TOKENS, LOGIN = "/api-token-auth/", "/userapi/auth/login/"
NEW = "brittle harbour lantern 42"

MakeApp = Callable[..., Flask]


@pytest.fixture
def app(make_app: MakeApp) -> Flask:
    """The application as it is out of the box: throttled."""
    return make_app(RATELIMIT_ENABLED="true")


def client_at(app: Flask, address: str) -> FlaskClient:
    client = app.test_client()
    client.environ_base["REMOTE_ADDR"] = address
    return client


def sign_in_at(app: Flask, address: str, email: str, password: str = PASSWORD, path: str = TOKENS) -> TestResponse:
    return client_at(app, address).post(path, json={"email": email, "password": password})


def guess(app: Flask, address: str, email: str, times: int = 1, path: str = TOKENS) -> list[int]:
    """The statuses of so many wrong passwords."""
    return [sign_in_at(app, address, email, f"wrong {number}", path).status_code for number in range(times)]


def account(app: Flask, **overrides: Any) -> str:
    """A new account's email."""
    email = str(new_user()["email"])
    make_user(app, email=email, **overrides)
    return email


def comparable(response: TestResponse) -> tuple[int, Any, dict[str, str]]:
    """An answer without what differs between any two."""
    headers = {name: value for name, value in response.headers if name not in ("Date", "X-Request-ID")}
    return response.status_code, response.get_json(), headers


def test_D01_guesses_from_one_address_are_stopped_and_then_the_right_password_too(app: Flask) -> None:
    email = account(app)
    assert sign_in_at(app, AWAY, email).status_code == 200

    statuses = guess(app, AWAY, email, times=12)

    assert statuses == [401] * 10 + [429] * 2
    assert sign_in_at(app, AWAY, email).status_code == 429


def test_D02_the_owner_elsewhere_is_not_locked_out(app: Flask) -> None:
    email = account(app)

    assert guess(app, AWAY, email, times=100)[-1] == 429

    assert sign_in_at(app, HOME, email).status_code == 200


def test_D03_guesses_from_many_addresses_are_capped_but_a_known_device_signs_in(app: Flask) -> None:
    email = account(app)
    assert sign_in_at(app, HOME, email).status_code == 200

    statuses = [guess(app, f"203.0.113.{number}", email)[0] for number in range(60)]

    assert statuses == [401] * 50 + [429] * 10
    assert sign_in_at(app, AWAY, email).status_code == 429
    assert sign_in_at(app, HOME, email).status_code == 200


def test_D03_a_device_is_known_by_its_network_and_its_guesses_stay_limited(make_app: MakeApp) -> None:
    app = make_app(
        RATELIMIT_ENABLED="true", RATELIMIT_SIGN_IN_ACCOUNT="2 per hour", RATELIMIT_SIGN_IN_PAIR="5 per hour"
    )
    email = account(app)
    assert sign_in_at(app, "2001:db8:1:1::1", email).status_code == 200
    assert [guess(app, f"203.0.113.{number}", email)[0] for number in range(3)] == [401, 401, 429]

    assert sign_in_at(app, "2001:db8:1:1:ffff::2", email).status_code == 200
    assert sign_in_at(app, "2001:db8:1:2::1", email).status_code == 429
    assert guess(app, "2001:db8:1:1::3", email, times=6) == [401] * 5 + [429]


def test_D04_parallel_guesses_do_not_beat_the_counter(app: Flask) -> None:
    email = account(app)
    barrier = Barrier(40)

    def attempt(number: int) -> int:
        barrier.wait()
        return sign_in_at(app, AWAY, email, f"wrong {number}").status_code

    with ThreadPoolExecutor(40) as pool:
        statuses = list(pool.map(attempt, range(40)))

    assert 1 <= statuses.count(401) <= 10
    assert statuses.count(401) + statuses.count(429) == 40


@pytest.mark.parametrize("header", ["X-Forwarded-For", "X-Real-IP", "Forwarded", "True-Client-IP", "CF-Connecting-IP"])
def test_D05_no_header_gives_a_client_another_address(app: Flask, header: str) -> None:
    email = account(app)

    statuses = [
        client_at(app, AWAY)
        .post(TOKENS, json={"email": email, "password": "wrong"}, headers={header: f"198.51.100.{number}"})
        .status_code
        for number in range(11)
    ]

    assert statuses == [401] * 10 + [429]


def test_D05_only_what_the_trusted_proxy_wrote_is_believed(make_app: MakeApp) -> None:
    app = make_app(RATELIMIT_ENABLED="true", TRUSTED_PROXIES="1")
    email = account(app)

    def attempt(forwarded: str) -> int:
        body = {"email": email, "password": "wrong"}
        return app.test_client().post(TOKENS, json=body, headers={"X-Forwarded-For": forwarded}).status_code

    assert [attempt(f"198.51.100.{number}, {AWAY}") for number in range(11)] == [401] * 10 + [429]
    assert attempt(f"{AWAY}, {HOME}") == 401


def test_D05_the_addresses_of_one_ipv6_network_count_together(app: Flask) -> None:
    email = account(app)

    statuses = [guess(app, f"2001:db8:0:1::{number}", email)[0] for number in range(1, 12)]

    assert statuses == [401] * 10 + [429]
    assert guess(app, "2001:db8:0:2::1", email) == [401]


def test_D05_an_ipv4_address_counts_for_itself_however_it_is_written(app: Flask) -> None:
    email = account(app)

    assert guess(app, "::ffff:203.0.113.9", email, times=5) + guess(app, "203.0.113.9", email, times=5) == [401] * 10

    assert guess(app, "203.0.113.9", email) == guess(app, "::ffff:203.0.113.9", email) == [429]
    assert guess(app, "::ffff:203.0.113.10", email) == [401]


def test_D06_a_success_between_the_guesses_does_not_clear_them(make_app: MakeApp) -> None:
    app = make_app(RATELIMIT_ENABLED="true", RATELIMIT_SIGN_IN_ADDRESS="5 per hour")
    own, other = account(app), account(app)
    statuses = []
    for _ in range(5):
        statuses += guess(app, AWAY, other)
        statuses.append(sign_in_at(app, AWAY, own).status_code)

    assert statuses[:-1] == [401, 200] * 4 + [401]
    assert statuses[-1] == 429
    assert guess(app, AWAY, other) == [429]


def test_D06_whoever_has_the_password_may_sign_in_as_often_as_they_like(app: Flask) -> None:
    email = account(app)

    assert {sign_in_at(app, HOME, email).status_code for _ in range(120)} == {200}


def test_D06_sign_ins_refused_at_once_do_not_keep_out_who_comes_after(make_app: MakeApp) -> None:
    app = make_app(RATELIMIT_ENABLED="true", RATELIMIT_SIGN_IN_PAIR="2 per hour", PASSWORD_HASH_CONCURRENCY="1")
    email = account(app)
    barrier = Barrier(12)

    def attempt(_number: int) -> int:
        barrier.wait()
        return sign_in_at(app, HOME, email).status_code

    with ThreadPoolExecutor(12) as pool:
        statuses = set(pool.map(attempt, range(12)))

    assert statuses <= {200, 429}
    assert [sign_in_at(app, HOME, email).status_code for _ in range(5)] == [200] * 5


def test_L03_every_door_counts_together(app: Flask) -> None:
    email = account(app)

    assert guess(app, AWAY, email, times=5) == guess(app, AWAY, email, times=5, path=LOGIN) == [401] * 5

    assert [guess(app, AWAY, email, path=path)[0] for path in (TOKENS, LOGIN, f"/userapi{TOKENS}")] == [429] * 3


def test_L13_every_spelling_of_an_address_counts_together(app: Flask) -> None:
    email = account(app)
    spellings = (email, email.upper(), f" {email} ", email.replace("example.com", "EXAMPLE.com"))

    assert [guess(app, AWAY, spellings[number % 4])[0] for number in range(11)] == [401] * 10 + [429]
    by_username = client_at(app, AWAY).post(TOKENS, json={"username": email, "password": "wrong"})
    assert by_username.status_code == 429


@pytest.mark.parametrize("name", ["SIGN_IN_PAIR", "SIGN_IN_ACCOUNT", "SIGN_IN_ADDRESS"])
def test_G04_a_throttle_does_not_tell_whether_there_is_an_account(make_app: MakeApp, name: str) -> None:
    app = make_app(**{"RATELIMIT_ENABLED": "true", f"RATELIMIT_{name}": "3 per hour"})
    answers = []
    inactive = account(app)
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(sa.text("UPDATE users SET is_active = false WHERE email = :email"), {"email": inactive})
    for number, email in enumerate((account(app), "nobody@example.com", inactive, "no address")):
        answers.append([comparable(sign_in_at(app, f"203.0.113.{number}", email, "wrong")) for _ in range(4)])

    assert [answer[0] for answer in answers[0]] == [401, 401, 401, 429]
    for others in answers[1:]:
        for ours, theirs in zip(answers[0], others, strict=True):
            assert _without_seconds(theirs) == _without_seconds(ours)


def _without_seconds(answer: Any) -> str:
    return re.sub(r"\b3(600|599|598|597)\b", "SECONDS", str(answer))


def test_D10_the_answer_is_a_problem_with_consistent_headers(app: Flask) -> None:
    email = account(app)
    guess(app, AWAY, email, times=10)

    response = sign_in_at(app, AWAY, email)

    seconds = int(response.headers["Retry-After"])
    assert 1190 <= seconds <= 1200
    assert response.mimetype == "application/problem+json"
    assert response.get_json() == {
        "type": "about:blank",
        "title": "Too many requests",
        "status": 429,
        "code": "rate_limited",
        "detail": f"Too many attempts. Try again in {seconds} seconds.",
    }
    assert response.headers["RateLimit-Policy"] == '"sign-in-pair";q=10;w=1200'
    assert response.headers["RateLimit"] == f'"sign-in-pair";r=0;t={seconds}'
    assert email not in str(response.headers) + response.text


def test_D10_after_the_time_it_names_it_is_open_again(make_app: MakeApp) -> None:
    app = make_app(RATELIMIT_ENABLED="true", RATELIMIT_SIGN_IN_PAIR="2 per second")
    email = account(app)
    answers = [sign_in_at(app, AWAY, email, "wrong") for _ in range(9)]
    refused = next(answer for answer in reversed(answers) if answer.status_code == 429)

    time.sleep(int(refused.headers["Retry-After"]))

    assert sign_in_at(app, AWAY, email).status_code == 200


Attempt = Callable[[Flask, FlaskClient, dict[str, Any]], TestResponse]


def bearer(tokens: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {tokens['access_token']}"}


def refresh(_app: Flask, client: FlaskClient, tokens: dict[str, Any]) -> TestResponse:
    response = client.post("/api-token-refresh/", json={"refresh_token": tokens["refresh_token"]})
    tokens |= response.get_json() if response.status_code == 200 else {}
    return response


def change_password(old: str) -> Attempt:
    body = {"old_password": old, "new_password1": NEW, "new_password2": NEW}
    return lambda _app, client, tokens: client.post("/userapi/auth/password/change/", json=body, headers=bearer(tokens))


def post(path: str, body: Callable[[], dict[str, Any]], *, signed_in: bool = False) -> Attempt:
    return lambda _app, client, tokens: client.post(path, json=body(), headers=bearer(tokens) if signed_in else {})


RESET = {"uid": "1", "token": "x" * 43, "new_password1": NEW, "new_password2": NEW}
LIMITED: dict[str, tuple[str, str, int, Attempt]] = {
    "register": ("REGISTRATION", "/userapi/users/", 201, post("/userapi/users/", new_user)),
    "refresh per session": ("REFRESH_SESSION", "/api-token-refresh/", 200, refresh),
    "refresh per address": ("REFRESH_ADDRESS", "/api-token-refresh/", 200, refresh),
    "verify a token": (
        "TOKEN_VERIFY",
        "/api-token-verify/",
        401,
        post("/api-token-verify/", lambda: {"token": "no.good.token"}),
    ),
    "change the password": ("PASSWORD_CHECK", "/userapi/auth/password/change/", 400, change_password("wrong")),
    "change the email, wrong password": (
        "PASSWORD_CHECK",
        "/userapi/auth/email/change/",
        400,
        post("/userapi/auth/email/change/", lambda: {"email": "a@example.com", "password": "wrong"}, signed_in=True),
    ),
    "change the email": (
        "EMAIL_CHANGE",
        "/userapi/auth/email/change/",
        202,
        post(
            "/userapi/auth/email/change/",
            lambda: {"email": new_user()["email"], "password": PASSWORD},
            signed_in=True,
        ),
    ),
    "change to one address": (
        "EMAIL_RECIPIENT",
        "/userapi/auth/email/change/",
        202,
        post("/userapi/auth/email/change/", lambda: {"email": "a@example.com", "password": PASSWORD}, signed_in=True),
    ),
    "ask for a reset": (
        "PASSWORD_RESET",
        "/userapi/auth/password/reset/",
        200,
        post("/userapi/auth/password/reset/", lambda: {"email": new_user()["email"]}),
    ),
    "confirm a reset": (
        "LINK",
        "/userapi/auth/password/reset/confirm/",
        400,
        post("/userapi/auth/password/reset/confirm/", lambda: RESET),
    ),
    "verify an email": (
        "LINK",
        "/userapi/auth/email/verify/",
        400,
        post("/userapi/auth/email/verify/", lambda: {"token": "x" * 43}),
    ),
    "ask for verification": (
        "EMAIL_RESEND",
        "/userapi/auth/email/resend/",
        200,
        post("/userapi/auth/email/resend/", lambda: {"email": new_user()["email"]}),
    ),
}


@pytest.mark.parametrize("what", LIMITED)
def test_D07_what_could_be_flooded_is_limited_and_documented(make_app: MakeApp, what: str) -> None:
    name, path, usual, attempt = LIMITED[what]
    app = make_app(**{"RATELIMIT_ENABLED": "true", f"RATELIMIT_{name}": "3 per hour"})
    client, tokens = client_at(app, AWAY), sign_in(app, account(app))

    responses = [attempt(app, client, tokens) for _ in range(4)]

    assert [response.status_code for response in responses] == [usual] * 3 + [429]
    assert 3590 <= int(responses[-1].headers["Retry-After"]) <= 3600
    assert responses[-1].get_json()["code"] == "rate_limited"
    (operation,) = (
        each for method, each in client.get("/openapi.json").get_json()["paths"][path].items() if method == "post"
    )
    assert "rate_limited" in operation["responses"]["429"]["description"]


def test_D07_good_tokens_are_verified_as_often_as_they_come(make_app: MakeApp) -> None:
    app = make_app(RATELIMIT_ENABLED="true", RATELIMIT_TOKEN_VERIFY="3 per hour")
    token = sign_in(app, account(app))["access_token"]

    statuses = {client_at(app, HOME).post("/api-token-verify/", json={"token": token}).status_code for _ in range(9)}

    assert statuses == {200}


def test_P12_wrong_old_passwords_count_and_then_the_right_one_is_refused(app: Flask) -> None:
    email = account(app)
    client, tokens = client_at(app, HOME), sign_in(app, email)

    statuses = [change_password("wrong")(app, client, tokens).status_code for _ in range(11)]

    assert statuses == [400] * 10 + [429]
    assert change_password(PASSWORD)(app, client, tokens).status_code == 429
    assert sign_in_at(app, HOME, email).status_code == 200


def test_P12_right_old_passwords_do_not_count(make_app: MakeApp) -> None:
    app = make_app(RATELIMIT_ENABLED="true", RATELIMIT_PASSWORD_CHECK="1 per hour")
    client, tokens = client_at(app, HOME), sign_in(app, account(app))
    assert change_password(PASSWORD)(app, client, tokens).status_code == 200

    assert change_password(NEW)(app, client, tokens).status_code == 200


@pytest.mark.parametrize(
    ("path", "kind", "verified"),
    [
        ("/userapi/auth/password/reset/", "reset_password", True),
        ("/userapi/auth/email/resend/", "verify_email", False),
    ],
)
def test_D08_F19_one_recipient_gets_few_letters_and_the_answer_does_not_tell(
    app: Flask, path: str, kind: str, verified: bool
) -> None:
    email = account(app, email_verified=verified)
    other = account(app, email_verified=verified)

    known = [client_at(app, f"203.0.113.{n}").post(path, json={"email": email}) for n in range(12)]
    unknown = [client_at(app, f"203.0.113.{n}").post(path, json={"email": "nobody@example.com"}) for n in range(12)]

    assert {str(comparable(response)) for response in known + unknown} == {str(comparable(known[0]))}
    assert known[0].status_code == 200
    assert len(letters_to(app, email, kind)) == 5
    client_at(app, AWAY).post(path, json={"email": email.upper()})
    assert len(letters_to(app, email, kind)) == 5
    client_at(app, AWAY).post(path, json={"email": other})
    assert len(letters_to(app, other, kind)) == 1


def test_F20_guessed_links_are_stopped_and_then_a_good_one_too(make_app: MakeApp) -> None:
    app = make_app(RATELIMIT_ENABLED="true", RATELIMIT_LINK="3 per hour")
    email = account(app, email_verified=False)
    client_at(app, HOME).post("/userapi/auth/password/reset/", json={"email": email})
    letter = letters_to(app, email, "reset_password")[0]
    good = RESET | {"uid": letter.uid, "token": letter.token}
    confirm = "/userapi/auth/password/reset/confirm/"
    weak = good | {"new_password1": "password", "new_password2": "password"}
    assert {client_at(app, AWAY).post(confirm, json=weak).get_json()["code"] for _ in range(5)} != {"rate_limited"}

    statuses = [client_at(app, AWAY).post(confirm, json=RESET).status_code for _ in range(3)]

    assert statuses == [400] * 3
    assert client_at(app, AWAY).post(confirm, json=good).status_code == 429
    assert client_at(app, HOME).post(confirm, json=good).status_code == 200


def test_throttles_can_be_switched_off(make_app: MakeApp) -> None:
    app = make_app(RATELIMIT_ENABLED="false", RATELIMIT_SIGN_IN_PAIR="1 per hour")

    assert guess(app, AWAY, account(app), times=5) == [401] * 5


@pytest.mark.parametrize("value", ["", "ten per minute", "0 per minute", "-1 per minute", "5 per minute; 9 per hour"])
def test_C07_a_limit_that_is_none_is_refused_by_name(value: str, key_folder: str) -> None:
    assert settings("sqlite:///x.db", key_folder, RATELIMIT_REGISTRATION="9/hour")["RATELIMIT_REGISTRATION"] == "9/hour"

    with pytest.raises(config.ConfigurationError, match=r"RATELIMIT_REGISTRATION: .* 10 per 5 minutes"):
        settings("sqlite:///x.db", key_folder, RATELIMIT_REGISTRATION=value)
