"""Signing in with a provider on the pages."""

import pytest
from flask import Flask

from tests.support.fake_provider import FakeProvider
from tests.support.form_browser import FormBrowser
from tests.support.provider_visits import account_of, register, visit
from tests.support.sql import fetch_rows

WREN = {"email": "wren@customers.example.com", "email_verified": True, "given_name": "Wren", "family_name": "Okafor"}


@pytest.fixture
def firefox(provider_app: Flask) -> FormBrowser:
    """A browser of the application whose users can sign in with a provider."""
    return FormBrowser(provider_app)


def test_a_registration_and_the_next_sign_in_with_a_provider(
    provider_app: Flask, firefox: FormBrowser, acme: FakeProvider
) -> None:
    acme.claims = WREN
    done = register(firefox, acme)

    assert (done.status_code, done.headers["Location"]) == (303, "/account/"), done.text
    mine = account_of(firefox)
    assert mine is not None
    assert (mine["email_verified"], mine["has_password"]) == (True, False)

    again = FormBrowser(provider_app)
    signed_in = visit(again, acme, "/account/devices/")
    assert (signed_in.status_code, signed_in.headers["Location"]) == (303, "/account/devices/"), signed_in.text
    assert account_of(again) == {**mine, "last_login": account_of(again)["last_login"]}
    assert {row[0] for row in fetch_rows(provider_app, "SELECT way FROM login_sessions")} == {"provider:acme"}
