"""The pages of your own account: profile, email address, sessions."""

from typing import Any

import pytest
from flask import Flask

from tests.support.api_client import ApiUser
from tests.support.email_inbox import emails_to
from tests.support.factories import PASSWORD, PROFILE, make_user, sequence
from tests.support.form_browser import BROWSER_HEADERS, FormBrowser, hidden_value, input_value

PROFILE_FORM = {f"profile.{name}": text for name, text in PROFILE.items()}
NAMES_FORM = {"first_name": "Wren", "last_name": "Okafor", "username": ""}


def signed_in(app: Flask, user: ApiUser) -> FormBrowser:
    browser = FormBrowser(app)
    assert browser.sign_in(user.email).status_code == 303
    return browser


def me(user: ApiUser) -> dict[str, Any]:
    document: dict[str, Any] = user.get("/userapi/auth/user/").get_json()
    return document


def test_the_form_shows_and_changes_names_and_profile(app: Flask, user: ApiUser) -> None:
    browser = signed_in(app, user)
    page = browser.get("/account/")
    shown = {name: input_value(page, name) for name in {**NAMES_FORM, **PROFILE_FORM}}
    changed = {**NAMES_FORM, **PROFILE_FORM, "first_name": "Robin", "last_name": "", "profile.city": "Wells"}

    response = browser.send("/account/", changed)

    assert shown == {**NAMES_FORM, **PROFILE_FORM}
    assert "Your changes have been saved." in browser.follow(response).text
    after = me(user)
    assert (after["first_name"], after["last_name"], after["username"]) == ("Robin", "", None)
    assert after["profile"] == {**PROFILE, "city": "Wells"}


def test_H15_a_rejected_change_keeps_what_was_typed_and_changes_nothing(app: Flask, user: ApiUser) -> None:
    browser = signed_in(app, user)
    before = me(user)

    page = browser.send("/account/", {**NAMES_FORM, **PROFILE_FORM, "first_name": "Robin", "profile.zip": "123456"})

    assert page.status_code == 400
    assert input_value(page, "first_name") == "Robin"
    assert input_value(page, "profile.zip") == "123456"
    assert "Longer than maximum length 5." in page.text
    assert me(user) == before


@pytest.mark.parametrize("fields", [{"email": "other@example.com"}, {"is_staff": "true"}, {"password": "x" * 12}])
def test_Z08_the_profile_form_rejects_other_fields(app: Flask, user: ApiUser, fields: dict[str, str]) -> None:
    browser = signed_in(app, user)
    before = me(user)

    rejected = browser.send("/account/", {**NAMES_FORM, **PROFILE_FORM, **fields})

    assert rejected.status_code == 400
    assert me(user) == before


def test_an_account_without_a_profile_may_stay_so_or_get_one(app: Flask) -> None:
    make_user(app, email="plain@example.com", profile=None)
    browser = FormBrowser(app)
    browser.sign_in("plain@example.com")
    blank = dict.fromkeys(PROFILE_FORM, "")

    without = browser.send("/account/", {**NAMES_FORM, **blank, "first_name": "Robin"})
    partly = browser.send("/account/", {**NAMES_FORM, **blank, "profile.city": "Bath"})
    wholly = browser.send("/account/", {**NAMES_FORM, **PROFILE_FORM})

    assert without.status_code == 303
    assert partly.status_code == 400
    assert wholly.status_code == 303
    assert input_value(browser.get("/account/"), "profile.city") == "Bath"


def test_F17_a_new_email_address_is_used_once_its_link_is_confirmed(app: Flask, user: ApiUser) -> None:
    browser = signed_in(app, user)
    new = f"moved{next(sequence)}@example.com"

    requested = browser.send(
        "/account/security/email/", {"email": new, "password": PASSWORD}, form_on="/account/security/"
    )
    waiting = browser.follow(requested)
    before = me(user)["email"]
    link = f"/verify-email/{emails_to(app, new)[0].token}/"
    confirmed = browser.follow(browser.send(link))

    assert "until then your email address stays the same." in waiting.text
    assert f"We sent a link to <strong>{new}</strong>" in waiting.text
    assert before == user.email
    assert f"You sign in with <strong>{new}</strong>" in confirmed.text
    assert FormBrowser(app).sign_in(new).status_code == 303


@pytest.mark.parametrize(
    ("email", "password", "message"),
    [
        ("new@example.com", "wrong password 7", "This is not your current password."),
        ("new@example.com", "", "This field is required."),
        ("invalid", PASSWORD, "Not a valid email address."),
        ("in use", PASSWORD, "This email address is already in use."),
    ],
)
def test_F17_a_rejected_change_of_email_address_says_why(
    app: Flask, user: ApiUser, other_user: ApiUser, email: str, password: str, message: str
) -> None:
    browser = signed_in(app, user)
    email = other_user.email if email == "in use" else email

    page = browser.send(
        "/account/security/email/", {"email": email, "password": password}, form_on="/account/security/"
    )

    assert page.status_code == 400
    assert message in page.text
    assert input_value(page, "email") == email
    assert "<details open>" in page.text
    assert me(user)["pending_email"] is None


@pytest.mark.parametrize("waits_for", ["present", "new"])
def test_the_confirmation_email_is_sent_again(app: Flask, user: ApiUser, waits_for: str) -> None:
    browser = signed_in(app, user)
    recipient, kind = user.email, "verify_email"
    if waits_for == "new":
        recipient, kind = f"moved{next(sequence)}@example.com", "confirm_new_email"
        browser.send(
            "/account/security/email/", {"email": recipient, "password": PASSWORD}, form_on="/account/security/"
        )
    before = len(emails_to(app, recipient, kind))

    response = browser.send("/account/security/email/resend/", form_on="/account/security/")

    assert "We have sent the email again." in browser.follow(response).text
    assert len(emails_to(app, recipient, kind)) == before + 1


def session_ids(user: ApiUser) -> dict[bool, list[str]]:
    """The ids of a user's sessions: under True the one of the API client, under False the others."""
    results = user.get("/userapi/auth/sessions/").get_json()["results"]
    return {current: [row["id"] for row in results if row["current"] is current] for current in (True, False)}


def test_R08_a_session_is_ended_from_the_list(app: Flask, user: ApiUser) -> None:
    browser = signed_in(app, user)
    api = session_ids(user)[True][0]
    page = browser.get("/account/devices/")

    response = browser.send(f"/account/devices/{api}/end/", form_on="/account/devices/")

    assert f"/account/devices/{api}/end/" in page.text
    assert "The session has ended." in browser.follow(response).text
    assert user.get("/userapi/auth/user/").status_code == 401
    assert browser.get("/account/").status_code == 200


def test_R06_all_other_sessions_are_ended_with_one_click(app: Flask, user: ApiUser) -> None:
    browser, another = signed_in(app, user), signed_in(app, user)

    response = browser.send("/account/devices/end-others/", form_on="/account/devices/")

    assert response.status_code == 303
    assert user.get("/userapi/auth/user/").status_code == 401
    assert another.get("/account/").status_code == 303
    assert browser.get("/account/").status_code == 200


def test_R09_a_user_cannot_end_the_sessions_of_others(app: Flask, user: ApiUser, other_user: ApiUser) -> None:
    browser = signed_in(app, user)
    theirs = session_ids(other_user)[True][0]

    rejected = browser.send(f"/account/devices/{theirs}/end/", form_on="/account/devices/")
    unknown = browser.send("/account/devices/00000000-0000-4000-8000-000000000000/end/", form_on="/account/devices/")

    assert rejected.status_code == unknown.status_code == 404
    assert other_user.get("/userapi/auth/user/").status_code == 200


@pytest.mark.parametrize(
    "path", ["/account/", "/account/security/email/", "/account/email/", "/account/devices/end-others/"]
)
def test_A02_no_form_works_without_the_sessions_token(app: Flask, user: ApiUser, path: str) -> None:
    browser = signed_in(app, user)
    visitor = hidden_value(browser.get("/login/"))

    for token in ("", visitor):
        assert browser.post(path, {"csrf_token": token}).status_code == 403

    assert user.get("/userapi/auth/user/").status_code == 200


def test_R10_a_deactivated_account_sees_no_page(app: Flask, user: ApiUser, superuser: ApiUser) -> None:
    browser = signed_in(app, user)
    assert browser.get("/account/").status_code == 200

    superuser.patch(user.url, json={"is_active": False})

    assert browser.get("/account/").headers["Location"] == "/login/?next=/account/"


MARKUP = '"><script>alert(1)</script>{{"xyz"*2}}'


def test_A04_what_users_type_is_shown_as_text(app: Flask) -> None:
    make_user(app, email="markup@example.com", first_name=MARKUP, profile=PROFILE | {"address": MARKUP})
    browser = FormBrowser(app)
    browser.sign_in("markup@example.com")
    agent = {**BROWSER_HEADERS, "User-Agent": MARKUP}
    other = FormBrowser(app)
    token = hidden_value(other.get("/login/"))
    other.client.post(
        "/login/", data={"email": "markup@example.com", "password": PASSWORD, "csrf_token": token}, headers=agent
    )

    for path in ("/", "/account/", "/account/security/", "/account/devices/", "/logout/", "/login/"):
        page = browser.get(path)
        assert "<script>" not in page.text, path
        assert "xyzxyz" not in page.text, path
    assert input_value(browser.get("/account/"), "profile.address") == MARKUP
