"""A code by email as a recent proof of identity, for accounts without a password."""

import secrets
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask

from tests.support.api_client import ApiUser
from tests.support.email_delivery import clock_mover
from tests.support.factories import make_user
from tests.support.form_browser import FormBrowser
from tests.support.mailed_codes import code_in, newest_email, other_code
from tests.support.proofs import PROVE, shown_form, submit_shown_form
from tests.support.second_factors import set_up_app
from tests.support.sql import execute_sql, fetch_rows

CODE = "/userapi/auth/code/"
DATA = "/userapi/auth/data/"


@pytest.fixture
def app(app: Flask) -> Flask:
    """The application with codes by email."""
    app.config["SIGN_IN_BY_MAIL"] = "code"
    return app


@pytest.fixture
def user(app: Flask, make_api_user: Callable[..., ApiUser]) -> ApiUser:
    """A user without a password, who signed in a while ago."""
    user = make_api_user(email_verified=True)
    execute_sql(app, "UPDATE users SET password_hash = NULL")
    execute_sql(app, "UPDATE login_sessions SET proved_at = '2026-01-01 00:00:00'")
    return user


def test_a_user_without_a_password_proves_the_identity_by_a_code(app: Flask, user: ApiUser) -> None:
    needed = user.get(DATA)
    assert (needed.status_code, needed.get_json()["ways"]) == (403, ["mailed_code"])

    requested = user.post(CODE, json={"purpose": "prove"})
    assert requested.status_code == 202
    email = newest_email(app, user.email)
    assert email.subject == "Your confirmation code"
    proof = {"challenge": requested.get_json()["challenge"], "code": code_in(email)}
    assert user.post(PROVE, json={**proof, "code": other_code(code_in(email))}).get_json()["code"] == "invalid_code"
    proved = user.post(PROVE, json=proof)

    assert proved.status_code == 200, proved.text
    user.tokens = {**user.tokens, **proved.get_json()}
    assert user.get(DATA).status_code == 200
    assert user.post(PROVE, json=proof).status_code == 401
    assert fetch_rows(app, "SELECT amr FROM login_sessions") == [("email",)]


def test_a_password_or_a_second_step_cannot_be_replaced_by_a_code(
    app: Flask, user: ApiUser, make_api_user: Callable[..., ApiUser]
) -> None:
    with_password = make_api_user(email_verified=True)
    set_up_app(app, user.id)

    for caller in (with_password, user):
        for response in (
            caller.post(CODE, json={"purpose": "prove"}),
            caller.post(PROVE, json={"challenge": "5f2b0c1e-9d3a-4e57-8c64-1a7f0e2b9d35", "code": "12345678"}),
        ):
            assert (response.status_code, response.get_json()["code"]) == (403, "proof_needed")


def test_a_code_of_another_user_is_no_proof(app: Flask, user: ApiUser, make_api_user: Callable[..., ApiUser]) -> None:
    other = make_api_user(email_verified=True)
    execute_sql(app, "UPDATE users SET password_hash = NULL")
    challenge = other.post(CODE, json={"purpose": "prove"}).get_json()["challenge"]
    code = code_in(newest_email(app, other.email))

    assert user.post(PROVE, json={"challenge": challenge, "code": code}).status_code == 401


def test_only_a_signed_in_user_requests_a_code_for_a_proof(app: Flask) -> None:
    response = app.test_client().post(CODE, json={"purpose": "prove", "email": "wren@example.com"})

    assert response.status_code == 401


def test_the_page_sends_a_code_and_keeps_the_form_that_was_submitted(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    email = "wren@example.com"
    make_user(app, email=email, email_verified=True)
    browser = FormBrowser(app)
    browser.sign_in(email)
    execute_sql(app, "UPDATE users SET password_hash = NULL")
    clock_mover(monkeypatch)(timedelta(minutes=20))

    page = browser.send("/account/security/email/", {"email": "new@example.com"}, form_on="/account/security/")
    assert 'name="password"' not in page.text
    redirected = submit_shown_form(browser.client, page)
    sent = browser.follow(redirected)
    assert shown_form(browser.get(f"{redirected.headers['Location']}&lang=en"))[1] == shown_form(sent)[1]
    assert f"We have sent a code to <strong>{email}</strong>" in sent.text
    code = code_in(newest_email(app, email))
    wrong = submit_shown_form(browser.client, sent, code=other_code(code))
    assert wrong.status_code == 401
    assert "This code is not valid" in wrong.text
    proved = submit_shown_form(browser.client, wrong, code=code)

    assert "Identity confirmed" in proved.text
    assert submit_shown_form(browser.client, proved).headers["Location"] == "/account/security/"
    assert fetch_rows(app, "SELECT pending_email FROM users") == [("new@example.com",)]


def test_a_form_too_long_to_keep_does_not_prevent_the_proof(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    email = "wren@example.com"
    make_user(app, email=email, email_verified=True)
    browser = FormBrowser(app)
    browser.sign_in(email)
    execute_sql(app, "UPDATE users SET password_hash = NULL")
    clock_mover(monkeypatch)(timedelta(minutes=20))

    fields = {"form": secrets.token_hex(3000), "next": "/account/security/"}
    requested = browser.send("/prove/code/", fields, form_on="/prove/")
    sent = browser.follow(requested)
    proved = submit_shown_form(browser.client, sent, code=code_in(newest_email(app, email)))

    assert (proved.status_code, proved.headers["Location"]) == (303, "/account/security/")
