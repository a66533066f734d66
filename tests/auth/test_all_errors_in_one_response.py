"""A form with several mistakes gets all of them in one response."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.support.api_client import ApiUser
from tests.support.factories import PASSWORD, PROFILE, new_user, to_form_fields
from tests.support.form_browser import BROWSER_HEADERS, FormBrowser
from tests.support.password_reset import confirm_reset, reset_link

USERS = "/userapi/users/"
CHANGE = "/userapi/auth/password/change/"

WEAK = "12345678"
NEW = "brittle harbour lantern 42"


def form_with_three_mistakes() -> dict[str, Any]:
    return new_user(email="x", password="1", profile=PROFILE | {"zip": "1" * 20})


@pytest.mark.parametrize("media", ["application/json", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_a_registration_names_email_profile_and_password_errors(client: FlaskClient, media: str) -> None:
    wanted = form_with_three_mistakes()
    sent: dict[str, Any] = (
        {"json": wanted} if media == "application/json" else {"data": to_form_fields(wanted), "content_type": media}
    )

    response = client.post(USERS, **sent)

    assert (response.status_code, response.get_json()["code"]) == (400, "validation_failed")
    errors = response.get_json()["errors"]
    assert set(errors) == {"email", "profile", "password"}
    assert list(errors["profile"]) == ["zip"]
    assert {"Shorter than minimum length 8.", "Contains only digits."} < set(errors["password"])


def test_missing_fields_are_named_beside_a_weak_password(client: FlaskClient) -> None:
    assert set(client.post(USERS, json={"password": WEAK}).get_json()["errors"]) == {"email", "profile", "password"}
    assert set(client.post(USERS, json={"password": WEAK, "nickname": 1}).get_json()["errors"]) == {
        "email", "nickname", "profile", "password",
    }  # fmt: skip
    assert set(client.post(USERS, json={"password": NEW}).get_json()["errors"]) == {"email", "profile"}
    assert "password" not in client.post(USERS, json=["no object"]).get_json().get("errors", {})


def test_a_password_close_to_a_name_is_reported_beside_a_bad_email(client: FlaskClient) -> None:
    response = client.post(USERS, json=new_user(email="x", password="Theodora99", first_name="Theodora"))

    errors = response.get_json()["errors"]
    assert set(errors) == {"email", "password"}
    assert "Too similar to your email or name." in errors["password"]


def test_a_taken_email_is_reported_beside_a_weak_password(client: FlaskClient, user: ApiUser) -> None:
    response = client.post(USERS, json=new_user(email=user.email.upper(), password=WEAK))

    assert response.get_json()["errors"]["email"] == ["This email address is already in use."]
    assert "Contains only digits." in response.get_json()["errors"]["password"]


def test_the_registration_page_marks_every_mistake(app: Flask) -> None:
    page = FormBrowser(app).send("/register/", to_form_fields(form_with_three_mistakes()))

    assert page.status_code == 400
    for name in ("email", "profile.zip", "password"):
        assert f'name="{name}"' in page.text
    assert page.text.count('aria-invalid="true"') == 3
    assert "Contains only digits." in page.text


def test_the_browse_form_shows_every_mistake(app: Flask) -> None:
    browser = FormBrowser(app)
    page = browser.post(USERS, to_form_fields(form_with_three_mistakes()))

    assert (page.status_code, page.mimetype) == (400, "text/html")
    assert page.text.count('aria-invalid="true"') == 3


def test_a_password_change_reports_every_field(user: ApiUser) -> None:
    both = user.post(CHANGE, json={"old_password": PASSWORD, "new_password1": WEAK, "new_password2": NEW})
    every = user.post(CHANGE, json={"old_password": "wrong", "new_password1": WEAK, "new_password2": NEW})
    wrong_and_weak = user.post(CHANGE, json={"old_password": "wrong", "new_password1": WEAK, "new_password2": WEAK})
    missing = user.post(CHANGE, json={"new_password1": WEAK, "new_password2": NEW})

    assert both.get_json()["code"] == "validation_failed"
    assert set(both.get_json()["errors"]) == {"new_password1", "new_password2"}
    assert every.get_json()["code"] == wrong_and_weak.get_json()["code"] == "wrong_password"
    assert set(every.get_json()["errors"]) == {"old_password", "new_password1", "new_password2"}
    assert set(wrong_and_weak.get_json()["errors"]) == {"old_password", "new_password1"}
    assert set(missing.get_json()["errors"]) == {"old_password", "new_password1", "new_password2"}
    assert (
        user.post(CHANGE, json={"old_password": PASSWORD, "new_password1": NEW, "new_password2": NEW}).status_code
        == 200
    )


def test_a_reset_reports_both_fields(app: Flask, client: FlaskClient, user: ApiUser) -> None:
    link = reset_link(app, user.email)

    both = confirm_reset(client, link, WEAK, new_password2=NEW)
    missing = client.post("/userapi/auth/password/reset/confirm/", json={**link, "new_password1": WEAK})

    assert set(both.get_json()["errors"]) == {"new_password1", "new_password2"}
    assert set(missing.get_json()["errors"]) == {"new_password1", "new_password2"}
    assert confirm_reset(client, link, NEW).status_code == 200


def test_the_password_pages_mark_both_fields(app: Flask, user: ApiUser) -> None:
    browser = FormBrowser(app)
    browser.sign_in(user.email)
    page = browser.send("/password_change/", {"old_password": PASSWORD, "new_password1": WEAK, "new_password2": NEW})

    assert page.status_code == 400
    assert page.text.count('aria-invalid="true"') == 2


def test_a_guessable_word_is_reported_as_easy_to_guess(client: FlaskClient) -> None:
    response = client.post(USERS, json=new_user(password="password!"))

    assert response.get_json()["code"] == "weak_password"
    assert "Contains a word that is too easy to guess." in response.get_json()["errors"]["password"]
    assert "name of this service" not in response.text


def test_password_checks_of_rejected_forms_are_throttled(make_app: Callable[..., Flask]) -> None:
    client = make_app(RATELIMIT_ENABLED="true", RATELIMIT_PASSWORD_FEEDBACK="2 per hour").test_client()

    named = [set(client.post(USERS, json={"password": WEAK}).get_json()["errors"]) for _ in range(3)]

    assert ["password" in errors for errors in named] == [True, True, False]
    assert all({"email", "profile"} <= errors for errors in named)
    assert client.post(USERS, json=new_user(), headers=BROWSER_HEADERS).status_code == 201
