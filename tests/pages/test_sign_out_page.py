"""The sign-out page."""

import pytest
from flask import Flask

from tests.support.api_client import ApiUser
from tests.support.form_browser import FormBrowser, hidden_value


def test_H18_signing_out_ends_the_session_and_lets_the_browser_forget_it(app: Flask, user: ApiUser) -> None:
    browser = FormBrowser(app)
    browser.sign_in(user.email)
    stolen = browser.cookie("access_token").value
    assert browser.get("/account/").status_code == 200

    response = browser.send("/logout/")

    assert response.headers["Clear-Site-Data"] == '"cache", "cookies", "storage"'
    assert "You have been signed out of this browser." in browser.follow(response).text
    assert browser.cookie("access_token") is None
    browser.client.set_cookie("access_token", stolen)
    assert browser.get("/account/").headers["Location"] == "/login/?next=/account/"


def test_H18_looking_at_the_page_ends_nothing_and_every_page_leads_to_it(app: Flask, user: ApiUser) -> None:
    browser = FormBrowser(app)
    browser.sign_in(user.email)

    page = browser.get("/logout/")

    assert "Sign out?" in page.text
    assert 'action="/logout/"' in browser.get("/account/").text
    assert browser.get("/account/").status_code == 200


@pytest.mark.parametrize("token", ["", "0" * 32])
def test_A02_a_forged_form_signs_no_one_out(app: Flask, user: ApiUser, token: str) -> None:
    browser = FormBrowser(app)
    browser.sign_in(user.email)

    rejected = browser.post("/logout/", {"csrf_token": token})

    assert rejected.status_code == 403
    assert browser.get("/account/").status_code == 200
    assert browser.send("/logout/").status_code == 303


def test_signing_out_keeps_the_other_sessions(app: Flask, user: ApiUser) -> None:
    browser = FormBrowser(app)
    browser.sign_in(user.email)

    browser.send("/logout/")

    assert user.get("/userapi/auth/user/").status_code == 200


def test_signing_out_twice_is_no_error(app: Flask, user: ApiUser) -> None:
    browser = FormBrowser(app)
    browser.sign_in(user.email)
    token = hidden_value(browser.get("/logout/"))
    browser.post("/logout/", {"csrf_token": token})

    again = browser.post("/logout/", {"csrf_token": token})

    assert again.headers["Location"] == "/logout/"
    assert "You have been signed out of this browser." in browser.follow(again).text
