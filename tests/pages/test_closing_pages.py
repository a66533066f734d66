"""The pages that close an account and restore it."""

import pytest
from flask import Flask

from tests.pages.test_second_click import assert_same_redirects, click_twice, fill
from tests.support.api_client import ApiUser, can_sign_in
from tests.support.closed_accounts import NEW_PASSWORD, closing_token
from tests.support.email_inbox import all_emails
from tests.support.factories import PASSWORD
from tests.support.form_browser import FormBrowser

CLOSE = "/account/close/"
NEW = {"new_password1": NEW_PASSWORD, "new_password2": NEW_PASSWORD}


@pytest.fixture
def browser(app: Flask, user: ApiUser) -> FormBrowser:
    browser = FormBrowser(app)
    assert browser.sign_in(user.email).status_code == 303
    return browser


def test_W79_the_page_says_what_happens_and_closes_the_account_with_the_password(
    app: Flask, user: ApiUser, browser: FormBrowser
) -> None:
    page = browser.get(CLOSE)
    wrong = browser.send(CLOSE, {"password": "not my password at all"})
    closed = browser.follow(browser.send(CLOSE, {"password": PASSWORD}))

    assert user.email in page.text
    assert "Until <time" in page.text
    assert (wrong.status_code, "This is not your current password." in wrong.text) == (400, True)
    assert "Your account is closed" in closed.text
    assert browser.cookie("access_token") is None
    assert browser.get("/account/").status_code == 303
    assert len(all_emails(app, "account_closing")) == 1


@pytest.mark.both
def test_an_account_that_is_closed_by_two_clicks_gets_two_equal_responses(app: Flask, browser: FormBrowser) -> None:
    form = fill(browser, CLOSE, {"password": PASSWORD})

    responses = click_twice(browser, CLOSE, form)

    assert_same_redirects(responses, "/account-closed/")
    assert len(all_emails(app, "account_closing")) == 1


def test_W80_the_link_from_the_email_leads_to_a_form_that_restores_the_account(
    app: Flask, user: ApiUser, browser: FormBrowser
) -> None:
    browser.send(CLOSE, {"password": PASSWORD})
    path = f"/restore-account/{closing_token(app, user.email)}/"

    opened = browser.get(path)
    form = browser.follow(opened)
    weak = browser.send(opened.headers["Location"], {"new_password1": "password", "new_password2": "password"})
    restored = browser.follow(browser.send(opened.headers["Location"], NEW))
    again = browser.get(path)

    assert opened.headers["Referrer-Policy"] == "no-referrer"
    assert (user.email in form.text, weak.status_code) == (True, 400)
    assert "Your account has been restored." in restored.text
    assert can_sign_in(app, user.email, NEW_PASSWORD)
    assert (again.status_code, "already restored" in again.text) == (400, True)
