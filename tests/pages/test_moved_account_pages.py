"""Forms of the earlier account page, which was one page, still work after it became several."""

from flask import Flask

from tests.support.api_client import ApiUser
from tests.support.factories import PASSWORD
from tests.support.form_browser import FormBrowser


def test_a_form_of_the_earlier_page_changes_the_email_address(app: Flask, user: ApiUser) -> None:
    browser = FormBrowser(app)
    browser.sign_in(user.email)

    response = browser.send("/account/email/", {"email": "wren@example.org", "password": PASSWORD}, form_on="/account/")
    again = browser.send("/account/email/resend/", form_on="/account/")

    assert response.headers["Location"] == again.headers["Location"] == "/account/security/"
    assert user.get("/userapi/auth/user/").get_json()["pending_email"] == "wren@example.org"


def test_forms_of_the_earlier_page_end_sessions(app: Flask, user: ApiUser) -> None:
    browser = FormBrowser(app)
    browser.sign_in(user.email)
    sessions = user.get("/userapi/auth/sessions/").get_json()["results"]
    (api,) = [session["id"] for session in sessions if session["current"]]

    ended = browser.send(f"/account/sessions/{api}/end/", form_on="/account/")
    others = browser.send("/account/sessions/end-others/", form_on="/account/")

    assert ended.headers["Location"] == others.headers["Location"] == "/account/devices/"
    assert user.get("/userapi/auth/user/").status_code == 401
