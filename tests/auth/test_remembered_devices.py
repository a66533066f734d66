"""Remembered devices: they need no second step, and are listed and forgotten."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask

from tests.support.api_client import ApiUser
from tests.support.factories import PASSWORD
from tests.support.forged_tokens import read_claims
from tests.support.form_browser import FormBrowser
from tests.support.proofs import PROVE, submit_shown_form
from tests.support.second_factors import overview
from tests.support.sql import fetch_number
from tests.support.staff_client import NEW_PASSWORD
from tests.support.staff_imports import move_clock
from tests.support.two_steps import LOGIN, Owner, make_owner


def remember(owner: Owner, code: str) -> str:
    """Sign in with a code and remember the device; its token."""
    response = owner.second_step(owner.mfa_token(), code, remember_device=True)
    return str(response.get_json()["device_token"])


def is_remembered(owner: Owner, device_token: str) -> bool:
    """Whether a password is enough on a device."""
    response = owner.first_step(device_token=device_token)
    assert (response.status_code, response.get_json().get("code")) in ((200, None), (401, "second_step_needed"))
    return response.status_code == 200


def test_S69_devices_are_listed_and_forgotten(owner: Owner) -> None:
    forgotten, kept, last = (remember(owner, owner.phone.code(steps)) for steps in (-1, 0, 1))
    user = ApiUser(
        owner.app.test_client(), owner.id, owner.email, PASSWORD, owner.first_step(device_token=kept).get_json()
    )
    devices = user.get("/userapi/auth/devices/").get_json()["results"]
    assert len(devices) == overview(user)["devices"] == 3
    assert {(device["address"], device["user_agent"][:8]) for device in devices} == {("127.0.0.1", "Werkzeug")}

    first = min(devices, key=lambda device: device["created_at"])
    assert user.delete(f"/userapi/auth/devices/{first['id']}/").status_code == 204
    assert [is_remembered(owner, token) for token in (forgotten, kept, last)] == [False, True, True]
    assert user.delete("/userapi/auth/devices/").status_code == 204
    assert [is_remembered(owner, token) for token in (kept, last)] == [False, False]
    assert user.get("/userapi/auth/devices/").get_json()["results"] == []


def test_a_password_alone_changes_no_password_on_a_remembered_device(owner: Owner) -> None:
    token = remember(owner, owner.phone.code(-1))
    user = ApiUser(
        owner.app.test_client(), owner.id, owner.email, PASSWORD, owner.first_step(device_token=token).get_json()
    )
    change = {"old_password": PASSWORD, "new_password1": NEW_PASSWORD, "new_password2": NEW_PASSWORD}

    needed = user.post("/userapi/auth/password/change/", json=change)
    assert (needed.status_code, needed.get_json()["code"]) == (403, "proof_needed")
    user.tokens = {**user.tokens, **user.post(PROVE, json={"code": owner.phone.code()}).get_json()}

    assert user.post("/userapi/auth/password/change/", json=change).status_code == 200


def test_the_page_that_changes_the_password_asks_for_the_second_step_on_a_remembered_device(owner: Owner) -> None:
    token = remember(owner, owner.phone.code(-1))
    browser = FormBrowser(owner.app)
    browser.client.set_cookie("device", token)
    assert browser.sign_in(owner.email).headers["Location"] == "/account/"

    shown = browser.follow(browser.get("/password_change/"))

    assert "Confirm that it is you" in shown.text
    proved = submit_shown_form(browser.client, shown, code=owner.phone.code())
    assert proved.headers["Location"] == "/password_change/"
    assert browser.get("/password_change/").status_code == 200


def test_S68_S70_a_device_is_forgotten_with_a_recovery_code(owner: Owner) -> None:
    token = remember(owner, owner.phone.code())
    assert is_remembered(owner, token)

    owner.sign_in(owner.recovery_codes[0])

    assert not is_remembered(owner, token)


def test_S68_a_device_is_remembered_for_30_days(owner: Owner, monkeypatch: pytest.MonkeyPatch) -> None:
    token = remember(owner, owner.phone.code())

    move_clock(monkeypatch, timedelta(days=29, hours=23))
    assert is_remembered(owner, token)
    move_clock(monkeypatch, timedelta(hours=2))
    assert not is_remembered(owner, token)


#: Where programs send a password.
DOORS = ("/api-token-auth/", "/userapi/api-token-auth/", LOGIN)


def test_a_remembered_device_needs_no_second_step_and_is_no_second_factor(owner: Owner) -> None:
    response = owner.second_step(owner.mfa_token(), owner.phone.code(), remember_device=True)
    device_token = response.get_json()["device_token"]

    for path in DOORS:
        tokens = owner.first_step(path=path, device_token=device_token).get_json()
        assert read_claims(tokens["access_token"])["acr"] == "aal1"
    assert owner.first_step(device_token=device_token[:-1]).get_json()["code"] == "second_step_needed"
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    data = owner.app.test_client().get("/userapi/auth/data/", headers=headers).get_json()
    assert (data["code"], data["acr"], data["ways"]) == ("proof_needed", "aal2", ["totp", "recovery_code"])


def test_S68_a_device_is_forgotten_with_all_sessions_and_belongs_to_one_account(owner: Owner) -> None:
    tokens = owner.second_step(owner.mfa_token(), owner.phone.code(), remember_device=True).get_json()
    other = make_owner(owner.app)
    assert other.first_step(device_token=tokens["device_token"]).get_json()["code"] == "second_step_needed"

    user = ApiUser(owner.app.test_client(), owner.id, owner.email, PASSWORD, tokens)
    assert user.post("/userapi/auth/logout/", json={"all": True}).status_code == 200

    assert owner.first_step(device_token=tokens["device_token"]).get_json()["code"] == "second_step_needed"


def test_S70_a_recovery_code_remembers_no_device(owner: Owner) -> None:
    response = owner.second_step(owner.mfa_token(), owner.recovery_codes[0], remember_device=True)

    assert (response.status_code, "device_token" in response.get_json()) == (200, False)
    assert fetch_number(owner.app, "SELECT count(*) FROM remembered_devices") == 0


def test_devices_are_not_remembered_where_the_setting_forbids_it(make_app: Callable[..., Flask]) -> None:
    owner = make_owner(make_app(REMEMBER_DEVICE_DAYS="0"))

    response = owner.second_step(owner.mfa_token(), owner.phone.code(), remember_device=True)

    assert "device_token" not in response.get_json()


def test_a_browser_with_cookies_is_remembered_by_a_cookie(owner: Owner) -> None:
    client = owner.app.test_client()
    first = owner.first_step(client, cookies=True)
    response = owner.second_step(
        first.get_json()["mfa_token"], owner.phone.code(), client, cookies=True, remember_device=True
    )
    cookie = client.get_cookie("device")

    assert set(response.get_json()) == {"user"}
    assert cookie is not None
    assert (cookie.http_only, cookie.same_site, cookie.max_age) == (True, "Lax", 30 * 86_400)
    assert owner.first_step(client, cookies=True).status_code == 200
    assert owner.first_step(client).get_json()["code"] == "second_step_needed"
