"""The pages of an invitation, which work without scripts."""

import re

import pytest
from flask import Flask

from tests.invitations.conftest import GUEST, Guest, Invite
from tests.support.api_client import can_sign_in
from tests.support.factories import PASSWORD, PROFILE
from tests.support.form_browser import FormBrowser, input_value
from tests.support.sql import fetch_number, fetch_rows

FORM = "/invitation/accept/"


def path_of(guest: Guest) -> str:
    return f"/invitation/{guest.token}/"


def test_the_link_leads_to_a_form_without_the_token_and_that_to_an_account(invite: Invite, guest: Guest) -> None:
    invite(first_name="Wren")
    browser = FormBrowser(guest.app)

    moved = browser.get(path_of(guest))
    page = browser.follow(moved)
    done = browser.send(FORM, {"password": PASSWORD, "first_name": "Wren", "last_name": "Okafor"})

    assert (moved.status_code, moved.headers["Location"]) == (303, FORM)
    assert moved.headers["Referrer-Policy"] == page.headers["Referrer-Policy"] == "no-referrer"
    assert "no-store" in page.headers["Cache-Control"]
    assert guest.token not in page.text
    assert GUEST in page.text
    assert input_value(page, "first_name") == "Wren"
    assert done.headers["Location"] == "/register/profile/"
    assert "Welcome! Your account has been created and you are signed in." in browser.follow(done).text
    assert can_sign_in(guest.app, GUEST, PASSWORD)
    (row,) = fetch_rows(guest.app, "SELECT last_name, email_verified_at FROM users WHERE email = 'guest@example.com'")
    assert (row.last_name, row.email_verified_at is not None) == ("Okafor", True)
    assert "already been accepted" in browser.get(path_of(guest)).text


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_W73_what_a_scanner_does_with_the_link_spends_nothing(invite: Invite, guest: Guest, method: str) -> None:
    invite()
    scanner = guest.app.test_client()
    prefetch = {"Sec-Purpose": "prefetch", "Purpose": "prefetch"}
    before = fetch_rows(guest.app, "SELECT * FROM invitations")

    for path in (path_of(guest), FORM, FORM):
        assert scanner.open(path, method=method, headers=prefetch).status_code in (200, 303)
    assert scanner.post(path_of(guest)).status_code == 405

    assert fetch_rows(guest.app, "SELECT * FROM invitations") == before
    assert guest.accept().status_code == 201


def test_a_weak_password_is_shown_and_the_invitation_stays_valid(invite: Invite, guest: Guest) -> None:
    invite()
    browser = FormBrowser(guest.app)
    browser.get(path_of(guest))

    weak = browser.send(FORM, {"password": "12345678", "last_name": "Okafor"})
    done = browser.send(FORM, {"password": PASSWORD})

    assert weak.status_code == 400
    assert "Contains only digits." in weak.text
    assert input_value(weak, "last_name") == "Okafor"
    assert done.status_code == 303


def test_the_form_asks_for_what_the_inviter_left_out_of_the_profile(invite: Invite, guest: Guest) -> None:
    invite(profile={"city": "Bath"})
    browser = FormBrowser(guest.app)
    page = browser.follow(browser.get(path_of(guest)))
    typed = {f"profile.{name}": value for name, value in PROFILE.items() if name != "city"}

    done = browser.send(FORM, {"password": PASSWORD, **typed})

    assert "profile.city" not in re.findall(r'name="(profile\.\w+)"', page.text)
    assert 'name="profile.zip"' in page.text
    assert done.headers["Location"] == "/account/"
    assert [row.city for row in fetch_rows(guest.app, "SELECT city FROM user_profiles p JOIN users u ON u.id = "
            "p.user_id WHERE u.email = 'guest@example.com'")] == ["Bath"]  # fmt: skip


def test_the_form_says_to_a_signed_in_user_that_it_creates_another_account(
    app: Flask, invite: Invite, guest: Guest
) -> None:
    invite()
    browser = FormBrowser(app)
    browser.send("/register/", {"email": "wren@example.com", "password": PASSWORD})

    page = browser.follow(browser.get(path_of(guest)))
    browser.send(FORM, {"password": PASSWORD})

    assert "This invitation creates another account" in page.text
    assert "wren@example.com" in page.text
    assert fetch_number(app, "SELECT count(*) FROM login_sessions s JOIN users u ON u.id = s.user_id "
                        "WHERE u.email = 'guest@example.com'") == 1  # fmt: skip


def test_an_address_that_was_registered_in_the_meantime_can_sign_in(app: Flask, invite: Invite, guest: Guest) -> None:
    invite()
    app.test_client().post("/userapi/users/", json={"email": GUEST, "password": PASSWORD, "profile": PROFILE})
    browser = FormBrowser(app)
    browser.get(path_of(guest))

    rejected = browser.send(FORM, {"password": PASSWORD})

    assert rejected.status_code == 400
    assert "This email address is already in use." in rejected.text
