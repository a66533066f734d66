"""Setting up authenticator apps over the API."""

from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask

from tests.support.api_client import ApiUser, sign_in
from tests.support.second_factors import FACTORS, App, add_app, code_of, confirm_app, overview
from tests.support.sql import fetch_number
from userapi.core import clock

OWN = "/userapi/auth/user/"


def test_an_app_is_set_up_with_a_secret_a_uri_and_a_qr_code(caller: ApiUser) -> None:
    response = caller.post(f"{FACTORS}totp/", json={})

    added = response.get_json()
    uri = urlsplit(added["uri"])
    assert response.status_code == 201
    assert (uri.scheme, uri.netloc) == ("otpauth", "totp")
    assert parse_qs(uri.query) == {"secret": [added["secret"]], "issuer": ["accounts.example.com"]}
    assert len(added["secret"]) == 32
    assert added["qr"].startswith("data:image/svg+xml;")
    assert response.headers["Cache-Control"] == "no-store"


def test_S26_an_app_that_is_not_confirmed_does_not_count(app: Flask, caller: ApiUser) -> None:
    add_app(caller)

    found = overview(caller)

    assert (found["second_step"], found["totp"]) == (False, [])
    assert sign_in(app, caller.email)["access_token"]


def test_the_first_factor_turns_the_second_step_on_and_makes_ten_codes(caller: ApiUser) -> None:
    response = confirm_app(caller, add_app(caller))

    confirmed, found = response.get_json(), overview(caller)
    assert response.status_code == 201
    assert (confirmed["name"], len(set(confirmed["recovery_codes"]))) == ("Phone", 10)
    assert found["second_step"] is True
    assert [app["name"] for app in found["totp"]] == ["Phone"]
    assert found["recovery_codes"]["left"] == 10
    assert found["recovery_codes"]["made_at"].endswith("Z")


def test_S06_the_first_factor_ends_every_other_session(app: Flask, caller: ApiUser) -> None:
    other = {"Authorization": f"Bearer {sign_in(app, caller.email)['access_token']}"}
    assert app.test_client().get(OWN, headers=other).status_code == 200

    confirm_app(caller, add_app(caller))

    assert caller.get(OWN).status_code == 200
    assert app.test_client().get(OWN, headers=other).status_code == 401


def test_S07_the_code_that_confirms_an_app_is_used_up(app: Flask, caller: ApiUser) -> None:
    added = add_app(caller)
    code = added.code()
    assert confirm_app(caller, added, code).status_code == 201

    again = caller.post("/userapi/auth/prove/", json={"code": code})

    assert code_of(again) == (401, "invalid_code")


def test_S16_codes_for_setting_up_and_proofs_count_as_one(app: Flask, caller: ApiUser, phone: App) -> None:
    second = add_app(caller, "Tablet")
    for _ in range(3):
        assert code_of(confirm_app(caller, second, second.wrong_code())) == (400, "invalid_code")
    for _ in range(2):
        assert code_of(caller.post("/userapi/auth/prove/", json={"code": phone.wrong_code()})) == (
            401,
            "invalid_code",
        )

    limited = [
        confirm_app(caller, second),
        caller.post("/userapi/auth/prove/", json={"code": phone.code()}),
    ]

    assert [code_of(response) for response in limited] == [(429, "rate_limited")] * 2
    assert fetch_number(app, "SELECT failures FROM second_factors") == 5


def test_S25_setting_up_needs_a_recent_proof(caller: ApiUser, monkeypatch: pytest.MonkeyPatch) -> None:
    later = clock.now() + timedelta(seconds=899)
    monkeypatch.setattr(clock, "now", lambda: later)
    assert caller.post(f"{FACTORS}totp/", json={}).status_code == 201

    stale = later + timedelta(seconds=2)
    monkeypatch.setattr(clock, "now", lambda: stale)
    assert code_of(caller.post(f"{FACTORS}totp/", json={})) == (403, "proof_needed")


@pytest.mark.parametrize("case", ["wrong", "expired", "another's", "another session"])
def test_S27_an_app_is_confirmed_by_its_code_in_time_and_in_its_session(
    app: Flask, caller: ApiUser, other_user: ApiUser, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    added, code = add_app(caller), ""
    if case == "wrong":
        code, expected = added.wrong_code(), (400, "invalid_code")
    else:
        expected = (404, "not_found")
    if case == "expired":
        later = clock.now() + timedelta(minutes=10, seconds=1)
        monkeypatch.setattr(clock, "now", lambda: later)
    sender = other_user if case == "another's" else caller
    if case == "another session":
        sender = ApiUser(
            app.test_client(),
            caller.id,
            caller.email,
            caller.password,
            sign_in(app, caller.email),
        )

    response = confirm_app(sender, added, code)

    assert code_of(response) == expected
    assert fetch_number(app, "SELECT count(*) FROM totp_devices WHERE confirmed_at IS NOT NULL") == 0
    if case == "wrong":
        assert list(response.get_json()["errors"]) == ["code"]
        assert confirm_app(caller, added).status_code == 201


def test_S28_an_account_with_an_unconfirmed_email_cannot_set_up_a_factor(other_user: ApiUser) -> None:
    response = other_user.post(f"{FACTORS}totp/", json={})

    assert code_of(response) == (409, "email_unverified")


def test_an_account_has_at_most_five_apps(app: Flask, caller: ApiUser, phone: App) -> None:
    for _ in range(4):
        assert confirm_app(caller, add_app(caller)).status_code == 201

    assert code_of(caller.post(f"{FACTORS}totp/", json={})) == (409, "too_many_factors")


def test_a_kind_of_factor_can_be_left_out(app: Flask, caller: ApiUser) -> None:
    app.config["SECOND_FACTORS"] = ["passkey"]

    assert code_of(caller.post(f"{FACTORS}totp/", json={})) == (409, "factor_unavailable")


@pytest.mark.parametrize(
    "code", [123456, None, "", "12345", "1234567", "abcdef", "1" * 10_000, ["123456"], {"code": "1"}, "\x00" * 6]
)
def test_S83_other_values_than_a_code_are_rejected(caller: ApiUser, code: Any) -> None:
    added = add_app(caller)

    response = caller.post(f"{FACTORS}totp/{added.id}/confirm/", json={"code": code})

    assert response.status_code == 400
    assert list(response.get_json()["errors"]) == ["code"]


@pytest.fixture
def everyone_needs_it(app: Flask) -> None:
    """Two-step sign-in is required of everyone."""
    app.config["SECOND_STEP_REQUIRED_FOR"] = "everyone"


@pytest.mark.usefixtures("everyone_needs_it")
def test_S72_confirming_the_first_factor_makes_a_session_for_set_up_a_full_one(app: Flask, caller: ApiUser) -> None:
    caller.tokens = sign_in(app, caller.email)
    before = dict(caller.tokens)
    assert code_of(caller.get("/userapi/auth/sessions/")) == (403, "second_step_required")

    confirmed = confirm_app(caller, add_app(caller)).get_json()

    assert code_of(caller.get("/userapi/auth/sessions/")) == (403, "second_step_required")
    caller.tokens = confirmed
    assert caller.get("/userapi/auth/sessions/").status_code == 200
    assert caller.post(f"{FACTORS}recovery-codes/").status_code == 201
    refreshed = app.test_client().post("/api-token-refresh/", json={"refresh_token": before["refresh_token"]})
    assert refreshed.status_code == 401


def test_the_tokens_of_an_ordinary_session_stay_when_the_first_factor_is_added(app: Flask, caller: ApiUser) -> None:
    assert "access_token" not in confirm_app(caller, add_app(caller)).get_json()

    body = {"refresh_token": caller.tokens["refresh_token"]}
    assert app.test_client().post("/api-token-refresh/", json=body).status_code == 200
