"""Accounts that have no password: what their owners see, and how they set one or change their email."""

from datetime import timedelta

import pytest
from flask import Flask

from tests.support.api_client import ApiUser, can_sign_in
from tests.support.form_browser import FormBrowser, input_value
from tests.support.sql import execute_sql, fetch_number
from tests.support.staff_imports import move_clock

ME = "/userapi/auth/user/"
CHANGE = "/userapi/auth/password/change/"
NEW = "copper kettle upstairs 4"
NEW_TWICE = {"new_password1": NEW, "new_password2": NEW}


@pytest.fixture
def owner(app: Flask, user: ApiUser) -> ApiUser:
    """A signed-in user whose account has no password."""
    execute_sql(app, "UPDATE users SET password_hash = NULL WHERE id = :id", id=user.id)
    return user


def test_has_password_is_part_of_the_own_account_alone(owner: ApiUser) -> None:
    mine = owner.get(ME)

    assert mine.get_json()["has_password"] is False
    assert "has_password" not in owner.get(owner.url).get_json()
    sent_back = {**mine.get_json(), "first_name": "Wren"}
    changed = owner.patch(ME, json=sent_back, headers={"If-Match": mine.headers["ETag"]})
    assert (changed.status_code, changed.get_json()["has_password"]) == (200, False), changed.text
    assert owner.get(ME).headers["ETag"] == changed.headers["ETag"]
    assert owner.patch(ME, json={"has_password": True}).get_json()["code"] == "validation_failed"


def test_the_first_password_needs_a_recent_proof_and_ends_other_sessions(
    app: Flask, owner: ApiUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as later:
        move_clock(later, timedelta(minutes=20))
        for sent in (NEW_TWICE, {**NEW_TWICE, "old_password": ""}, {**NEW_TWICE, "old_password": NEW}):
            refused = owner.post(CHANGE, json=sent)
            assert (refused.status_code, refused.get_json()["code"]) == (403, "proof_needed")

    assert owner.post(CHANGE, json=NEW_TWICE).status_code == 200

    assert can_sign_in(app, owner.email, NEW)
    assert owner.get(ME).get_json()["has_password"] is True
    assert fetch_number(app, "SELECT count(*) FROM messages WHERE kind = 'password_changed'") == 1
    missing = owner.post(CHANGE, json=NEW_TWICE)
    assert missing.get_json()["errors"] == {"old_password": ["Missing data for required field."]}


def test_the_email_changes_after_a_recent_proof(owner: ApiUser, monkeypatch: pytest.MonkeyPatch) -> None:
    new = "new.address@example.org"
    with monkeypatch.context() as later:
        move_clock(later, timedelta(minutes=20))
        for refused in (
            owner.patch(ME, json={"email": new}),
            owner.post("/userapi/auth/email/change/", json={"email": new}),
        ):
            assert (refused.status_code, refused.get_json()["code"]) == (403, "proof_needed")

    assert owner.patch(ME, json={"email": new}).get_json()["pending_email"] == new
    assert owner.post("/userapi/auth/email/change/", json={"email": new}).status_code == 202


def test_a_password_proves_nothing_and_the_error_says_what_does(app: Flask, owner: ApiUser) -> None:
    app.config["SIGN_IN_BY_MAIL"] = "code"

    refused = owner.post("/userapi/auth/prove/", json={"password": "anything at all 1"})

    assert (refused.status_code, refused.get_json()["code"]) == (403, "proof_needed")
    assert refused.get_json()["ways"] == ["mailed_code"]
    assert fetch_number(app, "SELECT count(*) FROM audit_events WHERE action = 'user.password_check_failed'") == 0


def test_the_page_sets_a_password_without_the_current_one(app: Flask, user: ApiUser) -> None:
    browser = FormBrowser(app)
    browser.sign_in(user.email)
    execute_sql(app, "UPDATE users SET password_hash = NULL WHERE id = :id", id=user.id)

    assert "Set a password" in browser.get("/account/security/").text
    page = browser.get("/password_change/")
    assert (page.status_code, input_value(page, "old_password")) == (200, None)
    done = browser.send("/password_change/", NEW_TWICE)

    assert "Your password has been set" in browser.get(done.headers["Location"]).text
    assert can_sign_in(app, user.email, NEW)
    assert 'name="old_password"' in browser.get("/password_change/").text


def test_sessions_say_how_they_began(user: ApiUser) -> None:
    (session,) = user.get("/userapi/auth/sessions/").get_json()["results"]

    assert session["way"] == "password"
