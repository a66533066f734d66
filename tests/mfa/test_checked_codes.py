"""Which codes of apps and which recovery codes are accepted, and that each is accepted once."""

import pytest
import sqlalchemy as sa
from flask import Flask

from tests.support.email_inbox import emails_to
from tests.support.factories import make_user, new_user
from tests.support.race import run_simultaneously
from tests.support.second_factors import set_up_app
from tests.support.sql import execute_sql, fetch_number, fetch_rows
from userapi.core import clock
from userapi.core.db import db
from userapi.mfa import codes, factors, remembered_devices
from userapi.mfa.problems import InvalidCode
from userapi.users import queries as user_queries


@pytest.fixture
def user_id(app: Flask) -> int:
    return make_user(app, email=new_user()["email"])


def check(app: Flask, user_id: int, code: str) -> str | None:
    """What a code proves; None if it is not accepted."""
    with app.app_context():
        try:
            proved = codes.check(user_id, code)
        except InvalidCode:
            return None
        db.session.commit()
        return proved


@pytest.mark.parametrize(("tolerance", "accepted"), [(0, [0]), (1, [-1, 0, 1]), (2, [-2, -1, 0, 1, 2])])
def test_S10_codes_within_the_tolerance_are_accepted(
    app: Flask, user_id: int, tolerance: int, accepted: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    phone, _codes = set_up_app(app, user_id)
    app.config["TOTP_TOLERANCE"] = tolerance
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now)

    found = []
    for steps in range(-3, 4):
        execute_sql(app, "UPDATE totp_devices SET last_step = -1")
        if check(app, user_id, phone.code(steps)):
            found.append(steps)

    assert found == accepted


def test_S07_a_code_is_accepted_once(app: Flask, user_id: int) -> None:
    phone, _codes = set_up_app(app, user_id)
    code = phone.code()

    assert [check(app, user_id, code) for _ in range(2)] == ["otp", None]


def test_S09_a_code_that_is_older_than_a_used_one_is_rejected(app: Flask, user_id: int) -> None:
    phone, _codes = set_up_app(app, user_id)
    older, newer = phone.code(), phone.code(1)

    assert check(app, user_id, newer) == "otp"
    assert check(app, user_id, older) is None


@pytest.mark.both
def test_S08_of_thirty_simultaneous_checks_of_a_code_one_succeeds(app: Flask, user_id: int) -> None:
    phone, _codes = set_up_app(app, user_id)
    code = phone.code()

    found = run_simultaneously([lambda: check(app, user_id, code) for _ in range(30)])

    assert sorted(found, key=str) == [None] * 29 + ["otp"]


@pytest.mark.both
def test_S17_of_thirty_simultaneous_checks_of_a_recovery_code_one_succeeds(app: Flask, user_id: int) -> None:
    _phone, recovery = set_up_app(app, user_id)

    found = run_simultaneously([lambda: check(app, user_id, recovery[0]) for _ in range(30)])

    assert sorted(found, key=str) == [None] * 29 + ["lookup"]


def test_S17_each_of_the_ten_recovery_codes_works_once_in_any_order(app: Flask, user_id: int) -> None:
    _phone, recovery = set_up_app(app, user_id)

    found = [check(app, user_id, code) for code in reversed(recovery)]
    again = [check(app, user_id, code) for code in recovery]

    assert (found, again) == (["lookup"] * 10, [None] * 10)
    email = fetch_rows(app, "SELECT email FROM users")[0].email
    texts = [sent.text for sent in emails_to(app, email, "recovery_code_used")]
    assert "You have 9 recovery codes left." in texts[0]
    assert "You have no recovery codes left." in texts[-1]


def test_S18_recovery_codes_may_be_typed_with_other_case_spaces_and_lookalikes(app: Flask, user_id: int) -> None:
    _phone, recovery = set_up_app(app, user_id)
    first, second, third = recovery[:3]

    typed = [f" {first.upper()} ", second.replace("-", " "), third.replace("0", "O").replace("1", "I")]

    assert [check(app, user_id, code) for code in typed] == ["lookup"] * 3


def test_S18_recovery_codes_of_others_and_of_an_earlier_set_are_rejected(app: Flask, user_id: int) -> None:
    other_id = make_user(app, email=new_user()["email"])
    _phone, recovery = set_up_app(app, user_id)
    _phone, others = set_up_app(app, other_id)

    assert check(app, user_id, others[0]) is None
    assert check(app, other_id, others[0]) == "lookup"

    with app.app_context():
        user = user_queries.lock_user(user_id)
        assert user is not None
        new = factors.replace_recovery_codes(user)
        db.session.commit()
    assert check(app, user_id, recovery[0]) is None
    assert check(app, user_id, new[0]) == "lookup"


@pytest.mark.both
def test_S19_of_sets_that_are_created_at_the_same_time_one_is_good(app: Flask, user_id: int) -> None:
    set_up_app(app, user_id)

    def create() -> list[str]:
        with app.app_context():
            user = user_queries.lock_user(user_id)
            assert user is not None
            new = factors.replace_recovery_codes(user)
            db.session.commit()
            return new

    sets = run_simultaneously([create for _ in range(8)])

    good = [[check(app, user_id, code) == "lookup" for code in codes] for codes in sets]
    assert sorted(map(any, good)) == [False] * 7 + [True]
    assert sorted(map(all, good)) == [False] * 7 + [True]


def test_S21_the_database_contains_no_secret_and_no_recovery_code(app: Flask, user_id: int) -> None:
    phone, recovery = set_up_app(app, user_id)
    with app.app_context():
        token = remembered_devices.remember(user_id, 0, "203.0.113.5", "Browser/1.0")
        db.session.commit()
        tables = sa.inspect(db.engine).get_table_names()
        contents = "\n".join(str(db.session.execute(sa.text(f'SELECT * FROM "{name}"')).all()) for name in tables)

    assert "Phone" in contents
    for secret in (phone.secret, token, *recovery, *(code.replace("-", "") for code in recovery)):
        assert secret not in contents


def test_S22_the_secret_of_another_user_does_not_open(
    app: Flask, user_id: int, caplog: pytest.LogCaptureFixture
) -> None:
    other_id = make_user(app, email=new_user()["email"])
    _phone, _codes = set_up_app(app, user_id)
    others, _codes = set_up_app(app, other_id)
    execute_sql(
        app,
        "UPDATE totp_devices SET secret = (SELECT o.secret FROM totp_devices o WHERE o.user_id = :other)"
        " WHERE user_id = :id",
        other=other_id,
        id=user_id,
    )

    assert check(app, user_id, others.code()) is None
    assert "secret of an app cannot be opened" in caplog.text
    assert check(app, other_id, others.code()) == "otp"


def test_S85_a_code_of_another_time_is_rejected_and_the_log_says_why(
    app: Flask, user_id: int, caplog: pytest.LogCaptureFixture
) -> None:
    phone, _codes = set_up_app(app, user_id)

    assert check(app, user_id, phone.code(4)) is None
    assert "the clock of the server or of the app is wrong" in caplog.text


@pytest.mark.parametrize(
    "code", ["", "12345", "1234567", "123456789", "abcdef", "٠" * 5, "\ud800" * 6, "②" * 7, "1" * 10_000]
)
def test_S83_other_texts_are_rejected(app: Flask, user_id: int, code: str) -> None:
    set_up_app(app, user_id)

    assert check(app, user_id, code) is None


def test_S68_a_remembered_device_is_forgotten_with_the_session_version_and_by_a_recovery_code(
    app: Flask, user_id: int
) -> None:
    _phone, recovery = set_up_app(app, user_id)
    other_id = make_user(app, email=new_user()["email"])

    def remember() -> str:
        with app.app_context():
            token = remembered_devices.remember(user_id, 0, None, None)
            db.session.commit()
            return token

    def recognize(token: str, of: int = user_id, version: int = 0) -> bool:
        with app.app_context():
            return remembered_devices.recognize(token, of, version)

    token = remember()
    assert recognize(token)
    assert not recognize(token, of=other_id)
    assert not recognize(token, version=1)
    assert not recognize(token + "x")
    assert not recognize("")

    check(app, user_id, recovery[0])
    assert not recognize(token)

    expired = remember()
    execute_sql(app, "UPDATE remembered_devices SET expires_at = created_at")
    assert not recognize(expired)
    assert fetch_number(app, "SELECT count(*) FROM remembered_devices") == 1
