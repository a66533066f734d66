"""Closing your account: what ends immediately, who hears of it, and who cannot."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from flask import Flask

from tests.support.api_client import ApiUser, can_sign_in, sign_in
from tests.support.closed_accounts import CLOSE, close, closing_token, delete_due, restore
from tests.support.email_inbox import all_emails, emails_to
from tests.support.extensions import Extend
from tests.support.extensions import extend as extend
from tests.support.factories import PASSWORD, make_account, new_user
from tests.support.second_factors import set_up_app
from tests.support.sql import execute_sql, fetch_number, fetch_rows
from tests.support.waiting import wait_until
from userapi.core import clock
from userapi.core.hooks import Rule
from userapi.users.problems import LastSuperuser

ME = "/userapi/auth/user/"
KEYS = "/userapi/auth/keys/"
CHANGE = "/userapi/auth/email/change/"
VERIFY = "/userapi/auth/email/verify/"
THIEF = "thief@example.org"

Days = Callable[[float], None]


def move_address(app: Flask, user: ApiUser, email: str = THIEF) -> None:
    """Give an account another address, with its password and the new mailbox."""
    assert user.post(CHANGE, json={"email": email, "password": user.password}).status_code == 202
    token = emails_to(app, email, "confirm_new_email")[-1].token
    assert app.test_client().post(VERIFY, json={"token": token}).status_code == 200


@pytest.mark.parametrize("body", [{}, {"password": ""}, {"password": "not my password at all"}])
def test_W79_closing_an_account_requires_its_password(app: Flask, user: ApiUser, body: dict[str, str]) -> None:
    response = user.post(CLOSE, json=body)

    assert (response.status_code, list(response.get_json()["errors"])) == (400, ["password"])
    assert user.get(ME).status_code == 200
    assert all_emails(app, "account_closing") == []


def test_W79_a_closed_account_is_inactive_and_its_sessions_and_keys_have_ended(app: Flask, user: ApiUser) -> None:
    key = user.post(KEYS, json={"name": "Report", "scopes": ["profile"], "expires_in": 86400}).get_json()["key"]

    response = close(user)

    assert response.status_code == 202
    closes_at = datetime.fromisoformat(response.get_json()["closes_at"])
    assert timedelta(days=13, hours=23) < closes_at - datetime.now(closes_at.tzinfo) <= timedelta(days=14)
    assert user.get(ME).status_code == 401
    assert app.test_client().get(ME, headers={"Authorization": f"Bearer {key}"}).status_code == 401
    refreshed = app.test_client().post("/api-token-refresh/", json={"refresh_token": user.tokens["refresh_token"]})
    assert refreshed.status_code == 401
    actions = [row.action for row in fetch_rows(app, "SELECT action FROM audit_events ORDER BY id")]
    assert actions[-4:] == ["user.deactivated", "api_key.revoked", "session.ended_all", "user.closing"]


def test_W79_a_sign_in_to_a_closed_account_fails_as_to_any_inactive_one(
    app: Flask, user: ApiUser, make_api_user: Callable[..., ApiUser]
) -> None:
    inactive = make_api_user()
    make_api_user(is_staff=True, is_superuser=True).patch(inactive.url, json={"is_active": False})
    close(user)

    answers = [
        app.test_client().post("/api-token-auth/", json={"email": each.email, "password": PASSWORD})
        for each in (user, inactive)
    ]

    assert [answer.status_code for answer in answers] == [401, 401]
    assert answers[0].get_json() == answers[1].get_json()
    assert [email.kind for email in emails_to(app, user.email)][-1] == "account_closing"


@pytest.mark.both
def test_W79_the_link_goes_to_addresses_that_were_replaced_in_the_last_14_days(
    app: Flask, make_api_user: Callable[..., ApiUser], days_later: Days
) -> None:
    user = make_api_user(email_verified=True)
    move_address(app, user)
    days_later(6)
    move_address(app, user, "second@example.org")
    days_later(13.9)
    user.tokens = (
        app.test_client()
        .post("/api-token-auth/", json={"email": "second@example.org", "password": PASSWORD})
        .get_json()
    )

    assert close(user).status_code == 202

    assert {email.recipient for email in all_emails(app, "account_closing")} == {
        "second@example.org", THIEF, user.email,
    }  # fmt: skip
    assert len({email.secret for email in all_emails(app, "account_closing")}) == 3


def test_W79_an_address_that_was_replaced_earlier_gets_no_link(
    app: Flask, make_api_user: Callable[..., ApiUser], days_later: Days
) -> None:
    user = make_api_user(email_verified=True)
    move_address(app, user)
    days_later(14.1)
    user.tokens = app.test_client().post("/api-token-auth/", json={"email": THIEF, "password": PASSWORD}).get_json()

    close(user)

    assert [email.recipient for email in all_emails(app, "account_closing")] == [THIEF]


def test_W79_the_last_superuser_cannot_close_the_account(app: Flask, make_api_user: Callable[..., ApiUser]) -> None:
    user = make_api_user(is_staff=True, is_superuser=True)

    response = close(user)

    assert (response.status_code, response.get_json()["code"]) == (409, "last_superuser")
    assert user.get(ME).status_code == 200


def test_an_account_is_deleted_immediately_without_days_to_restore_it(
    make_app: Callable[..., Flask],
) -> None:
    app = make_app(CLOSING_DAYS="0")
    email = make_account(app)
    user = ApiUser(app.test_client(), 0, email, PASSWORD, sign_in(app, email))

    assert close(user).status_code == 204

    assert fetch_number(app, "SELECT count(*) FROM users") == 0
    assert fetch_number(app, "SELECT count(*) FROM messages") == 0


@pytest.mark.both
def test_W80_a_link_restores_an_account_once_with_a_new_password_and_nothing_that_had_ended(
    app: Flask, user: ApiUser
) -> None:
    close(user)
    token = closing_token(app, user.email)

    weak = restore(app, token, "password")
    restored = restore(app, token)
    again = restore(app, token)

    assert (weak.status_code, weak.get_json()["code"]) == (400, "weak_password")
    assert restored.status_code == 200
    assert (again.status_code, again.get_json()["code"]) == (400, "invalid_link")
    assert not can_sign_in(app, user.email)
    assert can_sign_in(app, user.email, "brittle harbour lantern 42")
    assert user.get(ME).status_code == 401
    assert emails_to(app, user.email, "account_restored")
    assert delete_due(app) == 0


def test_W80_a_link_works_until_the_account_is_deleted(app: Flask, user: ApiUser, days_later: Days) -> None:
    close(user)
    token = closing_token(app, user.email)
    days_later(14.001)

    assert restore(app, token).status_code == 400


def test_W80_a_restore_from_the_replaced_address_gives_it_back_and_removes_what_a_thief_may_have_added(
    app: Flask, make_api_user: Callable[..., ApiUser]
) -> None:
    user = make_api_user(email_verified=True)
    move_address(app, user)
    user.tokens = app.test_client().post("/api-token-auth/", json={"email": THIEF, "password": PASSWORD}).get_json()
    close(user)
    of_thief = closing_token(app, THIEF)
    set_up_app(app, user.id)

    assert restore(app, closing_token(app, user.email)).status_code == 200

    (row,) = fetch_rows(app, "SELECT email, email_verified_at, is_active, closes_at FROM users")
    assert (row.email, bool(row.email_verified_at), bool(row.is_active), row.closes_at) == (
        user.email,
        True,
        True,
        None,
    )
    assert restore(app, of_thief).status_code == 400
    assert fetch_number(app, "SELECT count(*) FROM totp_devices") == 0
    assert can_sign_in(app, user.email, "brittle harbour lantern 42")


def test_W80_a_link_to_a_replaced_address_is_invalid_after_staff_changed_the_address(
    app: Flask, make_api_user: Callable[..., ApiUser], superuser: ApiUser
) -> None:
    user = make_api_user(email_verified=True)
    move_address(app, user)
    user.tokens = app.test_client().post("/api-token-auth/", json={"email": THIEF, "password": PASSWORD}).get_json()
    close(user)

    assert superuser.patch(user.url, json={"email": "support@example.org"}).status_code == 200

    assert restore(app, closing_token(app, user.email)).status_code == 400


@pytest.mark.both
def test_W80_no_other_account_can_take_an_address_that_a_restore_gives_back(
    app: Flask, make_api_user: Callable[..., ApiUser], days_later: Days
) -> None:
    user = make_api_user(email_verified=True)
    move_address(app, user)
    user.tokens = app.test_client().post("/api-token-auth/", json={"email": THIEF, "password": PASSWORD}).get_json()
    close(user)
    days_later(10)

    taken = app.test_client().post("/userapi/users/", json=new_user(email=user.email))

    assert (taken.status_code, taken.get_json()["code"]) == (400, "email_taken")
    assert restore(app, closing_token(app, user.email)).status_code == 200


def test_an_account_without_a_password_is_closed_after_a_recent_proof(
    app: Flask, user: ApiUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute_sql(app, "UPDATE users SET password_hash = NULL")
    later = clock.now() + timedelta(minutes=20)
    with monkeypatch.context() as patch:
        patch.setattr(clock, "now", lambda: later)
        tokens = app.test_client().post("/api-token-refresh/", json={"refresh_token": user.tokens["refresh_token"]})
        stale = ApiUser(app.test_client(), user.id, user.email, "", tokens.get_json()).post(CLOSE, json={})

    assert (stale.status_code, stale.get_json()["code"]) == (403, "proof_needed")
    assert user.post(CLOSE, json={}).status_code == 202


def test_an_extension_that_denies_a_deletion_denies_the_closing_and_keeps_a_closed_account(
    app: Flask, user: ApiUser, other_user: ApiUser, extend: Extend, days_later: Days
) -> None:
    close(other_user)
    extend(rules=[Rule("user.delete", deny)])

    response = close(user)
    days_later(15)

    assert (response.status_code, response.get_json()["code"]) == (409, "last_superuser")
    assert fetch_number(app, f"SELECT count(*) FROM users WHERE is_active AND id = {user.id}") == 1
    assert delete_due(app) == 0
    assert fetch_number(app, f"SELECT count(*) FROM users WHERE id = {other_user.id}") == 1


def deny(*_arguments: object) -> None:
    raise LastSuperuser


def test_W81_the_service_deletes_closed_accounts_by_itself(
    app: Flask, make_app: Callable[..., Flask], user: ApiUser, days_later: Days
) -> None:
    close(user)
    days_later(15)

    assert make_app(MAIL_DELIVERY="thread").test_client().get("/healthz").status_code == 200

    wait_until(lambda: fetch_number(app, "SELECT count(*) FROM users") == 0)


@pytest.mark.both
def test_W81_a_closed_account_is_deleted_when_its_time_has_come(app: Flask, user: ApiUser, days_later: Days) -> None:
    close(user)
    days_later(13.9)
    early = delete_due(app)
    days_later(14.1)

    assert (early, delete_due(app), delete_due(app)) == (0, 1, 0)
    assert fetch_number(app, "SELECT count(*) FROM users") == 0
    assert fetch_number(app, "SELECT count(*) FROM account_restores") == 0
    assert fetch_number(app, "SELECT count(*) FROM audit_events WHERE action = 'user.deleted'") == 1
