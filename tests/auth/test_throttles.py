"""Throttles on operations other than signing in, and which operations have none."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

import config
from tests.support.api_client import sign_in
from tests.support.app_config import app_config
from tests.support.comparable_responses import comparable
from tests.support.email_inbox import emails_to
from tests.support.factories import PASSWORD, make_account, new_user
from tests.support.sign_in_attempts import (
    AWAY_IP,
    HOME_IP,
    MakeApp,
    client_from_ip,
    guess_passwords,
    sign_in_from_ip,
    stop_clock,
)

NEW = "brittle harbour lantern 42"


@pytest.fixture
def app(make_app: MakeApp) -> Flask:
    """An application with the default throttles."""
    return make_app(RATELIMIT_ENABLED="true")


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
def test_D07_operations_that_could_be_flooded_are_throttled_and_documented(
    make_app: MakeApp, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    stop_clock(monkeypatch)
    name, path, usual, attempt = LIMITED[what]
    app = make_app(**{"RATELIMIT_ENABLED": "true", f"RATELIMIT_{name}": "3 per hour"})
    client, tokens = client_from_ip(app, AWAY_IP), sign_in(app, make_account(app))

    responses = [attempt(app, client, tokens) for _ in range(4)]

    assert [response.status_code for response in responses] == [usual] * 3 + [429]
    assert responses[-1].headers["Retry-After"] == "3600"
    assert responses[-1].get_json()["code"] == "rate_limited"
    (operation,) = (
        each for method, each in client.get("/openapi.json").get_json()["paths"][path].items() if method == "post"
    )
    assert "rate_limited" in operation["responses"]["429"]["description"]


def test_D07_verifying_valid_tokens_is_not_throttled(make_app: MakeApp) -> None:
    app = make_app(RATELIMIT_ENABLED="true", RATELIMIT_TOKEN_VERIFY="3 per hour")
    token = sign_in(app, make_account(app))["access_token"]

    statuses = {
        client_from_ip(app, HOME_IP).post("/api-token-verify/", json={"token": token}).status_code for _ in range(9)
    }

    assert statuses == {200}


def test_P12_wrong_current_passwords_count_and_then_the_right_one_is_throttled(app: Flask) -> None:
    email = make_account(app)
    client, tokens = client_from_ip(app, HOME_IP), sign_in(app, email)

    statuses = [change_password("wrong")(app, client, tokens).status_code for _ in range(11)]

    assert statuses == [400] * 10 + [429]
    assert change_password(PASSWORD)(app, client, tokens).status_code == 429
    assert sign_in_from_ip(app, HOME_IP, email).status_code == 200


def test_P12_correct_current_passwords_do_not_count(make_app: MakeApp) -> None:
    app = make_app(RATELIMIT_ENABLED="true", RATELIMIT_PASSWORD_CHECK="1 per hour")
    client, tokens = client_from_ip(app, HOME_IP), sign_in(app, make_account(app))
    assert change_password(PASSWORD)(app, client, tokens).status_code == 200

    assert change_password(NEW)(app, client, tokens).status_code == 200


@pytest.mark.parametrize(
    ("path", "kind", "verified"),
    [
        ("/userapi/auth/password/reset/", "reset_password", True),
        ("/userapi/auth/email/resend/", "verify_email", False),
    ],
)
def test_D08_F19_emails_to_one_recipient_are_limited_and_the_response_does_not_reveal_it(
    app: Flask, path: str, kind: str, verified: bool
) -> None:
    email = make_account(app, email_verified=verified)
    other = make_account(app, email_verified=verified)

    known = [client_from_ip(app, f"203.0.113.{n}").post(path, json={"email": email}) for n in range(12)]
    unknown = [
        client_from_ip(app, f"203.0.113.{n}").post(path, json={"email": "unknown@example.com"}) for n in range(12)
    ]

    assert {str(comparable(response)) for response in known + unknown} == {str(comparable(known[0]))}
    assert known[0].status_code == 200
    assert len(emails_to(app, email, kind)) == 5
    client_from_ip(app, AWAY_IP).post(path, json={"email": email.upper()})
    assert len(emails_to(app, email, kind)) == 5
    client_from_ip(app, AWAY_IP).post(path, json={"email": other})
    assert len(emails_to(app, other, kind)) == 1


def test_F20_guessed_links_are_throttled_even_with_a_valid_one(make_app: MakeApp) -> None:
    app = make_app(RATELIMIT_ENABLED="true", RATELIMIT_LINK="3 per hour")
    email = make_account(app, email_verified=False)
    client_from_ip(app, HOME_IP).post("/userapi/auth/password/reset/", json={"email": email})
    sent_email = emails_to(app, email, "reset_password")[0]
    good = RESET | {"uid": sent_email.uid, "token": sent_email.token}
    confirm = "/userapi/auth/password/reset/confirm/"
    weak = good | {"new_password1": "password", "new_password2": "password"}
    assert "rate_limited" not in {
        client_from_ip(app, AWAY_IP).post(confirm, json=weak).get_json()["code"] for _ in range(5)
    }

    statuses = [client_from_ip(app, AWAY_IP).post(confirm, json=RESET).status_code for _ in range(3)]

    assert statuses == [400] * 3
    assert client_from_ip(app, AWAY_IP).post(confirm, json=good).status_code == 429
    assert client_from_ip(app, HOME_IP).post(confirm, json=good).status_code == 200


def test_throttles_can_be_switched_off(make_app: MakeApp) -> None:
    app = make_app(RATELIMIT_ENABLED="false", RATELIMIT_SIGN_IN_PAIR="1 per hour")

    assert guess_passwords(app, AWAY_IP, make_account(app), times=5) == [401] * 5


@pytest.mark.parametrize("value", ["ten per minute", "0 per minute", "-1 per minute", "5 per minute; 9 per hour"])
def test_C07_an_invalid_limit_is_named(value: str, key_folder: str) -> None:
    assert (
        app_config("sqlite:///x.db", key_folder, RATELIMIT_REGISTRATION="9/hour")["RATELIMIT_REGISTRATION"] == "9/hour"
    )

    with pytest.raises(config.ConfigurationError, match=r"RATELIMIT_REGISTRATION: .* 10 per 5 minutes"):
        app_config("sqlite:///x.db", key_folder, RATELIMIT_REGISTRATION=value)
