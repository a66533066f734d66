"""Recent proofs of identity, for sensitive operations of the API (decision 0049)."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.support.api_client import ApiUser, sign_in
from tests.support.factories import PASSWORD, make_account
from tests.support.forged_tokens import forge_token, get_own_user, read_claims, refresh_session
from tests.support.proofs import PROVE
from tests.support.sql import execute_sql, fetch_rows
from tests.support.staff_imports import move_clock

DATA = "/userapi/auth/data/"
CHANGE = "/userapi/auth/email/change/"
NEW = "new.address@example.org"


def read_data(user: ApiUser, token: str | None = None) -> TestResponse:
    """Download the data of the account, which requires a recent proof."""
    headers = {"Authorization": f"Bearer {token}"} if token else user.headers
    return user.client.get(DATA, headers=headers)


def prove(user: ApiUser, password: str = PASSWORD) -> TestResponse:
    return user.post(PROVE, json={"password": password})


def assert_proof_needed(response: TestResponse) -> None:
    assert response.status_code == 403
    problem = response.get_json()
    assert (problem["code"], problem["ways"], problem["acr"], problem["max_age"]) == (
        "proof_needed", ["password"], "aal1", 900,
    )  # fmt: skip
    assert response.headers["WWW-Authenticate"] == (
        'Bearer realm="userapi", error="insufficient_user_authentication", max_age=900, acr_values="aal1"'
    )


@pytest.mark.parametrize(("seconds", "status"), [(0, 200), (899, 200), (901, 403), (-3600, 403)])
def test_S37_a_proof_is_recent_for_15_minutes_and_not_longer_if_the_clock_is_set_back(
    user: ApiUser, monkeypatch: pytest.MonkeyPatch, seconds: int, status: int
) -> None:
    move_clock(monkeypatch, timedelta(seconds=seconds))

    assert read_data(user).status_code == status


def test_the_lifetime_of_proofs_is_a_setting(make_app: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch) -> None:
    client = make_app(FRESH_PROOF_LIFETIME="60").test_client()
    token = sign_in(client.application, make_account(client.application))["access_token"]
    move_clock(monkeypatch, timedelta(seconds=62))

    response = client.get(DATA, headers={"Authorization": f"Bearer {token}"})

    assert (response.status_code, response.get_json()["max_age"]) == (403, 60)


@pytest.mark.both
def test_a_proof_gives_new_tokens_that_open_what_the_old_ones_did_not(
    app: Flask, user: ApiUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    move_clock(monkeypatch, timedelta(minutes=16))
    assert_proof_needed(read_data(user))

    proved = prove(user).get_json()

    assert read_data(user, proved["access_token"]).status_code == 200
    claims = read_claims(proved["access_token"])
    assert (proved["acr"], proved["auth_time"]) == (claims["acr"], claims["auth_time"]) == ("aal1", claims["auth_time"])
    assert claims["auth_time"] - read_claims(user.tokens["access_token"])["auth_time"] == 16 * 60
    assert claims["sid"] == read_claims(user.tokens["access_token"])["sid"]
    assert [row.action for row in fetch_rows(app, "SELECT action FROM audit_events ORDER BY id")][-2:] == [
        "session.proved", "user.exported_own",
    ]  # fmt: skip


@pytest.mark.both
def test_S34_copies_of_older_tokens_gain_nothing_by_a_proof(user: ApiUser, monkeypatch: pytest.MonkeyPatch) -> None:
    move_clock(monkeypatch, timedelta(minutes=16))
    proved = prove(user).get_json()

    assert get_own_user(user.client, user.tokens["access_token"]).status_code == 200
    assert_proof_needed(read_data(user))
    assert refresh_session(user.client, user.tokens["refresh_token"]).get_json()["code"] == "token_reused"
    assert get_own_user(user.client, proved["access_token"]).status_code == 401


def test_a_refresh_keeps_the_time_of_the_proof(user: ApiUser, monkeypatch: pytest.MonkeyPatch) -> None:
    move_clock(monkeypatch, timedelta(minutes=16))

    renewed = refresh_session(user.client, user.tokens["refresh_token"]).get_json()

    assert_proof_needed(read_data(user, renewed["access_token"]))


def test_S35_claims_that_say_more_than_the_session_are_not_believed(
    user: ApiUser, key_folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    claims = read_claims(user.tokens["access_token"])
    move_clock(monkeypatch, timedelta(minutes=16))

    later = forge_token(key_folder, claims | {"auth_time": claims["auth_time"] + 16 * 60, "acr": "aal2"})

    assert get_own_user(user.client, later).status_code == 200
    assert_proof_needed(read_data(user, later))


def test_S35_claims_that_say_less_than_the_session_are_believed(app: Flask, user: ApiUser, key_folder: str) -> None:
    claims = read_claims(user.tokens["access_token"])
    earlier = forge_token(key_folder, claims | {"auth_time": claims["auth_time"] - 16 * 60})

    assert read_data(user).status_code == 200
    assert_proof_needed(read_data(user, earlier))


def test_tokens_of_earlier_versions_were_proved_when_their_session_began(
    app: Flask, user: ApiUser, key_folder: str
) -> None:
    claims = read_claims(user.tokens["access_token"])
    old = forge_token(key_folder, {name: claims[name] for name in claims if name not in ("acr", "amr", "auth_time")})

    assert read_data(user, old).status_code == 200
    execute_sql(app, "UPDATE login_sessions SET created_at = '2026-01-01 00:00:00+00:00'")
    assert_proof_needed(read_data(user, old))
    assert read_data(user).status_code == 200


def test_a_wrong_password_is_no_proof_and_is_recorded_and_throttled(
    app: Flask, user: ApiUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    move_clock(monkeypatch, timedelta(minutes=16))

    rejected = prove(user, "not my password at all")

    assert (rejected.status_code, rejected.get_json()["code"]) == (401, "invalid_credentials")
    assert_proof_needed(read_data(user))
    events = fetch_rows(app, "SELECT action FROM audit_events ORDER BY id")
    assert [event.action for event in events][-1] == "user.password_check_failed"
    assert refresh_session(user.client, user.tokens["refresh_token"]).status_code == 200


def test_S16_wrong_passwords_are_throttled(make_app: Callable[..., Flask]) -> None:
    app = make_app(RATELIMIT_ENABLED="true", RATELIMIT_PASSWORD_CHECK="3 per hour")
    bearer = {"Authorization": f"Bearer {sign_in(app, make_account(app))['access_token']}"}

    statuses = [
        app.test_client().post(PROVE, json={"password": password}, headers=bearer).status_code
        for password in ("wrong 1", "wrong 2", PASSWORD, "wrong 3", PASSWORD)
    ]

    assert statuses == [401, 401, 200, 401, 429]


@pytest.mark.parametrize("body", [{}, {"password": 7}, {"password": PASSWORD, "acr": "aal2"}])
def test_a_malformed_proof_is_rejected(user: ApiUser, body: dict[str, object]) -> None:
    assert user.post(PROVE, json=body).status_code == 400


def test_a_proof_by_cookie_sets_new_cookies_and_requires_the_csrf_token(
    app: Flask, user: ApiUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = app.test_client()
    client.post("/userapi/auth/login/", json={"email": user.email, "password": PASSWORD, "cookies": True})
    move_clock(monkeypatch, timedelta(minutes=16))
    csrf = {"X-CSRF-TOKEN": client.get_cookie("csrf_token").value}  # type: ignore[union-attr]

    assert client.post(PROVE, json={"password": PASSWORD}).status_code == 403
    assert_proof_needed(client.get(DATA))
    proved = client.post(PROVE, json={"password": PASSWORD}, headers=csrf)

    assert set(proved.get_json()) == {"acr", "auth_time"}
    assert client.get(DATA).status_code == 200


def test_an_email_is_changed_with_a_recent_proof_or_the_password(
    user: ApiUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert user.post(CHANGE, json={"email": NEW}).status_code == 202
    move_clock(monkeypatch, timedelta(minutes=16))

    assert_proof_needed(user.post(CHANGE, json={"email": NEW}))
    assert user.post(CHANGE, json={"email": NEW, "password": "not my password at all"}).status_code == 400
    assert user.post(CHANGE, json={"email": NEW, "password": PASSWORD}).status_code == 202
