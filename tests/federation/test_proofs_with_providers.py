"""Proving the identity again by signing in with a linked provider, for accounts without a password."""

from datetime import timedelta

import pytest
from flask import Flask

from tests.support.factories import make_user
from tests.support.fake_provider import FakeProvider
from tests.support.form_browser import FormBrowser, hidden_value
from tests.support.proofs import submit_shown_form
from tests.support.provider_visits import account_of, come_back, continue_url, link_identity, register, visit
from tests.support.sql import execute_sql
from tests.support.staff_imports import move_clock
from userapi.core import clock


@pytest.fixture
def app(provider_app: Flask) -> Flask:
    """An application with a provider."""
    return provider_app


def test_who_has_no_password_proves_the_identity_by_signing_in_with_the_provider_again(
    app: Flask, acme: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme.claims = {"email": "wren@customers.example.com", "email_verified": True}
    browser = FormBrowser(app)
    register(browser, acme)
    move_clock(monkeypatch, timedelta(minutes=16))
    acme.claims |= {"iat": int(clock.now().timestamp()), "exp": int(clock.now().timestamp()) + 300}

    required = browser.get("/password_change/")
    assert required.headers["Location"] == "/prove/?next=/password_change/"
    page = browser.follow(required)
    assert ('name="password"' in page.text, "Continue with Acme" in page.text) == (False, True)
    url = continue_url(browser.post("/prove/acme/", {"csrf_token": hidden_value(page), "next": "/password_change/"}))

    proved = come_back(browser, acme, url)

    following = browser.follow(proved)
    assert following.headers["Location"] == "/password_change/", following.text
    assert browser.follow(following).status_code == 200


@pytest.mark.parametrize("is_own", [True, False])
def test_a_user_without_password_proves_the_identity_with_the_same_account_of_a_linked_provider(
    app: Flask, acme: FakeProvider, monkeypatch: pytest.MonkeyPatch, is_own: bool
) -> None:
    user_id, other = make_user(app, email="wren@customers.example.com"), make_user(app)
    link_identity(app, user_id)
    link_identity(app, other, subject="the other's")
    execute_sql(app, "UPDATE users SET password_hash = NULL")
    browser = FormBrowser(app)
    visit(browser, acme)
    move_clock(monkeypatch, timedelta(minutes=16))
    page = browser.send("/account/security/email/", {"email": "new@example.com"}, form_on="/account/security/")
    acme.claims = {} if is_own else {"sub": "the other's"}
    acme.claims |= {"iat": int(clock.now().timestamp()), "exp": int(clock.now().timestamp()) + 300}

    back = come_back(browser, acme, continue_url(submit_shown_form(browser.client, page)))

    assert account_of(browser)["id"] == user_id
    if not is_own:
        assert back.status_code == 400
        return
    kept = browser.follow(back)
    assert "Identity confirmed" in kept.text
    assert submit_shown_form(browser.client, kept).status_code == 303
    assert account_of(browser)["pending_email"] == "new@example.com"


def test_a_provider_that_is_not_linked_is_no_proof_of_identity(
    app: Flask, acme: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_user(app, email="wren@customers.example.com")
    browser = FormBrowser(app)
    browser.sign_in("wren@customers.example.com")
    execute_sql(app, "UPDATE users SET password_hash = NULL")
    move_clock(monkeypatch, timedelta(minutes=16))

    assert "Continue with" not in browser.get("/prove/").text
