"""A second step that begins to be needed, after sessions have begun without it: they gain no factor."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from tests.support.api_client import ApiUser
from tests.support.authenticator import Authenticator
from tests.support.form_browser import FormBrowser, hidden_value
from tests.support.passkeys import ORIGIN
from tests.support.proofs import submit_shown_form
from tests.support.required_steps import require_from, signed_in_again
from tests.support.second_factors import FACTORS, App, add_app, confirm_app, forget_used_steps, prove, set_up_app
from tests.support.sql import execute_sql, fetch_number

OWN, PASSKEYS, CONFIRM = "/userapi/auth/user/", f"{FACTORS}passkeys/", "/account/security/app/confirm/"


@pytest.fixture
def phone(app: Flask, user: ApiUser) -> App:
    """The factor of the user, whose second step is off."""
    made, _codes = set_up_app(app, user.id)
    execute_sql(app, "UPDATE second_factors SET active_since = NULL")
    return made


@pytest.fixture(params=["its owner turns it on", "it is required"])
def begin(app: Flask, request: pytest.FixtureRequest) -> Callable[[], None]:
    """What makes the second step necessary. The sessions of the account stay active, as in a request in between."""
    if request.param == "it is required":
        return lambda: require_from(app, "everyone")
    return lambda: execute_sql(app, "UPDATE second_factors SET active_since = created_at FROM totp_devices")


def needs_second_factor(response: Any) -> bool:
    problem = response.get_json()
    return (response.status_code, problem["code"], problem.get("acr")) == (403, "proof_needed", "aal2")


def test_S29_turning_the_second_step_on_ends_other_sessions_and_their_set_up(
    app: Flask, user: ApiUser, phone: App
) -> None:
    thief = signed_in_again(app, user)
    added = add_app(thief)

    assert user.patch(FACTORS, json={"second_step": True}).status_code == 200

    assert user.get(OWN).status_code == 200
    refreshed = app.test_client().post("/api-token-refresh/", json={"refresh_token": user.tokens["refresh_token"]})
    assert refreshed.status_code == 200
    assert thief.get(OWN).status_code == 401
    assert confirm_app(thief, added).status_code == 401
    assert fetch_number(app, "SELECT count(*) FROM totp_devices") == 1


@pytest.mark.both
def test_S25_S73_an_app_is_confirmed_with_the_step_that_has_begun(
    app: Flask, user: ApiUser, phone: App, begin: Callable[[], None]
) -> None:
    added = add_app(user, "Tablet")
    begin()

    assert needs_second_factor(confirm_app(user, added))
    assert fetch_number(app, "SELECT count(*) FROM totp_devices WHERE confirmed_at IS NOT NULL") == 1
    forget_used_steps(app)
    prove(user, phone.code())
    assert confirm_app(user, added).status_code == 201


@pytest.mark.both
def test_S25_S73_a_passkey_is_added_with_the_step_that_has_begun(
    app: Flask, user: ApiUser, phone: App, begin: Callable[[], None]
) -> None:
    options = user.post(f"{PASSKEYS}options/", json={}).get_json()["publicKey"]
    body = {"credential": Authenticator(ORIGIN).create(options)}
    begin()

    assert needs_second_factor(user.post(PASSKEYS, json=body))
    assert fetch_number(app, "SELECT count(*) FROM passkeys") == 0
    forget_used_steps(app)
    prove(user, phone.code())
    assert user.post(PASSKEYS, json=body).status_code == 201


def test_S25_S73_the_page_that_confirms_an_app_requests_the_step_that_has_begun(
    app: Flask, user: ApiUser, phone: App, begin: Callable[[], None]
) -> None:
    browser = FormBrowser(app)
    assert browser.sign_in(user.email).status_code == 303
    page = browser.send("/account/security/app/", {"name": "Tablet"})
    secret = page.text.partition('<code class="secret-key"')[2].partition(">")[2].partition("<")[0].replace(" ", "")
    form = {name: hidden_value(page, name) for name in ("csrf_token", "form_id", "set_up")}
    form["code"] = App(phone.id, secret).code()
    begin()

    prompt = browser.post(CONFIRM, form)

    assert (prompt.status_code, "Confirm that it is you" in prompt.text) == (403, True)
    proved = submit_shown_form(browser.client, prompt, code=phone.code())
    assert proved.headers["Location"] == "/account/security/app/"
    form["csrf_token"] = hidden_value(browser.follow(proved))
    assert browser.post(CONFIRM, form).status_code == 303
    assert fetch_number(app, "SELECT count(*) FROM totp_devices WHERE confirmed_at IS NOT NULL") == 2


def test_S25_an_app_may_be_added_with_a_password_while_the_second_step_is_off(user: ApiUser, phone: App) -> None:
    assert confirm_app(user, add_app(user, "Tablet")).status_code == 201
