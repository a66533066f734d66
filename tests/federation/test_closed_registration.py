"""Registration with a provider obeys the settings of registration."""

from flask import Flask

from tests.support.fake_provider import FakeProvider
from tests.support.form_browser import FormBrowser
from tests.support.provider_visits import account_of, register, send_registration, visit
from tests.support.sql import fetch_number, fetch_rows

WREN = {"email": "wren@customers.example.com", "email_verified": True, "given_name": "Wren"}


def test_W77_a_provider_opens_no_account_while_registration_is_closed(provider_app: Flask, acme: FakeProvider) -> None:
    acme.claims = WREN
    before, later = FormBrowser(provider_app), FormBrowser(provider_app)
    visit(before, acme)  # has the ticket already
    for mode in ("invited", "closed"):
        provider_app.config["REGISTRATION"] = mode

        declined = visit(later, acme)
        with_ticket = send_registration(before)

        assert declined.status_code == 401
        assert with_ticket.status_code == 403
        assert account_of(later) is None
    assert fetch_number(provider_app, "SELECT count(*) FROM users") == 0
    provider_app.config["REGISTRATION"] = "open"
    assert send_registration(before).status_code == 303


def test_registration_with_a_provider_accepts_the_terms_and_the_domain(provider_app: Flask, acme: FakeProvider) -> None:
    provider_app.config |= {
        "TERMS_VERSION": "2", "TERMS_URL": "https://example.com/terms", "REGISTRATION_EMAIL_DOMAINS": ("example.net",),
    }  # fmt: skip
    acme.claims = WREN
    browser = FormBrowser(provider_app)

    without_terms = register(browser, acme)
    outside = send_registration(browser, terms_accepted="true")
    provider_app.config["REGISTRATION_EMAIL_DOMAINS"] = ("example.com",)
    done = send_registration(browser, terms_accepted="true")

    assert "Accept the terms" in without_terms.text
    assert "one of these domains: example.net" in outside.text
    assert done.status_code == 303
    assert fetch_rows(provider_app, "SELECT terms_version FROM users") == [("2",)]
