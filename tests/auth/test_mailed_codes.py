"""Signing in with a code or link that was sent by email: only the right one, at the right time, and only once."""

import base64
import hashlib
import hmac
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import jwt
import pytest
from flask import Flask

from tests.support.email_delivery import clock_mover
from tests.support.factories import make_user
from tests.support.mailed_codes import (
    CONFIRM,
    code_in,
    confirm,
    is_rejected,
    newest_email,
    other_code,
    request_code,
    token_in,
)
from tests.support.race import run_simultaneously
from tests.support.second_factors import set_up_app
from tests.support.sql import execute_sql, fetch_number, fetch_rows
from tests.support.statement_counter import record_statements
from userapi.auth import pruning
from userapi.core import clock

EMAIL = "wren@example.com"
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"


@pytest.fixture
def app(app: Flask) -> Flask:
    """The application with codes and links by email."""
    app.config["SIGN_IN_BY_MAIL"] = "link"
    return app


@pytest.fixture
def user_id(app: Flask) -> int:
    """A user with a confirmed email address."""
    return make_user(app, email=EMAIL, email_verified=True)


def request_and_read(app: Flask, email: str = EMAIL) -> tuple[str, str]:
    """Request a code: what names the request, and the code."""
    challenge = request_code(app, email)
    return challenge, code_in(newest_email(app, email))


def count_sessions(app: Flask) -> int:
    return fetch_number(app, "SELECT count(*) FROM login_sessions")


def test_a_code_begins_a_session_that_says_how_it_began(app: Flask, user_id: int) -> None:
    challenge, code = request_and_read(app)

    assert is_rejected(confirm(app, challenge=challenge, code=other_code(code)))
    signed_in = confirm(app, challenge=challenge, code=code)

    assert signed_in.status_code == 200, signed_in.text
    pair = signed_in.get_json()
    assert pair["user"]["id"] == user_id
    claims = jwt.decode(pair["access_token"], options={"verify_signature": False})
    assert (claims["acr"], claims["amr"]) == ("aal1", ["email"])
    assert fetch_rows(app, "SELECT way, amr FROM login_sessions") == [("code", "email")]
    actions = [row[0] for row in fetch_rows(app, "SELECT action FROM audit_events ORDER BY id")]
    assert actions[1:] == ["sign_in.code_requested", "sign_in.failed", "session.started"]


def test_a_code_can_set_cookies_but_not_from_a_form_on_another_site(app: Flask, user_id: int) -> None:
    challenge, code = request_and_read(app)
    form = {"challenge": challenge, "code": code, "cookies": "true"}

    foreign = app.test_client().post(CONFIRM, data=form, headers={"Sec-Fetch-Site": "cross-site"})
    own = confirm(app, challenge=challenge, code=code, cookies=True)

    assert (foreign.status_code, foreign.get_json()["code"]) == (403, "csrf_failed")
    assert own.status_code == 200
    assert "access_token" not in own.get_json()
    assert any(value.startswith("access_token=") for value in own.headers.getlist("Set-Cookie"))


def test_E02_after_five_wrong_codes_the_right_one_is_rejected(app: Flask, user_id: int) -> None:
    challenge, code = request_and_read(app)

    for _ in range(5):
        assert is_rejected(confirm(app, challenge=challenge, code=other_code(code)))
    assert is_rejected(confirm(app, challenge=challenge, code=code))

    challenge, code = request_and_read(app)
    for _ in range(4):
        assert is_rejected(confirm(app, challenge=challenge, code=other_code(code)))
    assert confirm(app, challenge=challenge, code=code).status_code == 200


@pytest.mark.both
def test_E02_of_a_hundred_parallel_guesses_five_are_compared(
    app: Flask, user_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    challenge, code = request_and_read(app)
    compared: list[object] = []
    compare = hmac.compare_digest
    monkeypatch.setattr(
        "userapi.auth.mailed_codes.hmac.compare_digest", lambda *both: compared.append(both) or compare(*both)
    )

    run_simultaneously([lambda: confirm(app, challenge=challenge, code=other_code(code)).status_code] * 100)

    assert len(compared) == 5
    assert fetch_number(app, "SELECT tries FROM sign_in_codes") == 5


@pytest.mark.both
def test_E04_of_ten_sign_ins_with_one_code_or_its_link_one_succeeds(app: Flask, user_id: int) -> None:
    challenge = request_code(app, EMAIL, code_challenge=to_challenge(VERIFIER))
    email = newest_email(app, EMAIL)
    by_code = {"challenge": challenge, "code": code_in(email)}
    by_link = {"token": token_in(email), "code_verifier": VERIFIER}

    statuses = run_simultaneously(
        [lambda: confirm(app, **by_code).status_code] * 4 + [lambda: confirm(app, **by_link).status_code] * 6
    )

    assert sorted(statuses) == [200] + [401] * 9
    assert count_sessions(app) == 1
    assert is_rejected(confirm(app, **by_code))
    assert is_rejected(confirm(app, **by_link))


def test_E05_a_code_expires_after_ten_minutes_of_our_clock(
    app: Flask, user_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    challenge = request_code(app, EMAIL, code_challenge=to_challenge(VERIFIER))
    email = newest_email(app, EMAIL)
    later = clock_mover(monkeypatch)

    later(timedelta(minutes=10, seconds=1))
    assert is_rejected(confirm(app, challenge=challenge, code=code_in(email)))
    assert is_rejected(confirm(app, token=token_in(email), code_verifier=VERIFIER))
    later(timedelta(minutes=9, seconds=50))
    assert confirm(app, challenge=challenge, code=code_in(email)).status_code == 200


def test_E05_a_newer_code_replaces_an_older_one(app: Flask, user_id: int) -> None:
    older, first_code = request_and_read(app)
    token = token_in(newest_email(app, EMAIL))
    newer, second_code = request_and_read(app)

    assert is_rejected(confirm(app, challenge=older, code=first_code))
    assert is_rejected(confirm(app, token=token, code=first_code))
    assert confirm(app, challenge=newer, code=second_code).status_code == 200


def test_E06_a_code_is_valid_only_with_its_own_challenge(app: Flask, user_id: int) -> None:
    make_user(app, email="other@example.com", email_verified=True)
    challenge, code = request_and_read(app)
    others_challenge, others_code = request_and_read(app, "other@example.com")

    for sent in (
        {"challenge": challenge, "code": others_code},
        {"challenge": others_challenge, "code": code},
        {"challenge": "5f2b0c1e-9d3a-4e57-8c64-1a7f0e2b9d35", "code": code},
        {"challenge": "guessed", "code": code},
        {"token": "guessed", "code": code},
    ):
        assert is_rejected(confirm(app, **sent))
    for sent in ({"code": code}, {"challenge": challenge}, {"token": "t"}, {}):
        assert confirm(app, **sent).status_code == 400
    assert count_sessions(app) == 0


def to_challenge(verifier: str) -> str:
    """The digest of a verifier (RFC 7636, S256)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def test_E10_a_link_alone_signs_in_only_the_program_that_requested_it(app: Flask, user_id: int) -> None:
    request_code(app, EMAIL)
    without_challenge = token_in(newest_email(app, EMAIL))
    assert is_rejected(confirm(app, token=without_challenge, code_verifier=VERIFIER))

    request_code(app, EMAIL, code_challenge=to_challenge(VERIFIER))
    email = newest_email(app, EMAIL)
    token = token_in(email)
    assert confirm(app, token=token).status_code == 400
    assert is_rejected(confirm(app, token=token, code_verifier=to_challenge(VERIFIER)))
    assert is_rejected(confirm(app, token=token, code=other_code(code_in(email))))
    assert count_sessions(app) == 0

    assert confirm(app, token=token, code_verifier=VERIFIER).status_code == 200


def test_a_link_with_its_code_signs_in_elsewhere_too(app: Flask, user_id: int) -> None:
    request_code(app, EMAIL, code_challenge=to_challenge(VERIFIER))
    email = newest_email(app, EMAIL)

    assert confirm(app, token=token_in(email), code=code_in(email)).status_code == 200


@pytest.mark.parametrize("challenge", ["a" * 42, "a" * 44, "a" * 42 + "=", "a" * 43 + "\n", "", 1])
def test_a_malformed_client_challenge_is_rejected(app: Flask, challenge: Any) -> None:
    sent = {"email": EMAIL, "code_challenge": challenge}

    assert app.test_client().post("/userapi/auth/code/", json=sent).status_code == 400


@pytest.mark.parametrize(
    "change",
    [
        "session_version = session_version + 1", "is_active = false", "email_key = 'new@example.com'",
        "is_staff = true", "is_superuser = true",
    ],
)  # fmt: skip
def test_E11_a_code_is_void_once_its_account_has_changed(app: Flask, user_id: int, change: str) -> None:
    challenge = request_code(app, EMAIL, code_challenge=to_challenge(VERIFIER))
    email = newest_email(app, EMAIL)
    execute_sql(app, f"UPDATE users SET {change}")

    assert is_rejected(confirm(app, challenge=challenge, code=code_in(email)))
    assert is_rejected(confirm(app, token=token_in(email), code_verifier=VERIFIER))
    assert count_sessions(app) == 0


def test_E11_signing_out_everywhere_voids_a_code(app: Flask, user_id: int) -> None:
    access = confirm(app, **dict(zip(("challenge", "code"), request_and_read(app), strict=True))).get_json()
    challenge, code = request_and_read(app)

    headers = {"Authorization": f"Bearer {access['access_token']}"}
    assert app.test_client().post("/userapi/auth/logout/", json={"all": True}, headers=headers).status_code == 200

    assert is_rejected(confirm(app, challenge=challenge, code=code))


def test_E14_the_database_does_not_tell_codes_or_links(app: Flask, user_id: int) -> None:
    challenge = request_code(app, EMAIL)
    email = newest_email(app, EMAIL)
    code, token = code_in(email).replace(" ", ""), token_in(email)
    (row,) = fetch_rows(app, "SELECT * FROM sign_in_codes")
    stored = [str(value) for value in row]

    guesses = (code, f"{challenge}{code}", f"sign_in\0{challenge}\0{code}", token)
    digests = {hashlib.sha256(guess.encode()).hexdigest() for guess in guesses}
    assert {code, token} & set(stored) == set()
    assert digests & set(stored) == set()
    app.config["SECRET_KEY"] = "another-Kx7_secret-0123456789-abcdef"
    assert is_rejected(confirm(app, challenge=challenge, code=code))


def test_E17_a_second_step_is_still_due(app: Flask, user_id: int) -> None:
    phone, _codes = set_up_app(app, user_id)
    challenge, code = request_and_read(app)

    first = confirm(app, challenge=challenge, code=code)
    assert (first.status_code, first.get_json()["code"]) == (401, "second_step_needed")
    assert count_sessions(app) == 0
    assert is_rejected(confirm(app, challenge=challenge, code=code))

    second = {"mfa_token": first.get_json()["mfa_token"], "code": phone.code()}
    finished = app.test_client().post("/userapi/auth/login/second-step/", json=second)
    assert finished.status_code == 200, finished.text
    assert fetch_rows(app, "SELECT way, amr FROM login_sessions") == [("code", "email otp mfa")]


@pytest.mark.parametrize(
    "spell",
    [
        lambda code: code.replace(" ", ""),
        lambda code: code.replace(" ", "-"),
        lambda code: f"\u00a0 {code} ",
        lambda code: "".join(chr(ord("\u0660") + int(digit)) for digit in code if digit.isdigit()),
        lambda code: "".join(chr(ord("\uff10") + int(digit)) for digit in code if digit.isdigit()),
        lambda code: "".join(chr(ord("\u0966") + int(digit)) for digit in code if digit.isdigit()),
    ],
    ids=["joined", "hyphen", "blanks", "arabic-indic", "full-width", "devanagari"],
)
def test_E19_spaces_hyphens_and_digits_of_any_script_are_the_same_code(
    app: Flask, user_id: int, spell: Callable[[str], str]
) -> None:
    challenge, code = request_and_read(app)

    assert confirm(app, challenge=challenge, code=spell(code)).status_code == 200


@pytest.mark.parametrize(
    "code", ["abcdefgh", "1234567", "123456789", "1" * 10_000, "1234\x005678", "½" * 8, "-", [], 1]
)
def test_E19_what_is_no_code_is_rejected_and_counts_as_no_try(app: Flask, user_id: int, code: Any) -> None:
    challenge = request_code(app, EMAIL)

    assert confirm(app, challenge=challenge, code=code).status_code in (400, 401)
    assert fetch_number(app, "SELECT tries FROM sign_in_codes") == 0


@pytest.mark.both
def test_a_code_costs_few_statements(app: Flask, user_id: int) -> None:
    challenge, code = request_and_read(app)
    confirm(app, challenge=challenge, code=code)

    with record_statements(app) as requesting:
        challenge = request_code(app, EMAIL)
    code = code_in(newest_email(app, EMAIL))
    with record_statements(app) as confirming:
        assert confirm(app, challenge=challenge, code=code).status_code == 200

    # The savepoint makes a known and an unknown address equally long: it is two of the five.
    assert len([statement for statement in requesting if "INSERT INTO messages" not in statement]) == 5, requesting
    assert len(confirming) == 9, confirming


def test_expired_codes_are_deleted_after_a_day(app: Flask, user_id: int, monkeypatch: pytest.MonkeyPatch) -> None:
    request_code(app, EMAIL)
    later = clock_mover(monkeypatch)

    for hours, left in ((23, 1), (25, 0)):
        later(timedelta(hours=hours))
        with app.app_context():
            pruning.prune(clock.now() - timedelta(days=30))
        assert fetch_number(app, "SELECT count(*) FROM sign_in_codes") == left


def test_without_a_mail_server_there_are_no_codes_unless_they_are_turned_on(make_app: Callable[..., Flask]) -> None:
    assert make_app().config["SIGN_IN_BY_MAIL"] == "none"
    mail = {"MAIL_SERVER": "127.0.0.1", "MAIL_DELIVERY": "none"}
    assert make_app(**mail).config["SIGN_IN_BY_MAIL"] == "code"
    assert make_app(**mail, SIGN_IN_BY_MAIL="none").config["SIGN_IN_BY_MAIL"] == "none"


def test_where_codes_are_off_none_is_sent_or_accepted(app: Flask, user_id: int) -> None:
    challenge, code = request_and_read(app)
    token = token_in(newest_email(app, EMAIL))
    app.config["SIGN_IN_BY_MAIL"] = "none"

    requested = app.test_client().post("/userapi/auth/code/", json={"email": EMAIL})
    assert (requested.status_code, requested.get_json()["code"]) == (409, "codes_unavailable")
    assert is_rejected(confirm(app, challenge=challenge, code=code))
    assert is_rejected(confirm(app, token=token, code=code))
    assert fetch_number(app, "SELECT tries FROM sign_in_codes") == 0
