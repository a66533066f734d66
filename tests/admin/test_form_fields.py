"""No form truncates input: text that is too long is rejected with an error beside its field."""

import re
from pathlib import Path

import pytest
from flask import Flask

import userapi
from tests.support.factories import PASSWORD, make_user
from tests.support.form_browser import FormBrowser
from tests.support.staff_client import StaffClient, staff_client

TEMPLATES = Path(userapi.__file__).parent / "templates"

PROFILE = ("title", "address", "country", "city", "zip")
TEXTS = ("email", "username", "first_name", "last_name", *(f"profile.{name}" for name in PROFILE))
LONG = "x" * 300


@pytest.fixture
def superuser(app: Flask) -> StaffClient:
    return staff_client(app, is_staff=True, is_superuser=True)


def test_no_template_limits_the_length_of_inputs() -> None:
    for path in TEMPLATES.rglob("*.html"):
        assert "maxlength" not in path.read_text().lower(), path


def test_no_page_with_a_form_has_a_maximum_length(superuser: StaffClient) -> None:
    user_id = make_user(superuser.app)
    visitor = FormBrowser(superuser.app)
    group = superuser.post("/admin/groups/new/", name="Readers")
    assert group.status_code == 303
    pages = [visitor.get(path).text for path in ("/login/", "/register/", "/password_reset/", "/verify-email/")]
    pages += [visitor.get(path).text for path in ("/userapi/users/", "/userapi/auth/login/", "/api-token-auth/")]
    for path in (
        "/account/",
        "/password_change/",
        "/userapi/auth/user/",
        f"/userapi/users/{user_id}/",
        "/admin/users/",
        "/admin/users/new/",
        f"/admin/users/{user_id}/",
        f"/admin/users/{user_id}/password/",
        "/admin/groups/new/",
        "/admin/imports/new/",
        "/admin/sessions/",
        "/admin/audit/",
    ):
        response = superuser.get(path)
        assert response.status_code == 200, path
        pages.append(response.text)

    for text in pages:
        assert "<form" in text
        assert "maxlength" not in text.lower()


def errors_beside(text: str) -> set[str]:
    """The fields that have an error on the page."""
    return {name.replace("-", ".") for name in re.findall(r'<small id="([\w-]+)-error"', text)}


def test_a_text_that_is_too_long_is_rejected_beside_each_field_of_the_registration(app: Flask) -> None:
    typed = {**dict.fromkeys(TEXTS, LONG), "password": PASSWORD, "profile.dob": "1990-12-10"}

    page = FormBrowser(app).send("/register/", {**typed, "email": f"{LONG}@example.com"})

    assert page.status_code == 400
    assert errors_beside(page.text) == set(TEXTS)
    assert page.text.count(LONG) >= len(TEXTS)


def test_a_text_that_is_too_long_is_rejected_beside_each_field_of_the_account(app: Flask) -> None:
    make_user(app, email="ada@example.com")
    browser = FormBrowser(app)
    browser.sign_in("ada@example.com")
    typed = {name: LONG for name in TEXTS if name != "email"}

    profile = browser.send("/account/", typed)
    email = browser.send("/account/email/", {"email": f"{LONG}@example.com", "password": PASSWORD}, "/account/")

    assert errors_beside(profile.text) == set(typed)
    assert errors_beside(email.text) == {"email"}


def test_a_text_that_is_too_long_is_rejected_beside_each_field_of_the_staff_site(superuser: StaffClient) -> None:
    path = f"/admin/users/{make_user(superuser.app)}/"
    typed = dict.fromkeys(TEXTS, LONG) | {"email": f"{LONG}@example.com"}

    user = superuser.post(path, **{**superuser.form(path), **typed})
    path, passwords = "/admin/users/new/", {"password1": PASSWORD, "password2": PASSWORD}
    new = superuser.post(path, **{**superuser.form(path), **passwords, "email": f"{LONG}@example.com"})
    group = superuser.post("/admin/groups/new/", name=LONG)

    assert errors_beside(user.text) == set(TEXTS)
    assert errors_beside(new.text) == {"email"}
    assert errors_beside(group.text) == {"name"}
