"""Links that restore closed accounts: requested again by owners, withdrawn and sent again by staff."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask

from tests.privacy.test_closing import THIEF, move_address
from tests.support.api_client import ApiUser, can_sign_in
from tests.support.closed_accounts import NEW_PASSWORD, close, closing_token, restore
from tests.support.email_inbox import all_emails, emails_to
from tests.support.factories import PASSWORD, make_user
from tests.support.form_browser import hidden_value
from tests.support.password_reset import REQUEST_PATH
from tests.support.sql import execute_sql, fetch_number, fetch_rows
from tests.support.staff_client import StaffClient, staff_client
from userapi.auth import pruning
from userapi.core import clock
from userapi.core.db import db
from userapi.privacy import restore_links
from userapi.users.models import User

UNDO = "/userapi/auth/email/undo/"

Days = Callable[[float], None]


@pytest.fixture
def taken_over(app: Flask, make_api_user: Callable[..., ApiUser]) -> ApiUser:
    """An account that a thief has given another address, and closed."""
    user = make_api_user(email_verified=True)
    move_address(app, user)
    user.tokens = app.test_client().post("/api-token-auth/", json={"email": THIEF, "password": PASSWORD}).get_json()
    assert close(user).status_code == 202
    return user


@pytest.fixture
def helper(app: Flask) -> StaffClient:
    """Staff who may change users."""
    return staff_client(app, is_staff=True, permissions=("view_user", "change_user"))


def request_reset(app: Flask, email: str) -> tuple[int, object]:
    response = app.test_client().post(REQUEST_PATH, json={"email": email})
    return response.status_code, response.get_json()


def sent_to(app: Flask, email: str) -> list[str]:
    return [email.kind for email in emails_to(app, email)]


@pytest.mark.both
def test_W80_a_reset_sends_the_link_again_to_the_address_that_requests_it(app: Flask, taken_over: ApiUser) -> None:
    first = closing_token(app, taken_over.email)
    before = len(all_emails(app))

    answers = [request_reset(app, each) for each in (taken_over.email.upper(), THIEF, "unknown@example.com")]

    assert answers[0] == answers[1] == answers[2]
    assert len(all_emails(app)) == before + 2
    assert [sent_to(app, each)[-1] for each in (taken_over.email, THIEF)] == ["account_closing"] * 2
    again = closing_token(app, taken_over.email)
    assert again != first
    assert restore(app, again).status_code == 200
    assert [restore(app, each).status_code for each in (first, closing_token(app, THIEF))] == [400, 400]
    assert can_sign_in(app, taken_over.email, NEW_PASSWORD)


def test_W80_the_earlier_link_still_works_after_another_was_requested(app: Flask, user: ApiUser) -> None:
    close(user)
    first = closing_token(app, user.email)
    request_reset(app, user.email)

    assert restore(app, first).status_code == 200


def test_links_that_restore_accounts_are_limited_as_resets_are(make_app: Callable[..., Flask], user: ApiUser) -> None:
    app = make_app(RATELIMIT_ENABLED="true", RATELIMIT_PASSWORD_RESET_RECIPIENT="2 per hour")
    close(user)

    answers = {str(request_reset(app, user.email)) for _attempt in range(4)}

    assert len(answers) == 1
    assert len(emails_to(app, user.email, "account_closing")) == 3


def test_no_link_is_sent_for_accounts_that_cannot_be_restored(
    app: Flask, user: ApiUser, make_api_user: Callable[..., ApiUser], days_later: Days
) -> None:
    inactive = make_api_user()
    execute_sql(app, "UPDATE users SET is_active = false WHERE id = :id", id=inactive.id)
    close(user)
    days_later(15)
    before = len(all_emails(app))

    for each in (inactive, user):
        request_reset(app, each.email)

    assert len(all_emails(app)) == before


def test_an_address_that_staff_give_a_closed_account_gets_a_link_and_the_others_do_not(
    app: Flask, taken_over: ApiUser, superuser: ApiUser
) -> None:
    new = "confirmed.by.support@example.org"
    assert superuser.patch(taken_over.url, json={"email": new}).status_code == 200
    before = len(all_emails(app))

    for each in (taken_over.email, THIEF, new):
        request_reset(app, each)

    assert len(all_emails(app)) == before + 1
    assert restore(app, closing_token(app, new)).status_code == 200


@pytest.mark.both
def test_W80_a_link_that_staff_withdraw_is_invalid_and_only_staff_send_it_again(
    app: Flask, taken_over: ApiUser, helper: StaffClient
) -> None:
    page = f"/admin/users/{taken_over.id}/restore-links/"
    tokens = {each: closing_token(app, each) for each in (taken_over.email, THIEF)}

    assert helper.post(f"{page}withdraw/", address=THIEF).status_code == 303

    assert restore(app, tokens[THIEF]).status_code == 400
    before = len(emails_to(app, THIEF))
    request_reset(app, THIEF)
    assert len(emails_to(app, THIEF)) == before
    shown = helper.get(page).text
    assert [shown.count(text) for text in ("Withdrawn", "Valid", "Send another link</button>")] == [1, 1, 2]
    helper.post(f"{page}send/", address=THIEF)
    assert len(emails_to(app, THIEF)) == before + 1
    assert restore(app, tokens[taken_over.email]).status_code == 200
    changes = [(row.action, row.actor_id) for row in fetch_rows(app, "SELECT * FROM audit_events ORDER BY id")]
    assert ("user.restore_withdrawn", helper.id) in changes
    assert ("user.restore_sent", helper.id) in changes


@pytest.mark.both
@pytest.mark.parametrize("is_sent_again", [False, True], ids=["withdrawn", "sent again"])
def test_W80_an_address_whose_link_staff_withdraw_does_not_get_the_account_back_later(
    app: Flask, taken_over: ApiUser, helper: StaffClient, is_sent_again: bool
) -> None:
    page = f"/admin/users/{taken_over.id}/restore-links/"
    undo = emails_to(app, taken_over.email, "email_changed")[-1].token
    helper.post(f"{page}withdraw/", address=taken_over.email)
    if is_sent_again:
        helper.post(f"{page}send/", address=taken_over.email)
    assert restore(app, closing_token(app, THIEF)).status_code == 200

    undone = app.test_client().post(UNDO, json={"token": undo})

    assert undone.status_code == (200 if is_sent_again else 400)
    assert can_sign_in(app, THIEF, NEW_PASSWORD) is not is_sent_again


def test_W80_a_withdrawn_link_neither_restores_nor_delays_the_deletion(
    app: Flask, user: ApiUser, helper: StaffClient
) -> None:
    close(user)
    token = closing_token(app, user.email)
    before = fetch_rows(app, f"SELECT closes_at FROM users WHERE id = {user.id}")

    run = app.test_cli_runner().invoke
    withdrawn = run(args=["users", "withdraw-restore", user.email])
    again = run(args=["users", "withdraw-restore", user.email])

    assert (withdrawn.exit_code, withdrawn.output) == (0, f"The link to {user.email} was withdrawn.\n")
    assert again.exit_code == 1
    assert restore(app, token).status_code == 400
    assert fetch_rows(app, f"SELECT closes_at FROM users WHERE id = {user.id}") == before
    helper.post("/admin/users/act/", action="activate", user=user.id, of_user=user.id, confirmed="true")
    assert fetch_number(app, f"SELECT count(*) FROM users WHERE id = {user.id} AND is_active") == 1


def test_W80_links_to_addresses_that_got_none_and_of_open_accounts_are_not_sent(
    app: Flask, user: ApiUser, other_user: ApiUser, helper: StaffClient
) -> None:
    close(user)
    before = len(all_emails(app))
    for user_id, address in ((user.id, "someone@example.com"), (other_user.id, other_user.email)):
        helper.post(f"/admin/users/{user_id}/restore-links/send/", address=address)

    assert len(all_emails(app)) == before


@pytest.mark.both
def test_W80_an_earlier_address_whose_link_was_withdrawn_is_listed_until_the_account_is_deleted(
    app: Flask, taken_over: ApiUser, helper: StaffClient, days_later: Days
) -> None:
    page, ten_days_ago = f"/admin/users/{taken_over.id}/restore-links/", clock.now() - timedelta(days=10)
    execute_sql(app, "UPDATE one_time_tokens SET created_at = :past", past=ten_days_ago.replace(tzinfo=None))
    helper.post(f"{page}withdraw/", address=taken_over.email)
    days_later(8)

    with app.app_context():
        pruning.prune(clock.now() - timedelta(days=7))
        recipients = restore_links.list_recipients(db.session.get_one(User, taken_over.id))

    assert [each.email for each in recipients] == [THIEF, taken_over.email]


def test_a_second_click_on_the_button_sends_one_link(app: Flask, user: ApiUser, helper: StaffClient) -> None:
    close(user)
    page = f"/admin/users/{user.id}/restore-links/"
    before, form_id = len(all_emails(app)), hidden_value(helper.get(page), "form_id")

    first, second = (helper.post(f"{page}send/", address=user.email, form_id=form_id) for _click in range(2))

    assert first.headers["Location"] == second.headers["Location"] == page
    assert len(all_emails(app)) == before + 1


def test_links_of_users_with_more_permissions_are_not_withdrawn(app: Flask, helper: StaffClient) -> None:
    make_user(app, is_staff=True, is_superuser=True)
    leaving = make_user(app, is_staff=True, is_superuser=True)

    response = helper.post(f"/admin/users/{leaving}/restore-links/withdraw/", address="x@example.com")

    assert response.status_code == 403


@pytest.mark.both
def test_W80_an_address_that_another_account_has_is_not_given_back(
    app: Flask, taken_over: ApiUser, make_api_user: Callable[..., ApiUser]
) -> None:
    execute_sql(app, "UPDATE users SET email = :email, email_key = :email WHERE id = :id",
                email=taken_over.email.lower(), id=make_api_user().id)  # fmt: skip

    response = restore(app, closing_token(app, taken_over.email))

    assert (response.status_code, response.get_json()["code"]) == (400, "email_taken")
    assert fetch_number(app, "SELECT count(*) FROM users WHERE closes_at IS NOT NULL AND NOT is_active") == 1
    assert fetch_number(app, "SELECT count(*) FROM audit_events WHERE action = 'user.restored'") == 0
    assert restore(app, closing_token(app, THIEF)).status_code == 200
