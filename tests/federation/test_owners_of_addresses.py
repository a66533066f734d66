"""The owner of an email address gets the account that someone else opened with it, and no one else keeps access."""

import pytest
from flask import Flask

from tests.support.email_inbox import emails_to
from tests.support.factories import make_user
from tests.support.fake_provider import FakeProvider
from tests.support.form_browser import FormBrowser
from tests.support.provider_visits import account_of, link_identity, register, visit
from tests.support.sql import fetch_number, fetch_rows

VICTIM = "victim@customers.example.com"
NEW_PASSWORD = "copper kettle 4 up"


@pytest.fixture
def attacker(provider_app: Flask, acme: FakeProvider) -> FormBrowser:
    """The browser of someone whose identity signs in to an account with the victim's address."""
    acme.claims = {"email": "attacker@elsewhere.example", "email_verified": False}
    browser = FormBrowser(provider_app)
    assert register(browser, acme, email=VICTIM).status_code == 303
    assert account_of(browser)["email_verified"] is False
    return browser


def count_identities(app: Flask) -> int:
    return fetch_number(app, "SELECT count(*) FROM identities")


def set_password(app: Flask, template: str, path: str) -> None:
    """Set a password with the link in the newest email of a kind, as the owner of the mailbox."""
    sent = emails_to(app, VICTIM, template)[-1]
    new = {"uid": sent.uid, "token": sent.token, "new_password1": NEW_PASSWORD, "new_password2": NEW_PASSWORD}
    done = app.test_client().post(path, json=new)
    assert done.status_code == 200, done.text


def reset_password(app: Flask) -> None:
    app.test_client().post("/userapi/auth/password/reset/", json={"email": VICTIM})
    set_password(app, "reset_password", "/userapi/auth/password/reset/confirm/")


def test_I19_who_registered_an_address_with_a_provider_loses_it_to_the_owner_of_the_mailbox(
    provider_app: Flask, attacker: FormBrowser, acme: FakeProvider
) -> None:
    reset_password(provider_app)

    assert account_of(attacker) is None
    assert visit(attacker, acme).headers["Location"] == "/register/acme/"
    assert count_identities(provider_app) == 0
    assert fetch_rows(provider_app, "SELECT email_verified_at IS NULL FROM users") == [(False,)]


def test_a_reset_of_a_confirmed_account_keeps_its_identities(provider_app: Flask) -> None:
    link_identity(provider_app, make_user(provider_app, email=VICTIM, email_verified=True))

    reset_password(provider_app)

    assert count_identities(provider_app) == 1
