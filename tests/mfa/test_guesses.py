"""Wrong codes count in the row of the account, before they are checked."""

from datetime import datetime, timedelta

import pytest
from flask import Flask

from tests.support.email_inbox import emails_to
from tests.support.factories import make_user, new_user
from tests.support.race import run_simultaneously
from tests.support.second_factors import App, set_up_app
from tests.support.sql import fetch_number, fetch_rows
from userapi.core import clock
from userapi.core.db import db
from userapi.mfa import codes, guesses
from userapi.mfa.problems import InvalidCode, SecondStepLocked
from userapi.security.throttling import TooManyRequests

FAILURES = "SELECT failures FROM second_factors"


@pytest.fixture
def user_id(app: Flask) -> int:
    return make_user(app, email=new_user()["email"])


@pytest.fixture
def phone(app: Flask, user_id: int) -> App:
    return set_up_app(app, user_id)[0]


def outcome(app: Flask, user_id: int, code: str) -> str:
    """What an attempt with a code ends with."""
    with app.app_context():
        try:
            with guesses.attempt(user_id):
                proved = codes.check(user_id, code)
            db.session.commit()
        except (InvalidCode, SecondStepLocked, TooManyRequests) as problem:
            return problem.code
        return proved


@pytest.mark.both
def test_S11_of_forty_wrong_codes_at_the_same_time_five_are_looked_at(app: Flask, user_id: int, phone: App) -> None:
    wrong = phone.wrong_code()
    calls = [lambda: outcome(app, user_id, wrong) for _ in range(40)]

    outcomes = run_simultaneously(calls)

    assert {name: outcomes.count(name) for name in set(outcomes)} == {"invalid_code": 5, "rate_limited": 35}
    assert fetch_number(app, FAILURES) == 5
    assert outcome(app, user_id, phone.code()) == "rate_limited"


def test_S11_the_wait_is_in_the_response_and_then_over(
    app: Flask, user_id: int, phone: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(5):
        outcome(app, user_id, phone.wrong_code())
    with app.app_context(), pytest.raises(TooManyRequests) as rejected:
        guesses.count(user_id)

    assert 25 <= int(rejected.value.headers["Retry-After"]) <= 30
    later = clock.now() + timedelta(seconds=31)
    monkeypatch.setattr(clock, "now", lambda: later)
    assert outcome(app, user_id, phone.code()) == "otp"
    assert fetch_number(app, FAILURES) == 0


def test_S12_a_hundred_wrong_codes_lock_the_account_whatever_the_time_between(
    app: Flask, user_id: int, phone: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, wrong = clock.now(), phone.wrong_code()
    outcomes = []
    for hours in range(101):
        monkeypatch.setattr(clock, "now", lambda moment=now + timedelta(hours=hours): moment)
        outcomes.append(outcome(app, user_id, wrong))

    assert outcomes == [*(["invalid_code"] * 100), "second_step_locked"]
    assert outcome(app, user_id, phone.code()) == "second_step_locked"
    with app.app_context():
        assert guesses.unlock(user_id)
        db.session.commit()
    assert outcome(app, user_id, phone.code()) == "otp"


def test_S12_the_waits_grow(app: Flask, user_id: int, phone: App, monkeypatch: pytest.MonkeyPatch) -> None:
    moments: list[datetime] = [clock.now()]
    monkeypatch.setattr(clock, "now", lambda: moments[-1])
    waits = []
    while len(waits) < 60:
        with app.app_context():
            try:
                guesses.count(user_id)
            except TooManyRequests as problem:
                waits.append(int(problem.headers["Retry-After"]))
                moments.append(moments[-1] + timedelta(seconds=waits[-1]))

    assert waits == [30] * 5 + [300] * 10 + [900] * 30 + [3600] * 15


def test_S12_turning_throttles_off_does_not_lift_the_limit(app: Flask, user_id: int, phone: App) -> None:
    assert app.config["RATELIMIT_ENABLED"] is False

    outcomes = [outcome(app, user_id, phone.wrong_code()) for _ in range(6)]

    assert outcomes[-1] == "rate_limited"


def test_S78_the_owner_is_warned_about_the_fifth_wrong_code_once_a_day_and_about_the_lock(
    app: Flask, user_id: int, phone: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    email = fetch_rows(app, "SELECT email FROM users")[0].email
    now, wrong = clock.now(), phone.wrong_code()
    for minutes in range(100):
        monkeypatch.setattr(clock, "now", lambda moment=now + timedelta(hours=minutes): moment)
        outcome(app, user_id, wrong)
        if minutes == 3:
            assert emails_to(app, email, "second_step_failing") == []

    assert len(emails_to(app, email, "second_step_failing")) == 4  # hours 4, 28, 52 and 76
    assert len(emails_to(app, email, "second_step_locked")) == 1
    actions = [row.action for row in fetch_rows(app, "SELECT action FROM audit_events ORDER BY id")]
    assert actions.count("second_step.failed") == 100
    assert actions[-1] == "second_step.locked"


def test_an_account_without_a_second_factor_accepts_no_code(app: Flask, user_id: int) -> None:
    assert outcome(app, user_id, "123456") == "invalid_code"
