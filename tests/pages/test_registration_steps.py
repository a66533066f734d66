"""Registering in two steps: the first creates the account, the second fills in names and profile."""

import re
from collections.abc import Callable

import pytest
import sqlalchemy as sa
from flask import Flask

from tests.support.factories import PASSWORD, PROFILE, sequence
from tests.support.form_browser import FormBrowser, hidden_value, input_value
from userapi.core.db import db

PROFILE_FORM = {f"profile.{name}": text for name, text in PROFILE.items()}
NAMES_FORM = {"first_name": "Wren", "last_name": "", "username": ""}


def count_users(app: Flask) -> int:
    with app.app_context():
        return int(db.session.scalar(sa.text("SELECT count(*) FROM users")) or 0)


def register(app: Flask) -> tuple[FormBrowser, str]:
    """A browser after the first step, and the email of the account."""
    browser, email = FormBrowser(app), f"newcomer{next(sequence)}@example.com"
    response = browser.send("/register/", {"email": email, "password": PASSWORD})
    assert response.headers["Location"] == "/register/profile/"
    return browser, email


def test_email_and_password_create_the_account_and_the_profile_follows(app: Flask) -> None:
    browser, email = register(app)
    second = browser.get("/register/profile/")

    response = browser.send("/register/profile/", NAMES_FORM | PROFILE_FORM)

    assert "Your account has been created and you are signed in." in second.text
    assert response.headers["Location"] == "/account/"
    page = browser.follow(response)
    assert email in page.text
    assert (input_value(page, "first_name"), input_value(page, "profile.city")) == ("Wren", PROFILE["city"])


def test_the_second_step_can_be_skipped(app: Flask) -> None:
    browser, email = register(app)

    assert 'href="/account/">Skip for now' in browser.get("/register/profile/").text
    assert input_value(browser.get("/account/"), "first_name") == ""
    assert FormBrowser(app).sign_in(email).status_code == 303


def test_names_without_a_profile_are_enough(app: Flask) -> None:
    browser, _email = register(app)
    blank = dict.fromkeys(PROFILE_FORM, "")

    response = browser.send("/register/profile/", NAMES_FORM | blank)

    assert response.status_code == 303
    assert input_value(browser.get("/account/"), "first_name") == "Wren"


def test_every_mistake_of_the_second_step_is_named_and_what_was_typed_is_kept(app: Flask) -> None:
    browser, _email = register(app)
    typed = {
        "first_name": "Wren",
        "username": "x" * 51,
        **PROFILE_FORM,
        "profile.dob": "2999-01-01",
        "profile.city": "",
    }

    page = browser.send("/register/profile/", typed)

    assert page.status_code == 400
    for name in ("username", "profile-dob", "profile-city"):
        assert f'id="{name}-error"' in page.text
    assert {name: input_value(page, name) for name in typed} == typed


def test_a_field_that_a_started_profile_needs_is_not_called_optional(app: Flask) -> None:
    browser, _email = register(app)

    page = browser.send("/register/profile/", {**NAMES_FORM, **dict.fromkeys(PROFILE_FORM, ""), "profile.city": "Bath"})

    assert page.status_code == 400
    assert "Fill in all of these fields, or leave them all blank." in page.text
    assert re.search(r"<label[^>]*>Country</label>", page.text)


def test_going_back_creates_no_second_account_and_leads_forward_again(app: Flask) -> None:
    browser, email = register(app)
    browser.send("/register/profile/", NAMES_FORM)
    before = count_users(app)

    first, second = browser.get("/register/"), browser.get("/register/profile/")

    assert f"You are signed in as <strong>{email}</strong>." in first.text
    assert input_value(first, "password") is None
    assert input_value(second, "first_name") == "Wren"
    assert count_users(app) == before


def test_a_second_tab_creates_no_second_account(app: Flask) -> None:
    browser = FormBrowser(app)
    page = browser.get("/register/")
    other_tab = {"csrf_token": hidden_value(page), "form_id": hidden_value(page, "form_id"), "password": PASSWORD}
    email = f"first-{count_users(app)}@example.com"
    assert browser.send("/register/", {"email": email, "password": PASSWORD}).status_code == 303
    before = count_users(app)

    response = browser.post("/register/", {**other_tab, "email": "second@example.com"})

    assert (response.status_code, response.headers["Location"]) == (303, "/register/")
    assert f"You are signed in as <strong>{email}</strong>." in browser.follow(response).text
    assert count_users(app) == before


def test_the_second_step_survives_an_ended_session(app: Flask) -> None:
    browser, email = register(app)
    page = browser.get("/register/profile/")
    form = {"csrf_token": hidden_value(page), "form_id": hidden_value(page, "form_id"), "first_name": "Robin"}
    browser.send("/logout/")

    response = browser.post("/register/profile/", form)
    sign_in = browser.follow(response)
    restored = browser.follow(browser.sign_in(email, next=hidden_value(sign_in, "next")))

    assert input_value(restored, "first_name") == "Robin"
    assert "It has not been saved yet" in restored.text


def test_the_second_step_requires_a_session(app: Flask) -> None:
    assert FormBrowser(app).get("/register/profile/").headers["Location"] == "/login/?next=/register/profile/"


def test_there_is_one_step_if_the_email_must_be_confirmed_first(make_app: Callable[..., Flask]) -> None:
    app = make_app(EMAIL_VERIFICATION="mandatory")
    browser = FormBrowser(app)

    form = browser.get("/register/")
    response = browser.send("/register/", {"email": "wren@example.com", "password": PASSWORD})

    assert "of 2" not in form.text
    assert response.headers["Location"] == "/login/"
    assert 'href="/verify-email/">Send it again' in browser.follow(response).text


@pytest.mark.parametrize("language", ["en", "de", "ar"])
def test_countries_are_suggested_in_the_language_of_the_page(app: Flask, language: str) -> None:
    browser, _email = register(app)

    page = browser.get(f"/register/profile/?lang={language}").text

    suggested = {"en": "Switzerland", "de": "Schweiz", "ar": "سويسرا"}[language]
    assert f'<option value="{suggested}"></option>' in page
    assert 'list="country-suggestions"' in page
    assert 'list="title-suggestions"' in page


def test_the_format_of_the_date_of_birth_is_shown_by_an_example(app: Flask) -> None:
    browser, _email = register(app)

    assert "For example, 31 December 1990" in browser.get("/register/profile/?lang=en").text


def test_the_second_step_of_an_account_with_a_profile_leads_to_the_account(app: Flask) -> None:
    browser, _email = register(app)
    open_form = browser.get("/register/profile/")
    hidden = {"csrf_token": hidden_value(open_form), "form_id": hidden_value(open_form, "form_id")}
    assert browser.send("/register/profile/", NAMES_FORM | PROFILE_FORM).status_code == 303

    again = browser.get("/register/profile/")
    rejected = browser.post("/register/profile/", {**hidden, **NAMES_FORM, **PROFILE_FORM, "profile.city": ""})

    assert (again.status_code, again.headers["Location"]) == (303, "/account/")
    assert rejected.status_code == 400
    assert 'id="profile-city-error"' in rejected.text
