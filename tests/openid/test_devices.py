"""Devices without a browser (RFC 8628)."""

from typing import Any

import pytest
from flask import Flask

from tests.support.form_browser import FormBrowser, hidden_value
from tests.support.race import run_simultaneously
from tests.support.relying_party import RelyingParty, make_client
from tests.support.sql import execute_sql
from userapi.openid.client_checks import Grant


@pytest.fixture
def tv(app: Flask) -> RelyingParty:
    """A client on a device."""
    return make_client(
        app, name="TV", kind="native", redirect_uris=[], grants=[Grant.DEVICE.value, Grant.REFRESH.value],
        scopes="openid email offline_access",
    )  # fmt: skip


def begin(tv: RelyingParty, scope: str = "openid email") -> dict[str, Any]:
    response = tv.post("/oauth/device/", {"scope": scope})
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.get_json()
    return found


def poll(tv: RelyingParty, started: dict[str, Any]) -> Any:
    return tv.post("/oauth/token/", {"grant_type": Grant.DEVICE.value, "device_code": started["device_code"]})


def answer(user: FormBrowser, started: dict[str, Any], button: str = "allow") -> Any:
    path = f"/device/{started['user_code']}/"
    return user.post(path, {button: "1", "csrf_token": hidden_value(user.get(path))})


def no_interval(app: Flask) -> None:
    execute_sql(app, "UPDATE openid_device_grants SET polled_at = NULL")


def test_a_user_types_the_code_of_a_device_and_lets_it_sign_in(
    app: Flask, email: str, signed_in: FormBrowser, tv: RelyingParty
) -> None:
    started = begin(tv)
    assert poll(tv, started).get_json()["error"] == "authorization_pending"
    typed = started["user_code"].lower().replace("-", "")

    found = signed_in.send("/device/", {"user_code": typed})

    assert found.headers["Location"] == f"/device/{started['user_code']}/"
    page = signed_in.get(found.headers["Location"])
    assert "TV" in page.text
    assert started["user_code"] in page.text
    assert answer(signed_in, started).status_code == 303
    no_interval(app)
    tokens = poll(tv, started).get_json()
    assert tv.userinfo(tokens["access_token"]).get_json()["email"] == email
    assert tv.refresh(tokens["refresh_token"]).status_code == 200


def test_Q30_a_device_with_offline_access_outlives_the_sign_out_of_the_browser_that_approved_it(
    app: Flask, signed_in: FormBrowser, tv: RelyingParty
) -> None:
    offline, online = begin(tv, "openid offline_access"), begin(tv, "openid")
    page = signed_in.get(f"/device/{offline['user_code']}/")
    assert "Keep this access when you sign out" in page.text
    for started in (offline, online):
        answer(signed_in, started)
    kept, ended = poll(tv, offline).get_json(), poll(tv, online).get_json()

    signed_in.post("/logout/", {"csrf_token": hidden_value(signed_in.get("/logout/"))})

    refreshed = tv.refresh(kept["refresh_token"])
    assert (refreshed.status_code, refreshed.get_json()["scope"]) == (200, "openid offline_access")
    assert tv.refresh(ended["refresh_token"]).status_code == 400
    execute_sql(app, "UPDATE users SET session_version = session_version + 1")
    assert tv.refresh(refreshed.get_json()["refresh_token"]).status_code == 400


def test_a_user_denies_a_device(app: Flask, signed_in: FormBrowser, tv: RelyingParty) -> None:
    started = begin(tv)
    answer(signed_in, started, "deny")

    assert poll(tv, started).get_json()["error"] == "access_denied"


def test_Q42_wrong_codes_are_limited_and_a_code_works_once(
    app: Flask, signed_in: FormBrowser, tv: RelyingParty
) -> None:
    app.config["RATELIMIT_ENABLED"] = True
    started = begin(tv)
    answer(signed_in, started)
    assert signed_in.get(f"/device/{started['user_code']}/").status_code == 404

    statuses = [signed_in.get(f"/device/BCDF-GHJ{last}/").status_code for last in "BCDFGHJKLMNP"]

    assert statuses[0] == 404
    assert statuses[-1] == 429
    app.config["RATELIMIT_ENABLED"] = False


def test_Q42_a_code_that_has_expired_is_unknown(app: Flask, signed_in: FormBrowser, tv: RelyingParty) -> None:
    started = begin(tv)
    execute_sql(app, "UPDATE openid_device_grants SET expires_at = created_at")

    assert signed_in.get(f"/device/{started['user_code']}/").status_code == 404
    assert poll(tv, started).get_json()["error"] == "expired_token"


def test_Q43_a_link_with_the_code_approves_nothing(app: Flask, signed_in: FormBrowser) -> None:
    own = make_client(app, kind="native", is_first_party=True, redirect_uris=[], grants=[Grant.DEVICE.value])
    started = begin(own)
    path = started["verification_uri_complete"].partition("accounts.example.com")[2]

    page = signed_in.get(path)

    assert started["user_code"] in page.text
    assert "Compare this code" in page.text
    assert poll(own, started).get_json()["error"] == "authorization_pending"


def test_Q44_a_device_that_polls_too_often_has_to_wait_longer(
    app: Flask, signed_in: FormBrowser, tv: RelyingParty
) -> None:
    started = begin(tv)

    errors = [poll(tv, started).get_json() for _poll in range(3)]

    assert [error["error"] for error in errors] == ["authorization_pending", "slow_down", "slow_down"]
    assert "15 seconds" in errors[2]["error_description"]


@pytest.mark.both
def test_Q44_of_many_polls_after_the_approval_one_gets_tokens(
    app: Flask, signed_in: FormBrowser, tv: RelyingParty
) -> None:
    started, other = (
        begin(tv),
        make_client(app, name="Radio", kind="native", redirect_uris=[], grants=[Grant.DEVICE.value]),
    )
    answer(signed_in, started)
    assert poll(other, started).get_json()["error"] == "invalid_grant"

    responses = run_simultaneously([lambda: poll(tv, started)] * 8)

    assert sorted(response.status_code for response in responses) == [200] + [400] * 7


@pytest.mark.both
@pytest.mark.parametrize(
    "statement",
    ["UPDATE users SET is_active = false", "UPDATE users SET session_version = session_version + 1"],
    ids=["deactivated", "signed out everywhere"],
)
def test_Q45_an_account_that_has_changed_since_the_approval_gives_no_tokens(
    statement: str, app: Flask, signed_in: FormBrowser, tv: RelyingParty
) -> None:
    started = begin(tv)
    answer(signed_in, started)
    execute_sql(app, statement)

    assert poll(tv, started).get_json()["error"] == "invalid_grant"
