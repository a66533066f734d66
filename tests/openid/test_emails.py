"""The emails with which users learn what client applications may do, and of stolen tokens."""

from functools import partial

import pytest
from flask import Flask

from tests.support.email_inbox import emails_to
from tests.support.form_browser import FormBrowser
from tests.support.race import run_simultaneously
from tests.support.relying_party import RelyingParty, make_client
from tests.support.sql import fetch_number


def test_the_first_consent_is_reported_and_no_other(
    app: Flask, email: str, signed_in: FormBrowser, handbook: RelyingParty
) -> None:
    make_client(app, "Payroll", is_first_party=True).sign_in(signed_in)

    handbook.sign_in(signed_in, scope="openid")
    handbook.sign_in(signed_in, scope="openid email")

    (sent,) = emails_to(app, email, "app_allowed")
    for part in (sent.text, sent.html):
        assert "you allowed Handbook to sign you in" in part
        assert "Not you?" in part
        assert "/account/apps/" in part


@pytest.mark.both
def test_a_used_refresh_token_is_reported_once_to_the_user(
    app: Flask, email: str, signed_in: FormBrowser, handbook: RelyingParty
) -> None:
    used = handbook.sign_in(signed_in)["refresh_token"]
    handbook.refresh(handbook.refresh(used).get_json()["refresh_token"])

    responses = run_simultaneously([partial(handbook.refresh, used)] * 3)

    assert {response.status_code for response in responses} == {400}
    (sent,) = emails_to(app, email, "app_token_reused")
    for part in (sent.text, sent.html):
        assert "The access of Handbook to your account" in part
        assert "Not you?" in part
    assert fetch_number(app, "SELECT count(*) FROM audit_events WHERE action = 'app.token_reused'") == 1
