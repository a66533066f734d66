"""Which codes of apps and which recovery codes sign in, and that each does so once."""

import json
from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask

from tests.support.api_client import ApiUser
from tests.support.email_inbox import emails_to
from tests.support.factories import PASSWORD
from tests.support.forged_tokens import read_claims
from tests.support.second_factors import FACTORS, forget_used_steps
from tests.support.sql import execute_sql
from tests.support.two_steps import LOGIN, Owner, make_owner
from userapi.core import clock
from userapi.core.db import db


def send(owner: Owner, code: str) -> str:
    """Sign in with password and code: what the code has proved, or the code of the error. Errors are not counted."""
    response = owner.first_step(code=code)
    execute_sql(owner.app, "UPDATE second_factors SET failures = 0")
    if response.status_code != 200:
        return str(response.get_json()["code"])
    return str(read_claims(response.get_json()["access_token"])["amr"][1])


@pytest.mark.parametrize(("tolerance", "accepted"), [(0, [0]), (1, [-1, 0, 1]), (2, [-2, -1, 0, 1, 2])])
def test_S10_codes_within_the_tolerance_are_accepted(
    app: Flask, owner: Owner, tolerance: int, accepted: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    app.config["TOTP_TOLERANCE"] = tolerance
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now)

    found = []
    for steps in range(-3, 4):
        forget_used_steps(app)
        if send(owner, owner.phone.code(steps)) == "otp":
            found.append(steps)

    assert found == accepted


def test_S09_a_code_that_is_older_than_a_used_one_is_rejected(owner: Owner) -> None:
    older, newer = owner.phone.code(), owner.phone.code(1)

    assert [send(owner, newer), send(owner, older)] == ["otp", "invalid_code"]


def test_S17_each_of_the_ten_recovery_codes_works_once_in_any_order(app: Flask, owner: Owner) -> None:
    found = [send(owner, code) for code in reversed(owner.recovery_codes)]
    again = [send(owner, code) for code in owner.recovery_codes]

    assert (found, again) == (["lookup"] * 10, ["invalid_code"] * 10)
    texts = [sent.text for sent in emails_to(app, owner.email, "recovery_code_used")]
    assert "You have 9 recovery codes left." in texts[0]
    assert "You have no recovery codes left." in texts[-1]


def test_S18_recovery_codes_may_be_typed_with_other_case_spaces_and_lookalikes(owner: Owner) -> None:
    first, second, third = owner.recovery_codes[:3]

    typed = [f" {first.upper()} ", second.replace("-", " "), third.replace("0", "O").replace("1", "I")]

    assert [send(owner, code) for code in typed] == ["lookup"] * 3


def test_S18_recovery_codes_of_others_and_of_an_earlier_set_are_rejected(app: Flask, owner: Owner) -> None:
    other = make_owner(app)
    user = ApiUser(app.test_client(), owner.id, owner.email, PASSWORD, owner.sign_in())

    new = user.post(f"{FACTORS}recovery-codes/").get_json()["codes"]

    assert [send(owner, code) for code in (other.recovery_codes[0], owner.recovery_codes[0])] == ["invalid_code"] * 2
    assert [send(other, other.recovery_codes[0]), send(owner, new[0])] == ["lookup"] * 2


def test_S21_the_database_contains_no_secret_and_no_code(app: Flask, owner: Owner) -> None:
    signed_in = owner.second_step(owner.mfa_token(), owner.phone.code(), remember_device=True).get_json()
    pending = owner.mfa_token()

    with app.app_context():
        tables = sa.inspect(db.engine).get_table_names()
        contents = "\n".join(str(db.session.execute(sa.text(f'SELECT * FROM "{name}"')).all()) for name in tables)

    assert "Phone" in contents
    codes = [*owner.recovery_codes, *(code.replace("-", "") for code in owner.recovery_codes)]
    for secret in (owner.phone.secret, signed_in["device_token"], pending, *codes):
        assert secret not in contents


def test_S22_the_secret_of_another_user_does_not_open(
    app: Flask, owner: Owner, caplog: pytest.LogCaptureFixture
) -> None:
    other = make_owner(app)
    stolen = "(SELECT o.secret FROM totp_devices o WHERE o.user_id = :other)"
    execute_sql(app, f"UPDATE totp_devices SET secret = {stolen} WHERE user_id = :id", other=other.id, id=owner.id)

    assert send(owner, other.phone.code()) == "invalid_code"
    assert "secret of an app cannot be opened" in caplog.text
    assert send(other, other.phone.code()) == "otp"


def test_S85_a_code_of_another_time_is_rejected_and_the_log_says_why(
    owner: Owner, caplog: pytest.LogCaptureFixture
) -> None:
    assert send(owner, owner.phone.code(4)) == "invalid_code"
    assert "the clock of the server or of the app is wrong" in caplog.text


@pytest.mark.parametrize(
    "spell",
    [
        lambda code: f" {code[:3]} {code[3:]} ",
        lambda code: f"{code[:3]}-{code[3:]}",
        lambda code: code.translate(digits_from("٠")),
        lambda code: code.translate(digits_from("০")),
        lambda code: code.translate(digits_from("０")),
    ],
    ids=["spaces", "hyphen", "Arabic", "Bengali", "full-width"],
)
def test_S83_a_code_may_have_spaces_and_digits_of_any_script(owner: Owner, spell: Callable[[str], str]) -> None:
    assert send(owner, spell(owner.phone.code())) == "otp"


def digits_from(zero: str) -> dict[int, int]:
    """Translates digits into those of a script."""
    return {ord("0") + number: ord(zero) + number for number in range(10)}


def test_S83_other_texts_are_rejected(owner: Owner) -> None:
    for text in ("12345", "1234567", "123456789", "abcdef", "٠" * 5, "②" * 7):
        assert send(owner, text) == "invalid_code", text
    assert send(owner, "1" * 10_000) == "validation_failed"
    surrogates = json.dumps({**owner.credentials, "code": "\ud800" * 6})
    response = owner.app.test_client().post(LOGIN, data=surrogates, content_type="application/json")
    assert response.status_code == 400


def test_S11_the_wait_after_wrong_codes_is_in_the_response_and_then_over(
    owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = [owner.first_step(code=owner.phone.wrong_code()).get_json()["code"] for _ in range(5)]
    limited = owner.first_step(code=owner.phone.code())

    assert (wrong, limited.get_json()["code"]) == (["invalid_code"] * 5, "rate_limited")
    assert 25 <= int(limited.headers["Retry-After"]) <= 30
    later = clock.now() + timedelta(seconds=31)
    monkeypatch.setattr(clock, "now", lambda: later)
    assert send(owner, owner.phone.code()) == "otp"
    assert owner.first_step(code=owner.phone.wrong_code()).get_json()["code"] == "invalid_code"  # counted from 0 again


def test_S12_the_waits_grow_also_where_throttles_are_off(app: Flask, owner: Owner) -> None:
    assert app.config["RATELIMIT_ENABLED"] is False
    waits = {5: 30, 9: 30, 10: 300, 19: 300, 20: 900, 49: 900, 50: 3600, 99: 3600}

    for failures, seconds in waits.items():
        execute_sql(
            app, "UPDATE second_factors SET failures = :many, last_failed_at = :now", many=failures, now=clock.now()
        )
        limited = owner.first_step(code=owner.phone.code())
        assert limited.get_json()["code"] == "rate_limited"
        assert seconds - 5 <= int(limited.headers["Retry-After"]) <= seconds


def test_S12_S78_a_hundred_wrong_codes_lock_the_account_and_its_owner_is_warned(
    app: Flask, owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, wrong, found = clock.now(), owner.phone.wrong_code(), []
    for hours in range(101):
        monkeypatch.setattr(clock, "now", lambda moment=now + timedelta(hours=hours): moment)
        found.append(owner.first_step(code=wrong).get_json()["code"])
        if hours == 3:
            assert emails_to(app, owner.email, "second_step_failing") == []

    assert found == [*(["invalid_code"] * 100), "second_step_locked"]
    assert owner.first_step(code=owner.phone.code()).get_json()["code"] == "second_step_locked"
    assert owner.first_step(code=owner.recovery_codes[0]).get_json()["code"] == "second_step_locked"
    assert len(emails_to(app, owner.email, "second_step_failing")) == 4  # hours 4, 28, 52 and 76: once a day
    assert len(emails_to(app, owner.email, "second_step_locked")) == 1
    with app.app_context():
        actions = list(db.session.scalars(sa.text("SELECT action FROM audit_events ORDER BY id")))
    assert actions.count("second_step.failed") == 100
    assert "second_step.locked" in actions


def test_an_account_without_a_second_factor_accepts_no_code(user: ApiUser) -> None:
    response = user.post("/userapi/auth/prove/", json={"code": "123456"})

    assert (response.status_code, response.get_json()["code"]) == (401, "invalid_code")
