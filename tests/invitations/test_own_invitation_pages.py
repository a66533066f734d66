"""The page on which users who are not staff invite others."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.invitations.conftest import GUEST, Guest, Invite
from tests.support.email_inbox import emails_to
from tests.support.factories import make_account
from tests.support.form_browser import FormBrowser, hidden_value
from tests.support.sql import fetch_number, fetch_rows

PAGE = "/account/invitations/"
IN_MENU = f'href="{PAGE}"'


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    """An application in which each user can send two invitations."""
    return make_app(INVITES_PER_USER="2")


@pytest.fixture
def guest(app: Flask) -> Guest:
    return Guest(app)


@pytest.fixture
def browser(app: Flask) -> FormBrowser:
    """The browser of a user whose email address is confirmed."""
    return sign_in(app, email_verified=True)


def sign_in(app: Flask, **account: Any) -> FormBrowser:
    browser = FormBrowser(app)
    assert browser.sign_in(make_account(app, **account)).status_code == 303
    return browser


def send(browser: FormBrowser, email: str = GUEST, **fields: str) -> TestResponse:
    return browser.send(PAGE, {"email": email, **fields})


def press(browser: FormBrowser, button: str, invitation_id: int | None = None) -> TestResponse:
    """Press a button of an invitation, by default of the newest one."""
    if invitation_id is None:
        invitation_id = fetch_number(browser.client.application, "SELECT max(id) FROM invitations")
    return browser.send(f"{PAGE}{invitation_id}/{button}/", form_on=PAGE)


def test_a_user_invites_sends_again_and_revokes(app: Flask, browser: FormBrowser, guest: Guest) -> None:
    sent = send(browser, language="de")
    page = browser.follow(sent).text
    first = guest.token

    assert "We have sent the invitation." in page
    assert "Earlier links" not in page
    assert GUEST in page
    assert "Pending" in page
    assert "You can send 1 more invitation." in page
    assert fetch_rows(app, "SELECT language, by_staff FROM invitations")[0] == ("de", False)

    again = browser.follow(press(browser, "resend")).text
    assert "We have sent the invitation. Earlier links no longer work." in again
    assert guest.accept(first).status_code == 400
    revoked = browser.follow(press(browser, "revoke")).text
    assert "The invitation was revoked." in revoked
    assert "Revoked" in revoked
    assert "Send again" not in revoked
    assert "You can send 1 more invitation." in revoked  # a revoked one counts
    assert guest.accept().status_code == 400


def test_an_invitation_to_the_same_address_says_that_the_earlier_link_is_void(browser: FormBrowser) -> None:
    send(browser)

    assert "Earlier links no longer work." in browser.follow(send(browser)).text


@pytest.mark.parametrize("button", ["resend", "revoke"])
def test_a_button_of_an_accepted_invitation_in_an_older_tab_leads_to_the_list(
    browser: FormBrowser, guest: Guest, button: str
) -> None:
    send(browser)
    send(browser, "other@example.com")
    opened = browser.get(PAGE)
    number = fetch_number(guest.app, "SELECT id FROM invitations WHERE email = 'guest@example.com'")
    assert guest.accept().status_code == 201

    late = browser.post(f"{PAGE}{number}/{button}/", {"csrf_token": hidden_value(opened)})

    assert late.status_code == 409
    assert "This invitation has been accepted or revoked." in late.text
    assert "Accepted" in late.text
    assert "other@example.com" in late.text
    assert 'name="email"' not in late.text


def test_the_form_is_gone_when_none_are_left(app: Flask, browser: FormBrowser) -> None:
    send(browser)
    opened = browser.get(PAGE)
    send(browser, "other@example.com")

    rejected = browser.post(PAGE, {"email": "third@example.com", "csrf_token": hidden_value(opened)})

    assert rejected.status_code == 409
    assert "You have sent as many invitations as you may." in rejected.text
    assert 'value="third@example.com"' in rejected.text
    assert 'name="email"' not in browser.get(PAGE).text
    assert emails_to(app, "third@example.com") == []


def test_an_error_is_shown_beside_what_was_typed(browser: FormBrowser) -> None:
    rejected = send(browser, "guest at example")

    assert rejected.status_code == 400
    assert 'value="guest at example"' in rejected.text


def test_users_confirm_their_own_address_before_they_invite(app: Flask) -> None:
    browser = sign_in(app)

    page = browser.get(PAGE).text
    rejected = browser.post(PAGE, {"email": GUEST, "csrf_token": hidden_value(browser.get("/account/"))})

    assert "Confirm your own email address before you invite others." in page
    assert 'name="email"' not in page
    assert rejected.status_code == 409
    assert "Confirm your own email address before you invite others." in rejected.text
    assert fetch_number(app, "SELECT count(*) FROM invitations") == 0


def test_users_cannot_touch_the_invitations_of_others(
    app: Flask, browser: FormBrowser, invite: Invite, guest: Guest
) -> None:
    invitation = invite()
    token = guest.token
    send(browser, "other@example.com")

    for button in ("resend", "revoke"):
        assert press(browser, button, invitation["id"]).status_code == 404

    assert GUEST not in browser.get(PAGE).text
    assert guest.accept(token).status_code == 201


def test_a_second_click_sends_one_invitation(app: Flask, browser: FormBrowser) -> None:
    page = browser.get(PAGE)
    form = {"email": GUEST, "csrf_token": hidden_value(page), "form_id": hidden_value(page, "form_id")}

    first, second = browser.post(PAGE, form), browser.post(PAGE, form)

    assert first.headers["Location"] == second.headers["Location"] == PAGE
    assert len(emails_to(app, GUEST)) == 1


@pytest.mark.parametrize("settings", [{}, {"INVITES_PER_USER": "5", "REGISTRATION": "closed"}], ids=["none", "closed"])
def test_W84_neither_menu_nor_page_exist_unless_users_may_invite(
    app: Flask, make_app: Callable[..., Flask], browser: FormBrowser, settings: dict[str, str]
) -> None:
    off = sign_in(make_app(**settings), email_verified=True)

    assert IN_MENU in browser.get("/account/").text
    assert IN_MENU not in off.get("/account/").text
    assert off.get(PAGE).status_code == 404
