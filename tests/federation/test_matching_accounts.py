"""What happens if an account has the email that a provider names: proofs, claims, and registrations."""

from collections.abc import Callable

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.support.api_client import can_sign_in
from tests.support.email_inbox import emails_to
from tests.support.factories import PASSWORD, make_user
from tests.support.fake_provider import SETTINGS, FakeProvider
from tests.support.form_browser import FormBrowser, hidden_value
from tests.support.mailed_codes import code_in, newest_email
from tests.support.provider_visits import (
    account_of,
    link_identity,
    register,
    send_registration,
    visit,
)
from tests.support.second_factors import set_up_app
from tests.support.sql import execute_sql, fetch_number, fetch_rows

EMAIL = "wren@customers.example.com"
LINK = "/link/acme/"

#: The cookie of tickets. No site on a subdomain can set it.
TICKET = "__Host-provider_ticket"
WREN = {"email": EMAIL, "email_verified": True, "given_name": "Wren", "family_name": "Okafor"}


@pytest.fixture
def wren(provider_app: Flask, acme: FakeProvider) -> FormBrowser:
    """The browser of someone whom the provider knows by an email that it is an authority for."""
    provider_app.config["SIGN_IN_BY_MAIL"] = "code"
    acme.claims = dict(WREN)
    return FormBrowser(provider_app)


def count_identities(app: Flask) -> int:
    return fetch_number(app, "SELECT count(*) FROM identities")


def prove(browser: FormBrowser, **fields: str) -> TestResponse:
    """Send the form of the page that asks for a proof."""
    return browser.post(LINK, {**fields, "csrf_token": hidden_value(browser.get(LINK))})


def send_code(browser: FormBrowser, app: Flask) -> dict[str, str]:
    """Have a code sent, and read it: the fields that prove the account."""
    page = browser.follow(browser.post(f"{LINK}code/", {"csrf_token": hidden_value(browser.get(LINK))}))
    assert page.status_code == 200, page.text
    assert hidden_value(browser.get(f"{LINK}?lang=en"), "challenge") == hidden_value(page, "challenge")
    return {"challenge": hidden_value(page, "challenge"), "code": code_in(newest_email(app, EMAIL))}


def test_I25_a_confirmed_account_is_linked_after_its_password_and_not_before(
    provider_app: Flask, wren: FormBrowser, acme: FakeProvider
) -> None:
    user_id = make_user(provider_app, email=EMAIL, email_verified=True)

    shown = visit(wren, acme, "/account/devices/")

    assert shown.headers["Location"] == LINK
    assert account_of(wren) is None
    assert (wren.get(LINK).status_code, count_identities(provider_app)) == (200, 0)
    wrong = prove(wren, password="not the password 1")
    assert (wrong.status_code, account_of(wren), count_identities(provider_app)) == (401, None, 0)
    assert fetch_number(provider_app, "SELECT count(*) FROM audit_events WHERE action = 'sign_in.failed'") == 1

    done = prove(wren, password=PASSWORD)

    assert done.headers["Location"] == "/account/devices/"
    assert (account_of(wren)["id"], count_identities(provider_app)) == (user_id, 1)
    assert len(emails_to(provider_app, EMAIL, "identity_linked")) == 1
    assert visit(FormBrowser(provider_app), acme).headers["Location"] == "/account/"


def test_I25_wrong_passwords_count_as_sign_ins(make_app: Callable[..., Flask], acme: FakeProvider) -> None:
    app = make_app(**SETTINGS, RATELIMIT_ENABLED="true", RATELIMIT_SIGN_IN_PAIR="2 per hour")
    acme.claims = dict(WREN)
    make_user(app, email=EMAIL, email_verified=True)
    browser = FormBrowser(app)
    visit(browser, acme)

    assert [prove(browser, password="not the password 1").status_code for _ in range(3)] == [401, 401, 429]
    sign_in_page = browser.sign_in(EMAIL)
    assert sign_in_page.status_code == 429


def test_a_code_by_email_links_a_confirmed_account_too(
    provider_app: Flask, wren: FormBrowser, acme: FakeProvider
) -> None:
    user_id = make_user(provider_app, email=EMAIL, email_verified=True)
    visit(wren, acme)
    proof = send_code(wren, provider_app)

    assert prove(wren, **{**proof, "code": "0000 0000"}).status_code == 401
    assert count_identities(provider_app) == 0
    done = prove(wren, **proof)

    assert (done.status_code, account_of(wren)["id"], count_identities(provider_app)) == (303, user_id, 1)
    assert can_sign_in(provider_app, EMAIL)


def test_I18_I19_who_opened_an_account_before_its_owner_came_keeps_nothing(
    provider_app: Flask, wren: FormBrowser, acme: FakeProvider
) -> None:
    user_id = make_user(provider_app, email=EMAIL)
    attacker = FormBrowser(provider_app)
    attacker.sign_in(EMAIL)
    link_identity(provider_app, user_id, subject="the attacker's")
    execute_sql(provider_app, "UPDATE users SET pending_email = 'evil@example.org' WHERE id = :id", id=user_id)

    assert visit(wren, acme).headers["Location"] == LINK
    page = wren.get(LINK)
    assert 'name="password"' not in page.text
    assert prove(wren, password=PASSWORD).status_code == 400
    assert account_of(wren) is None
    assert prove(wren, **send_code(wren, provider_app)).status_code == 303

    assert account_of(wren)["id"] == user_id
    assert "Because it was not confirmed before" in wren.get("/account/").text
    assert not can_sign_in(provider_app, EMAIL)
    assert account_of(attacker) is None
    assert [row[0] for row in fetch_rows(provider_app, "SELECT subject FROM identities")] == ["248289761001"]
    assert account_of(wren)["pending_email"] is None
    acme.claims = {**WREN, "sub": "the attacker's", "email": "evil@example.org"}
    assert visit(attacker, acme).headers["Location"] == "/register/acme/"


@pytest.mark.parametrize("claims", [WREN, {**WREN, "email_verified": False}])
def test_I20_an_email_without_authority_matches_nothing_and_confirms_nothing(
    make_app: Callable[..., Flask], acme: FakeProvider, claims: dict[str, object]
) -> None:
    trusts = "true" if not claims["email_verified"] else "false"
    app = make_app(**{**SETTINGS, "PROVIDER_ACME_TRUSTS_EMAIL": trusts})
    acme.claims = claims
    make_user(app, email=EMAIL, email_verified=True)
    browser = FormBrowser(app)

    assert visit(browser, acme).headers["Location"] == "/register/acme/"
    taken = send_registration(browser)
    assert (taken.status_code, count_identities(app)) == (400, 0)
    done = send_registration(browser, email="other@customers.example.com")

    assert done.status_code == 303, done.text
    assert account_of(browser)["email_verified"] is False


def test_I26_a_ticket_links_the_identity_that_it_was_issued_for_and_once(
    provider_app: Flask, wren: FormBrowser, acme: FakeProvider
) -> None:
    make_user(provider_app, email=EMAIL, email_verified=True)
    visit(wren, acme)
    ticket = wren.cookie(TICKET).value
    other = FormBrowser(provider_app)
    acme.claims = {**WREN, "sub": "another identity"}
    visit(other, acme)
    proof_for_first = send_code(wren, provider_app)

    assert prove(other, **proof_for_first).status_code == 401
    assert count_identities(provider_app) == 0
    assert prove(wren, **send_code(wren, provider_app)).status_code == 303
    execute_sql(provider_app, "DELETE FROM identities")
    wren.client.set_cookie(TICKET, ticket)
    assert wren.get(LINK).status_code == 400
    assert count_identities(provider_app) == 0


def test_I27_a_code_of_another_browser_links_nothing_there(
    provider_app: Flask, wren: FormBrowser, acme: FakeProvider
) -> None:
    make_user(provider_app, email=EMAIL, email_verified=True)
    visit(wren, acme)
    proof, other = send_code(wren, provider_app), FormBrowser(provider_app)

    assert other.get(LINK).status_code == 400
    page = other.get("/login/")
    assert other.post(LINK, {**proof, "csrf_token": hidden_value(page)}).status_code == 400
    assert (account_of(other), count_identities(provider_app)) == (None, 0)
    assert prove(wren, **proof).status_code == 303


def test_nothing_is_linked_before_the_second_step(provider_app: Flask, wren: FormBrowser, acme: FakeProvider) -> None:
    user_id = make_user(provider_app, email=EMAIL, email_verified=True)
    phone, _codes = set_up_app(provider_app, user_id)
    visit(wren, acme)

    first = prove(wren, password=PASSWORD)

    assert first.headers["Location"] == "/login/second-step/?next=/link/acme/"
    assert (account_of(wren), count_identities(provider_app)) == (None, 0)
    second = wren.send(first.headers["Location"], {"code": phone.code(), "next": LINK})
    assert second.headers["Location"] == LINK, second.text
    page = wren.get(LINK)
    assert "Link Acme to this account" in page.text
    linked = wren.post(f"{LINK}signed-in/", {"csrf_token": hidden_value(page)})
    assert linked.status_code == 303, linked.text
    assert (account_of(wren)["id"], count_identities(provider_app)) == (user_id, 1)


def test_I19_a_code_and_the_second_step_confirm_an_address_and_link_together(
    provider_app: Flask, wren: FormBrowser, acme: FakeProvider
) -> None:
    phone, _codes = set_up_app(provider_app, make_user(provider_app, email=EMAIL))
    execute_sql(provider_app, "UPDATE users SET email_verified_at = NULL")
    visit(wren, acme)

    first = prove(wren, **send_code(wren, provider_app))

    assert first.headers["Location"] == "/login/second-step/?next=/link/acme/"
    unconfirmed = "SELECT count(*) FROM users WHERE email_verified_at IS NULL"
    assert (fetch_number(provider_app, unconfirmed), count_identities(provider_app)) == (1, 0)
    wren.send(first.headers["Location"], {"code": phone.code(), "next": LINK})
    linked = wren.post(f"{LINK}signed-in/", {"csrf_token": hidden_value(wren.get(LINK))})
    assert linked.status_code == 303, linked.text
    assert (account_of(wren)["email_verified"], count_identities(provider_app)) == (True, 1)


def test_a_sign_in_with_a_provider_asks_for_the_second_step(
    provider_app: Flask, wren: FormBrowser, acme: FakeProvider
) -> None:
    user_id = make_user(provider_app, email=EMAIL, email_verified=True)
    link_identity(provider_app, user_id)
    phone, _codes = set_up_app(provider_app, user_id)

    first = visit(wren, acme, "/account/devices/")

    assert (first.headers["Location"], account_of(wren)) == ("/login/second-step/?next=/account/devices/", None)
    assert wren.send(first.headers["Location"], {"code": phone.code()}).status_code == 303
    rows = fetch_rows(provider_app, "SELECT amr, way FROM login_sessions WHERE identity_id IS NOT NULL")
    assert [tuple(row) for row in rows] == [("fed otp mfa", "provider:acme")]


def test_I35_I36_an_email_at_the_provider_moves_no_account(
    provider_app: Flask, wren: FormBrowser, acme: FakeProvider
) -> None:
    first = make_user(provider_app, email=EMAIL, email_verified=True)
    make_user(provider_app, email="other@customers.example.com", email_verified=True)
    link_identity(provider_app, first)
    acme.claims = {**WREN, "email": "other@customers.example.com"}

    assert visit(wren, acme).headers["Location"] == "/account/"
    assert (account_of(wren)["id"], account_of(wren)["email"]) == (first, EMAIL)
    acme.claims = {**WREN, "sub": "the next owner of the address"}
    assert visit(FormBrowser(provider_app), acme).headers["Location"] == LINK


def test_I38_staff_are_not_found_by_email(provider_app: Flask, wren: FormBrowser, acme: FakeProvider) -> None:
    user_id = make_user(provider_app, email=EMAIL, email_verified=True, is_staff=True)

    assert visit(wren, acme).status_code == 401
    assert count_identities(provider_app) == 0
    link_identity(provider_app, user_id)
    assert visit(wren, acme).headers["Location"] == "/account/"


def test_I56_a_ticket_registers_one_account_with_what_users_may_set(
    provider_app: Flask, wren: FormBrowser, acme: FakeProvider
) -> None:
    visit(wren, acme)
    ticket = wren.cookie(TICKET).value

    for extra in ({"is_staff": "true"}, {"email_verified": "true"}, {"issuer": "https://evil.example"}):
        assert send_registration(wren, **extra).status_code == 400
    invalid = send_registration(wren, **{"profile.dob": "tomorrow"})
    assert (invalid.status_code, "Register with Acme" in invalid.text) == (400, True)
    assert fetch_number(provider_app, "SELECT count(*) FROM users") == 0
    assert send_registration(wren).status_code == 303
    other = FormBrowser(provider_app)
    other.client.set_cookie(TICKET, ticket)
    assert other.get("/register/acme/").status_code == 400
    assert fetch_number(provider_app, "SELECT count(*) FROM users") == 1


@pytest.mark.parametrize(
    ("fields", "is_confirmed"), [({}, True), ({"email": EMAIL.upper()}, True), ({"email": "new@example.com"}, False)]
)
def test_I57_an_edited_email_has_to_be_confirmed(
    provider_app: Flask, wren: FormBrowser, acme: FakeProvider, fields: dict[str, str], is_confirmed: bool
) -> None:
    register(wren, acme, **fields)

    mine = account_of(wren)
    assert mine["email_verified"] is is_confirmed
    assert len(emails_to(provider_app, mine["email"], "verify_email")) == (not is_confirmed)


def test_an_unconfirmed_registration_signs_no_one_in_where_confirmation_is_mandatory(
    make_app: Callable[..., Flask], acme: FakeProvider
) -> None:
    app = make_app(**SETTINGS, EMAIL_VERIFICATION="mandatory")
    acme.claims = dict(WREN)
    browser = FormBrowser(app)

    done = register(browser, acme, email="new@example.com")

    assert (done.headers["Location"], account_of(browser)) == ("/login/", None)
    assert visit(browser, acme).status_code == 401
