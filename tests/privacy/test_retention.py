"""Accounts that are not used are closed after two warnings, and unconfirmed ones are deleted, if settings say so."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from tests.support.api_client import ApiUser, sign_in
from tests.support.closed_accounts import NEW_PASSWORD, closing_token, restore, run_retention
from tests.support.email_inbox import emails_to
from tests.support.factories import make_account
from tests.support.race import run_simultaneously
from tests.support.sql import execute_sql, fetch_number, fetch_rows
from userapi.audit import audit_log
from userapi.core.db import db
from userapi.core.environment import ConfigurationError
from userapi.privacy import retention, unused_accounts

Days = Callable[[float], None]


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    return make_app(INACTIVE_DAYS="365")


def warnings_to(app: Flask, email: str) -> int:
    return len(emails_to(app, email, "account_inactive"))


def is_active(app: Flask, email: str) -> bool:
    return bool(fetch_number(app, f"SELECT count(*) FROM users WHERE email = '{email}' AND is_active"))


@pytest.mark.both
def test_W83_an_inactive_account_is_closed_after_two_warnings_and_can_be_restored(
    app: Flask, user: ApiUser, days_later: Days
) -> None:
    done = []
    for day in (300, 334, 335.1, 336, 357, 358.2, 359, 364, 365.1, 365.3):
        days_later(day)
        done += [(day, outcome) for outcome in run_retention(app)]

    assert done == [(335.1, "warned"), (358.2, "warned"), (365.3, "closed")]
    assert warnings_to(app, user.email) == 2
    assert not is_active(app, user.email)
    assert restore(app, closing_token(app, user.email)).status_code == 200
    assert run_retention(app) == {"warned": 1}
    assert sign_in(app, user.email, NEW_PASSWORD)
    assert run_retention(app) == {}


@pytest.mark.both
def test_W83_who_comes_back_after_a_warning_stays_and_is_warned_twice_again_later(
    app: Flask, user: ApiUser, days_later: Days
) -> None:
    done: list[tuple[int, dict[str, int]]] = []
    for day in (336, 350, 360, 400, 700, 714, 716, 738, 744, 745):
        days_later(day)
        if day == 350:
            sign_in(app, user.email)
        done += [(day, found)] if (found := run_retention(app)) else []

    assert done == [(336, {"warned": 1}), (700, {"warned": 1}), (738, {"warned": 1}), (745, {"closed": 1})]


def test_W83_who_came_back_after_a_warning_is_warned_twice_again_if_nothing_ran_for_long(
    app: Flask, user: ApiUser, days_later: Days
) -> None:
    done: list[tuple[int, dict[str, int]]] = []
    for day in (336, 760, 768, 784, 791):
        days_later(day)
        done += [(day, found)] if (found := run_retention(app)) else []
        if day == 336:
            days_later(350)
            sign_in(app, user.email)

    assert done == [(336, {"warned": 1}), (760, {"warned": 1}), (784, {"warned": 1}), (791, {"closed": 1})]


@pytest.mark.both
@pytest.mark.parametrize("setting", ["INACTIVE_DAYS", "UNVERIFIED_DAYS"])
def test_W83_superusers_service_accounts_held_and_inactive_accounts_are_left_out(
    make_app: Callable[..., Flask], days_later: Days, setting: str
) -> None:
    app = make_app(**{setting: "60"})
    changes = ("is_superuser = true", "kind = 'service'", "held_reason = 'Case 4711'", "is_active = false")
    for change in changes:
        execute_sql(app, f"UPDATE users SET {change} WHERE email = :email", email=make_account(app))

    for day in (100, 130, 200):
        days_later(day)
        assert run_retention(app) == {}

    assert fetch_number(app, "SELECT count(*) FROM messages WHERE kind = 'account_inactive'") == 0
    assert fetch_number(app, "SELECT count(*) FROM users") == len(changes)


@pytest.mark.both
def test_W83_an_account_under_a_hold_since_the_warning_is_not_closed(
    app: Flask, user: ApiUser, days_later: Days
) -> None:
    days_later(336)
    assert run_retention(app) == {"warned": 1}
    execute_sql(app, "UPDATE users SET held_reason = 'Case 4711'")
    for day in (360, 370, 400):
        days_later(day)
        assert run_retention(app) == {}

    assert is_active(app, user.email)


def test_a_worker_that_stops_does_so_after_an_account(app: Flask, days_later: Days) -> None:
    for _number in range(3):
        make_account(app)
    days_later(336)

    with app.app_context():
        assert retention.run(stop=lambda: True) == {"warned": 1}


@pytest.mark.both
def test_W83_accounts_that_were_never_confirmed_are_deleted_unless_they_are_used(
    make_app: Callable[..., Flask], days_later: Days
) -> None:
    app = make_app(UNVERIFIED_DAYS="30")
    old, used, confirmed, staff = (make_account(app, is_staff=each == 3) for each in range(4))
    execute_sql(app, "UPDATE users SET email_verified_at = date_joined WHERE email = :email", email=confirmed)
    days_later(20)
    sign_in(app, used)
    days_later(29)
    assert run_retention(app) == {}

    days_later(31)
    assert run_retention(app) == {"deleted": 1}

    left = [row.email for row in fetch_rows(app, "SELECT email FROM users ORDER BY id")]
    assert left == [used, confirmed, staff]
    assert warnings_to(app, old) == 0


@pytest.mark.both
def test_W83_an_account_whose_address_staff_changed_is_not_taken_for_one_that_was_never_confirmed(
    make_app: Callable[..., Flask], days_later: Days
) -> None:
    app = make_app(UNVERIFIED_DAYS="30")
    changed, other = (make_account(app, email_verified=each) for each in (True, False))
    staff = make_account(app, is_staff=True, is_superuser=True)
    headers = {"Authorization": f"Bearer {sign_in(app, staff)['access_token']}"}
    for email, change in ((changed, {"email": "new.address@example.com"}), (other, {"first_name": "Ada"})):
        user_id = fetch_number(app, f"SELECT id FROM users WHERE email = '{email}'")
        path = f"/userapi/users/{user_id}/"
        assert app.test_client().patch(path, json=change, headers=headers).status_code == 200
    with app.app_context():
        audit_log.record("identity.email_changed", "user", user_id, {"email": ("a@example.com", "b@example.com")})
        db.session.commit()
    assert fetch_number(app, "SELECT count(*) FROM users WHERE email_verified_at IS NULL") == 3

    days_later(40)

    assert "1 account to be deleted." in app.test_cli_runner().invoke(args=["retention", "check"]).output
    assert run_retention(app) == {"deleted": 1}
    assert [row.email for row in fetch_rows(app, "SELECT email FROM users ORDER BY id")] == [
        "new.address@example.com",
        staff,
    ]


@pytest.mark.both
def test_W83_each_account_is_dealt_with_once_by_several_workers_while_others_sign_in(
    app: Flask, user: ApiUser, days_later: Days, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unused_accounts, "BATCH", 7)
    emails = [make_account(app, password=None) for _number in range(60)]
    days_later(336)
    waits: list[float] = []
    ended = threading.Event()

    def sign_in_often() -> dict[str, int]:
        while not ended.is_set():
            began = time.monotonic()
            sign_in(app, user.email)
            waits.append(time.monotonic() - began)
        return {}

    def work() -> dict[str, int]:
        try:
            return run_retention(app)
        finally:
            ended.set()

    sign_in(app, user.email)
    found = run_simultaneously([work, work, sign_in_often])

    assert sum(each.get("warned", 0) for each in found) == len(emails)
    assert min(each.get("warned", 0) for each in found[:2]) > 0
    assert fetch_number(app, "SELECT count(*) FROM messages WHERE kind = 'account_inactive'") == len(emails)
    assert waits
    assert max(waits) < 4  # SQLite responds 503 after five seconds of waiting
    days_later(336 + 24)
    again = run_simultaneously([work, work])
    assert sum(each.get("warned", 0) for each in again) == len(emails)
    assert sum(each.get("closed", 0) for each in again) == 0


def test_nothing_is_done_by_default(make_app: Callable[..., Flask], days_later: Days) -> None:
    app = make_app()
    make_account(app)
    days_later(10_000)

    assert run_retention(app) == {}
    output = app.test_cli_runner().invoke(args=["retention", "check"]).output
    assert output == "INACTIVE_DAYS is 0, so nothing is done.\nUNVERIFIED_DAYS is 0, so nothing is done.\n"


def test_the_commands_count_first_and_then_act(make_app: Callable[..., Flask], days_later: Days) -> None:
    app = make_app(INACTIVE_DAYS="365", UNVERIFIED_DAYS="400")
    make_account(app)
    days_later(340)

    checked = app.test_cli_runner().invoke(args=["retention", "check"]).output
    acted = app.test_cli_runner().invoke(args=["retention", "run"]).output

    assert checked == "1 owner to be warned.\n0 owners have been warned.\n0 accounts to be deleted.\n"
    assert acted == "1 warning queued.\n0 inactive accounts closed.\n0 unconfirmed accounts deleted.\n"


@pytest.mark.parametrize(
    "settings",
    [{"INACTIVE_DAYS": "59"}, {"UNVERIFIED_DAYS": "6"}, {"UNVERIFIED_DAYS": "30", "EMAIL_VERIFICATION": "none"}],
)
def test_terms_that_would_surprise_owners_are_rejected(
    make_app: Callable[..., Flask], settings: dict[str, Any]
) -> None:
    with pytest.raises(ConfigurationError, match="_DAYS: Must be 0"):
        make_app(**settings)
