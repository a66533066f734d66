"""Passkeys on the pages: a form has what a script made of a passkey."""

import json
import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from flask import Flask

from tests.support.authenticator import Authenticator
from tests.support.factories import make_account, make_user
from tests.support.form_browser import BROWSER_HEADERS, FormBrowser, hidden_value
from tests.support.passkeys import add_passkey, request_sign_in
from tests.support.sql import fetch_number
from userapi.mfa.passkey_options import encode

LOGIN, SECOND_STEP = "/login/passkey/", "/login/second-step/passkey/"


@pytest.fixture
def authenticator(app: Flask) -> Authenticator:
    """An authenticator with a passkey of a user."""
    return add_passkey(app, make_user(app, email_verified=True, language="de"))


def send(browser: FormBrowser, credential: Any, **fields: str) -> Any:
    return browser.send(LOGIN, {"credential": json.dumps(credential), **fields}, form_on="/login/")


def test_S63_the_form_signs_in_and_continues_to_the_requested_page(app: Flask, authenticator: Authenticator) -> None:
    browser = FormBrowser(app)

    response = send(browser, authenticator.get(request_sign_in(app)), next="/account/devices/")

    assert response.headers["Location"] == "/account/devices/"
    assert browser.get("/account/devices/").status_code == 200
    assert browser.cookie("visitor") is None


def test_S67_the_form_continues_to_pages_of_this_site_only(app: Flask, authenticator: Authenticator) -> None:
    response = send(FormBrowser(app), authenticator.get(request_sign_in(app)), next="//evil.example/")

    assert response.headers["Location"] == "/account/"


def test_S66_a_form_of_another_site_does_not_sign_in(app: Flask, authenticator: Authenticator) -> None:
    fields = {"credential": json.dumps(authenticator.get(request_sign_in(app)))}

    response = app.test_client().post(LOGIN, data=fields, headers={**BROWSER_HEADERS, "Sec-Fetch-Site": "cross-site"})

    assert response.status_code == 403
    assert fetch_number(app, "SELECT count(*) FROM login_sessions") == 0


@pytest.mark.parametrize("sent", ["", "{", "[]", "null", "{}", '{"id": 7}', "x" * 50_000])
def test_S55_a_malformed_credential_shows_the_sign_in_page_with_an_error(app: Flask, sent: str) -> None:
    page = FormBrowser(app).send(LOGIN, {"credential": sent}, form_on="/login/")

    assert page.status_code in (400, 401)
    assert 'role="alert"' in page.text
    assert 'action="/login/"' in page.text


def test_the_page_offers_no_passkeys_where_there_can_be_none(make_app: Callable[..., Flask]) -> None:
    for settings in ({"SITE_URL": "http://127.0.0.1:8000"}, {"PASSKEY_SIGN_IN": "false"}):
        page = FormBrowser(make_app(**settings)).get("/login/")

        assert "passkey" not in page.text
        assert 'autocomplete="username"' in page.text


def test_the_account_page_names_the_passkeys_to_the_browser_after_a_sign_in_with_one(
    app: Flask, authenticator: Authenticator
) -> None:
    browser = FormBrowser(app)

    page = browser.follow(send(browser, authenticator.get(request_sign_in(app))))

    known = json.loads(unescape(re.findall('data-passkeys-known="([^"]+)"', page.text)[0]))
    assert known["ids"] == [encode(authenticator.passkeys[0].credential_id)]
    assert "ui/passkeys.js" in page.text


def test_the_account_page_names_no_passkeys_after_a_sign_in_with_a_password(app: Flask) -> None:
    browser = FormBrowser(app)

    page = browser.follow(browser.sign_in(make_account(app)))

    assert "passkeys" not in page.text


def test_a_device_is_remembered_after_a_passkey_only_if_its_user_wants_it(app: Flask) -> None:
    email = make_account(app, email_verified=True)
    authenticator = add_passkey(app, fetch_number(app, "SELECT max(id) FROM users"))
    browser = FormBrowser(app)

    def use_passkey(**typed: str) -> None:
        page = browser.follow(browser.sign_in(email))
        options = json.loads(unescape(re.findall('data-public-key="([^"]+)"', page.text)[0]))
        credential = json.dumps(authenticator.get(options))
        done = browser.post(SECOND_STEP, {"credential": credential, "csrf_token": hidden_value(page), **typed})
        assert done.headers["Location"] == "/account/", done.text

    use_passkey()
    assert browser.cookie("device") is None
    browser.send("/logout/")
    use_passkey(remember_device="true")
    browser.send("/logout/")

    assert browser.sign_in(email).headers["Location"] == "/account/"
