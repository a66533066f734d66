"""The page that creates an account."""

import re
from collections.abc import Callable

import pytest
from flask import Flask

from tests.support.api_client import ApiUser
from tests.support.email_inbox import emails_to
from tests.support.factories import PASSWORD, PROFILE, sequence
from tests.support.form_browser import BROWSER_HEADERS, FormBrowser, hidden_value, input_value


def registration(**changes: str) -> dict[str, str]:
    """The fields of a valid registration."""
    profile = {f"profile.{name}": text for name, text in PROFILE.items()}
    names = {"first_name": "Wren", "last_name": "Okafor", "username": ""}
    return {"email": f"newcomer{next(sequence)}@example.com", "password": PASSWORD, **names, **profile, **changes}


@pytest.mark.parametrize("verification", ["none", "optional"])
def test_the_form_creates_an_account_and_signs_in(make_app: Callable[..., Flask], verification: str) -> None:
    app = make_app(EMAIL_VERIFICATION=verification)
    browser, typed = FormBrowser(app), registration()

    response = browser.send("/register/", typed)

    assert response.headers["Location"] == "/account/"
    page = browser.follow(response)
    assert "Your account has been created and you are signed in." in page.text
    assert typed["email"] in page.text
    assert browser.get("/account/devices/").text.count('id="session-') == 1


def test_registering_leads_to_the_sign_in_form_if_the_email_must_be_confirmed(
    make_app: Callable[..., Flask],
) -> None:
    app = make_app(EMAIL_VERIFICATION="mandatory")
    browser, typed = FormBrowser(app), registration()

    response = browser.send("/register/", typed)

    assert response.headers["Location"] == "/login/"
    form = browser.follow(response)
    assert "Your account has been created." in form.text
    assert input_value(form, "email") == typed["email"]
    assert browser.cookie("access_token") is None
    assert [email.kind for email in emails_to(app, typed["email"])] == ["verify_email"]


def test_a_notice_is_shown_once(app: Flask) -> None:
    browser = FormBrowser(app)
    response = browser.send("/register/", registration())

    first, second = browser.follow(response), browser.follow(response)

    assert "Your account has been created and you are signed in." in first.text
    assert "Your account has been created and you are signed in." not in second.text


def test_a_notice_cannot_be_forged(app: Flask) -> None:
    browser = FormBrowser(app)

    browser.client.set_cookie("notice", "Call 555-0100 now")

    assert "555-0100" not in browser.get("/login/").text


def test_H15_every_mistake_is_named_by_its_field_and_all_that_was_typed_is_kept(app: Flask) -> None:
    typed = registration(email="invalid", **{"profile.dob": "2999-01-01", "profile.zip": "123456", "profile.city": ""})

    page = FormBrowser(app).send("/register/", dict(reversed(typed.items())))

    assert page.status_code == 400
    for name, message in (
        ("email", "Not a valid email address."),
        ("profile-dob", "Must not be in the future."),
        ("profile-zip", "Longer than maximum length 5."),
        ("profile-city", "This field is required."),
    ):
        assert f'<a href="#{name}">' in page.text
        assert f'<small id="{name}-error" class="error">{message}' in page.text
        assert f'aria-describedby="{name}' in page.text
    assert page.text.count('aria-invalid="true"') == 4
    summary = re.findall('<a href="#([^"]+)">', page.text.partition('role="alert"')[2])
    assert summary == ["profile-zip", "profile-city", "profile-dob", "email"]
    kept = {name: input_value(page, name) for name in typed if name != "password"}
    assert kept == {name: text for name, text in typed.items() if name != "password"}
    assert PASSWORD not in page.text


def test_P06_a_common_password_is_rejected_with_every_reason(app: Flask) -> None:
    page = FormBrowser(app).send("/register/", registration(password="12345678"))

    assert page.status_code == 400
    assert "Contains only digits. One of the most common passwords. Too easy to guess" in page.text
    assert "12345678" not in page.text


def test_G01_an_email_address_in_use_is_rejected_whatever_its_case(app: Flask, user: ApiUser) -> None:
    page = FormBrowser(app).send("/register/", registration(email=user.email.upper()))

    assert page.status_code == 400
    assert "This email address is already in use." in page.text


@pytest.mark.parametrize("extra", ["is_staff", "is_superuser", "is_active", "email_verified"])
def test_Z08_a_form_cannot_grant_permissions(app: Flask, extra: str) -> None:
    browser, typed = FormBrowser(app), registration()

    rejected = browser.send("/register/", {**typed, extra: "true"})

    assert rejected.status_code == 400
    assert browser.sign_in(typed["email"]).status_code == 401


def test_H15_a_form_without_a_csrf_token_creates_no_account(app: Flask) -> None:
    browser, typed = FormBrowser(app), registration()
    browser.get("/register/")

    rejected = browser.post("/register/", typed)

    assert rejected.status_code == 403
    assert emails_to(app, typed["email"]) == []
    assert browser.send("/register/", typed).status_code == 303


def test_no_email_is_announced_where_none_is_sent(make_app: Callable[..., Flask]) -> None:
    app = make_app(EMAIL_VERIFICATION="none")
    browser = FormBrowser(app)

    page = browser.follow(browser.send("/register/", registration()))

    assert "Your account has been created and you are signed in." in page.text
    assert "link" not in page.text.partition('role="status"')[2].partition("</p>")[0]
    assert hidden_value(page)


def test_a_form_that_was_open_for_too_long_is_shown_again_with_what_was_typed(app: Flask) -> None:
    browser, typed = FormBrowser(app), registration()
    form = {**typed, "csrf_token": hidden_value(browser.get("/register/"))}
    browser.client.delete_cookie("visitor")

    page = browser.post("/register/", form)

    assert page.status_code == 403
    assert "This form was open for too long" in page.text
    assert input_value(page, "profile.address") == typed["profile.address"]
    assert PASSWORD not in page.text
    assert browser.post("/register/", {**typed, "csrf_token": hidden_value(page)}).status_code == 303


def test_a_form_of_another_site_fills_in_no_field(app: Flask) -> None:
    page = FormBrowser(app).client.post(
        "/register/",
        data=registration(first_name="Planted"),
        headers={**BROWSER_HEADERS, "Sec-Fetch-Site": "cross-site"},
    )

    assert page.status_code == 403
    assert "Planted" not in page.text
