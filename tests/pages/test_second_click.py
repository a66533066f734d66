"""Single-use forms that are sent twice: the second response is the same as the first (B15)."""

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from werkzeug.test import TestResponse

from tests.support.api_client import ApiUser, can_sign_in
from tests.support.email_inbox import emails_to
from tests.support.factories import PASSWORD, PROFILE, make_user, sequence
from tests.support.form_browser import BROWSER_HEADERS, FormBrowser, hidden_value
from tests.support.race import run_simultaneously
from userapi.core.db import db
from userapi.invitations import sending
from userapi.invitations.sending import NewInvitation

pytestmark = pytest.mark.both

NEW_PASSWORD = "brittle harbour lantern 42"


def fill(browser: FormBrowser, path: str, fields: dict[str, str], form_on: str | None = None) -> dict[str, str]:
    """The fields of a form as a browser sends them, including the hidden ones."""
    page = browser.get(form_on or path)
    assert page.status_code == 200, page.text
    return {**fields, "csrf_token": hidden_value(page), "form_id": hidden_value(page, "form_id")}


def click_twice(browser: FormBrowser, path: str, form: dict[str, str]) -> list[TestResponse]:
    """Send one form twice at the same time, with the current cookies of the browser."""
    cookies = "; ".join(
        f"{cookie.key}={cookie.value}" for cookie in browser.client._cookies.values() if path.startswith(cookie.path)
    )

    def send() -> TestResponse:
        client = browser.client.application.test_client(use_cookies=False)
        return client.post(path, data=form, headers={**BROWSER_HEADERS, "Cookie": cookies})

    return run_simultaneously([send, send])


def assert_same_redirects(responses: list[TestResponse], location: str) -> None:
    assert [response.status_code for response in responses] == [303, 303], [response.text for response in responses]
    assert [response.headers["Location"] for response in responses] == [location, location]


def registration() -> dict[str, str]:
    profile = {f"profile.{name}": text for name, text in PROFILE.items()}
    return {"email": f"clicker{next(sequence)}@example.com", "password": PASSWORD, **profile}


def cookies_of(response: TestResponse) -> list[str]:
    return [header.partition("=")[0] for header in response.headers.getlist("Set-Cookie")]


def count(app: Flask, statement: str) -> Any:
    with app.app_context():
        return db.session.scalar(sa.text(statement))


def test_a_registration_sent_twice_creates_one_account(app: Flask) -> None:
    browser, typed = FormBrowser(app), registration()
    form = fill(browser, "/register/", typed)

    responses = click_twice(browser, "/register/", form)

    assert_same_redirects(responses, "/account/")
    for response in responses:
        assert {"access_token", "refresh_token", "notice"} <= set(cookies_of(response))
    assert count(app, "SELECT count(*) FROM users") == 1
    assert count(app, "SELECT count(*) FROM login_sessions") == 1
    assert len(emails_to(app, typed["email"])) == 1


def test_a_registration_sent_twice_without_sign_in_gets_two_equal_responses(make_app: Callable[..., Flask]) -> None:
    app = make_app(EMAIL_VERIFICATION="mandatory")
    browser = FormBrowser(app)

    responses = click_twice(browser, "/register/", fill(browser, "/register/", registration()))

    assert_same_redirects(responses, "/login/")
    assert all("access_token" not in cookies_of(response) for response in responses)


def test_a_confirmation_of_an_email_sent_twice_gets_two_equal_responses(app: Flask, user: ApiUser) -> None:
    user.client.post("/userapi/auth/email/resend/", json={"email": user.email})
    browser, link = FormBrowser(app), f"/verify-email/{emails_to(app, user.email)[0].token}/"

    responses = click_twice(browser, link, fill(browser, link, {}))

    assert_same_redirects(responses, "/login/")


def test_a_password_reset_sent_twice_gets_two_equal_responses(app: Flask, user: ApiUser) -> None:
    user.client.post("/userapi/auth/password/reset/", json={"email": user.email})
    email = emails_to(app, user.email)[0]
    browser = FormBrowser(app)
    path = browser.get(f"/reset/{email.uid}/{email.token}/").headers["Location"]
    typed = {"new_password1": NEW_PASSWORD, "new_password2": NEW_PASSWORD}

    responses = click_twice(browser, path, fill(browser, path, typed))

    assert_same_redirects(responses, "/reset/done/")
    assert can_sign_in(app, user.email, NEW_PASSWORD)
    assert len(emails_to(app, user.email, "password_changed")) == 1


def test_an_invitation_accepted_twice_gets_two_equal_responses(app: Flask) -> None:
    with app.app_context():
        sending.send(NewInvitation("new@example.com"), by=None)
        db.session.commit()
    email = emails_to(app, "new@example.com")[0]
    browser = FormBrowser(app)
    path = browser.get(f"/invitation/{email.token}/").headers["Location"]

    responses = click_twice(browser, path, fill(browser, path, {"password": NEW_PASSWORD}))

    assert_same_redirects(responses, "/register/profile/")
    assert all("access_token" in cookies_of(response) for response in responses)


def test_a_change_of_password_sent_twice_counts_no_failed_sign_in(make_app: Callable[..., Flask]) -> None:
    app = make_app(RATELIMIT_ENABLED="true", RATELIMIT_PASSWORD_CHECK="1 per hour")
    make_user(app, email="ada@example.com")
    browser = FormBrowser(app)
    browser.sign_in("ada@example.com")
    typed = {"old_password": PASSWORD, "new_password1": NEW_PASSWORD, "new_password2": NEW_PASSWORD}

    responses = click_twice(browser, "/password_change/", fill(browser, "/password_change/", typed))

    assert_same_redirects(responses, "/password_change/done/")
    assert count(app, "SELECT count(*) FROM audit_events WHERE action = 'user.password_check_failed'") == 0
    back = {"old_password": NEW_PASSWORD, "new_password1": PASSWORD, "new_password2": PASSWORD}
    assert browser.send("/password_change/", back).status_code == 303


def test_undoing_a_change_of_email_twice_gets_two_equal_responses(
    app: Flask, make_api_user: Callable[..., ApiUser]
) -> None:
    user = make_api_user(email_verified=True)
    user.post("/userapi/auth/email/change/", json={"email": "thief@example.org", "password": PASSWORD})
    token = emails_to(app, "thief@example.org")[0].token
    user.client.post("/userapi/auth/email/verify/", json={"token": token})
    browser, link = FormBrowser(app), f"/undo-email-change/{emails_to(app, user.email)[0].token}/"

    responses = click_twice(browser, link, fill(browser, link, {}))

    assert_same_redirects(responses, "/undo-email-change/done/")
    assert len(emails_to(app, user.email, "reset_password")) == 1


def test_ending_a_session_twice_gets_two_equal_responses(app: Flask, user: ApiUser) -> None:
    browser = FormBrowser(app)
    browser.sign_in(user.email)
    (session,) = [row["id"] for row in user.get("/userapi/auth/sessions/").get_json()["results"] if row["current"]]
    path = f"/account/devices/{session}/end/"

    responses = click_twice(browser, path, fill(browser, path, {}, form_on="/account/devices/"))

    assert_same_redirects(responses, "/account/devices/")


def test_a_change_of_email_sent_twice_sends_one_email(app: Flask, user: ApiUser) -> None:
    browser = FormBrowser(app)
    browser.sign_in(user.email)
    form = fill(
        browser,
        "/account/security/email/",
        {"email": "new@example.org", "password": PASSWORD},
        form_on="/account/security/",
    )

    responses = click_twice(browser, "/account/security/email/", form)

    assert_same_redirects(responses, "/account/security/")
    assert len(emails_to(app, "new@example.org")) == 1


def test_a_form_sent_again_shortly_after_is_the_same_click(app: Flask) -> None:
    browser, typed = FormBrowser(app), registration()
    form = fill(browser, "/register/", typed)
    visitor = browser.cookie("visitor").value

    first = browser.post("/register/", form)
    browser.client.set_cookie("visitor", visitor)
    again = browser.post("/register/", form)
    other = FormBrowser(app).post("/register/", form)

    assert_same_redirects([first, again], "/account/")
    assert other.status_code == 403


def test_the_same_form_with_other_values_is_another_submission(app: Flask, user: ApiUser) -> None:
    browser = FormBrowser(app)
    browser.sign_in(user.email)
    form = fill(browser, "/account/", {"first_name": "Robin", "last_name": "", "username": ""})

    browser.post("/account/", form)
    browser.post("/account/", {**form, "first_name": "Wren"})

    assert user.get("/userapi/auth/user/").get_json()["first_name"] == "Wren"


def test_a_rejected_form_can_be_sent_again(app: Flask, user: ApiUser) -> None:
    browser = FormBrowser(app)
    browser.sign_in(user.email)
    typed = {"old_password": "not my password at all", "new_password1": NEW_PASSWORD, "new_password2": NEW_PASSWORD}
    form = fill(browser, "/password_change/", typed)

    responses = [browser.post("/password_change/", form) for _ in range(2)]

    assert [response.status_code for response in responses] == [400, 400]


def test_an_old_submission_is_no_second_click(app: Flask, user: ApiUser) -> None:
    browser = FormBrowser(app)
    browser.sign_in(user.email)
    typed = {"old_password": PASSWORD, "new_password1": NEW_PASSWORD, "new_password2": NEW_PASSWORD}
    form = fill(browser, "/password_change/", typed)
    assert browser.post("/password_change/", form).status_code == 303
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(sa.text("UPDATE form_submissions SET created_at = '2026-01-01 00:00:00+00:00'"))

    late = browser.post("/password_change/", form)

    assert late.status_code == 400
    assert "This is not your current password." in late.text


def test_a_session_that_has_ended_is_not_returned_again(app: Flask) -> None:
    browser, typed = FormBrowser(app), registration()
    form = fill(browser, "/register/", typed)
    visitor = browser.cookie("visitor").value
    browser.post("/register/", form)
    browser.send("/logout/")
    browser.client.set_cookie("visitor", visitor)

    again = browser.post("/register/", form)

    assert again.status_code == 303
    assert "access_token" not in cookies_of(again)


@pytest.mark.usefixtures("user")
def test_what_is_stored_of_a_submission_contains_no_secrets(app: Flask) -> None:
    browser, typed = FormBrowser(app), registration()
    browser.post("/register/", fill(browser, "/register/", typed))

    with app.app_context():
        (row,) = db.session.execute(sa.text("SELECT * FROM form_submissions")).all()
    assert typed["email"] not in str(row)
    assert PASSWORD not in str(row)
