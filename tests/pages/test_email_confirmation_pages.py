"""The page that confirms an email address, and the form that requests the email again."""

import pytest
from flask import Flask

from tests.support.api_client import ApiUser
from tests.support.email_inbox import Email, emails_to
from tests.support.factories import PASSWORD, new_user
from tests.support.form_browser import FormBrowser, hidden_value, input_value


def register(app: Flask) -> str:
    """Register an account whose email address is not confirmed; return the address."""
    wanted = new_user()
    assert app.test_client().post("/userapi/users/", json=wanted).status_code == 201
    return str(wanted["email"])


def path_of(email: Email) -> str:
    return f"/verify-email/{email.token}/"


def is_verified(app: Flask, email: str) -> bool:
    browser = FormBrowser(app)
    browser.sign_in(email)
    return "This email address is confirmed." in browser.get("/account/security/").text


def test_F11_looking_at_the_link_confirms_nothing_and_the_button_does(app: Flask) -> None:
    email = register(app)
    link = path_of(emails_to(app, email)[0])
    browser = FormBrowser(app)

    for _ in range(2):
        page = browser.get(link)
        browser.client.head(link)
    before = is_verified(app, email)
    response = browser.send(link)

    assert f"Confirm that <strong>{email}</strong> is your email address." in page.text
    assert not before
    assert response.headers["Location"] == "/login/"
    assert is_verified(app, email)


def test_F12_the_page_does_not_leak_the_link(app: Flask) -> None:
    email = emails_to(app, register(app))[0]

    page = FormBrowser(app).get(path_of(email))

    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert page.headers["Cache-Control"] == "no-store"
    assert email.token not in page.text


def test_F18_confirming_signs_no_one_in_and_fills_in_the_email(app: Flask) -> None:
    email = register(app)
    browser = FormBrowser(app)

    form = browser.follow(browser.send(path_of(emails_to(app, email)[0])))

    assert browser.cookie("access_token") is None
    assert "Your email address has been confirmed." in form.text
    assert input_value(form, "email") == email
    assert email not in str(browser.cookie("sign_in_email", "/login/"))


def test_a_signed_in_user_continues_to_the_account(app: Flask) -> None:
    email = register(app)
    browser = FormBrowser(app)
    browser.sign_in(email)

    response = browser.send(path_of(emails_to(app, email)[0]))

    assert response.headers["Location"] == "/account/security/"
    assert "This email address is confirmed." in browser.follow(response).text


def test_the_page_names_the_new_email_of_a_change(app: Flask, user: ApiUser) -> None:
    user.post("/userapi/auth/email/change/", json={"email": "new@example.org", "password": PASSWORD})

    page = FormBrowser(app).get(path_of(emails_to(app, "new@example.org")[0]))

    assert "Confirm that <strong>new@example.org</strong> is your email address." in page.text


@pytest.mark.parametrize("kind", ["used", "altered", "for another purpose"])
def test_F05_F06_every_bad_link_gets_the_same_helpful_page(app: Flask, user: ApiUser, kind: str) -> None:
    email = register(app)
    link = path_of(emails_to(app, email)[0])
    browser = FormBrowser(app)
    if kind == "used":
        assert browser.send(link).status_code == 303
    elif kind == "altered":
        link = f"/verify-email/{'A' * 43}/"
    else:
        browser.send("/password_reset/", {"email": user.email})
        link = path_of(emails_to(app, user.email, "reset_password")[0])

    looked = browser.get(link)
    sent = browser.post(link, {"csrf_token": hidden_value(browser.get("/login/"))})

    for rejected in (looked, sent):
        assert rejected.status_code == 400
        assert "This link is no longer valid" in rejected.text
        assert 'href="/verify-email/"' in rejected.text
    assert is_verified(app, email) is (kind == "used")


def test_H15_a_form_without_a_csrf_token_confirms_nothing(app: Flask) -> None:
    email = register(app)
    link = path_of(emails_to(app, email)[0])
    browser = FormBrowser(app)
    browser.get(link)

    assert browser.post(link, {}).status_code == 403
    assert not is_verified(app, email)
    assert browser.send(link).status_code == 303


def test_F19_requesting_the_email_again_gets_the_same_response_for_everyone(app: Flask) -> None:
    email = register(app)

    waiting = FormBrowser(app).send("/verify-email/", {"email": email})
    unknown = FormBrowser(app).send("/verify-email/", {"email": "unknown@example.com"})

    assert waiting.headers["Location"] == unknown.headers["Location"] == "/verify-email/sent/"
    assert waiting.text == unknown.text
    assert len(emails_to(app, email, "verify_email")) == 2
    assert emails_to(app, "unknown@example.com") == []
