"""The second step of a sign-in over the API (decision 0050)."""

import re
import uuid
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from tests.support.api_client import sign_in
from tests.support.factories import PASSWORD, make_account
from tests.support.forged_tokens import get_own_user, read_claims, refresh_session
from tests.support.openapi import documented_operations
from tests.support.second_factors import set_up_app
from tests.support.sql import execute_sql, fetch_number, fetch_rows
from tests.support.staff_imports import move_clock
from tests.support.statement_counter import record_statements
from tests.support.two_steps import LOGIN, SECOND_STEP, Owner
from userapi.security import password_hashing

SESSIONS = "SELECT count(*) FROM login_sessions"

#: Where programs send a password.
DOORS = ("/api-token-auth/", "/userapi/api-token-auth/", LOGIN)


@pytest.mark.both
@pytest.mark.parametrize("form", [False, True])
@pytest.mark.parametrize("path", DOORS)
def test_S03_a_right_password_begins_nothing(owner: Owner, path: str, form: bool) -> None:
    client = owner.app.test_client()

    response = client.post(path, **({"data": owner.credentials} if form else {"json": owner.credentials}))

    problem = response.get_json()
    assert (response.status_code, problem["code"]) == (401, "second_step_needed")
    assert set(problem) == {"type", "title", "status", "detail", "code", "mfa_token", "expires_in", "ways"}
    assert (problem["expires_in"], problem["ways"]) == (600, ["totp", "recovery_code"])
    assert response.headers["WWW-Authenticate"] == 'Bearer realm="userapi"'
    assert "Set-Cookie" not in response.headers
    assert fetch_number(owner.app, SESSIONS) == 0
    assert fetch_rows(owner.app, "SELECT last_login FROM users") == [(None,)]


def test_S03_cookies_are_not_set_before_the_second_step(owner: Owner) -> None:
    client = owner.app.test_client()

    first = owner.first_step(client, cookies=True)
    assert "Set-Cookie" not in first.headers
    response = owner.second_step(first.get_json()["mfa_token"], owner.phone.code(), client, cookies=True)

    assert set(response.get_json()) == {"user"}
    assert client.get("/userapi/auth/user/").get_json()["email"] == owner.email


@pytest.mark.both
def test_the_second_step_begins_the_session(owner: Owner) -> None:
    response = owner.second_step(owner.mfa_token(), owner.phone.code())

    body = response.get_json()
    assert set(body) == {"access_token", "refresh_token", "token_type", "expires_in", "user"}
    claims = read_claims(body["access_token"])
    assert (claims["acr"], claims["amr"]) == ("aal2", ["pwd", "otp", "mfa"])
    assert get_own_user(owner.app.test_client(), body["access_token"]).status_code == 200
    assert [row.action for row in fetch_rows(owner.app, "SELECT action FROM audit_events ORDER BY id")][-2:] == [
        "second_step.requested", "session.started",
    ]  # fmt: skip


def test_a_recovery_code_does_the_second_step(owner: Owner) -> None:
    tokens = owner.sign_in(owner.recovery_codes[3])

    assert read_claims(tokens["access_token"])["amr"] == ["pwd", "lookup", "mfa"]
    assert owner.second_step(owner.mfa_token(), owner.recovery_codes[3]).get_json()["code"] == "invalid_code"


@pytest.mark.parametrize("path", DOORS)
def test_both_steps_can_be_one_request(owner: Owner, path: str) -> None:
    wrong = owner.first_step(path=path, code=owner.phone.wrong_code())
    right = owner.first_step(path=path, code=owner.phone.code())

    assert (wrong.status_code, wrong.get_json()["code"]) == (401, "invalid_code")
    assert (right.status_code, read_claims(right.get_json()["access_token"])["acr"]) == (200, "aal2")


def test_a_code_is_ignored_where_no_second_step_is_due(app: Flask) -> None:
    email = make_account(app)

    response = app.test_client().post(LOGIN, json={"email": email, "password": PASSWORD, "code": "123456"})

    assert response.status_code == 200


def test_S15_a_wrong_password_is_reported_whatever_the_code(owner: Owner) -> None:
    for code in (owner.phone.code(), owner.phone.wrong_code(), "x"):
        response = owner.first_step(password="not my password at all", code=code)
        assert (response.status_code, response.get_json()["code"]) == (401, "invalid_credentials")

    assert fetch_number(owner.app, "SELECT failures FROM second_factors") == 0
    assert owner.first_step(code=owner.phone.code()).status_code == 200


def test_S01_the_token_of_the_first_step_opens_no_operation(owner: Owner) -> None:
    token, client = owner.mfa_token(), owner.app.test_client()
    before = fetch_number(owner.app, SESSIONS)

    for method, path, operation in documented_operations(owner.app):
        if operation["security"]:
            path = re.sub(
                r"{\w+}", str(uuid.uuid4()), re.sub("{(user|identity|delivery|invitation)_id}", str(owner.id), path)
            )
            for headers in ({"Authorization": f"Bearer {token}"}, {"Cookie": f"access_token={token}"}):
                response = client.open(path, method=method, json={}, headers=headers)
                assert response.status_code == 401, (method, path)
    assert fetch_number(owner.app, SESSIONS) == before


def test_S02_tokens_of_one_kind_do_not_serve_as_another(owner: Owner) -> None:
    token, client = owner.mfa_token(), owner.app.test_client()
    tokens = owner.sign_in()

    assert refresh_session(client, token).status_code == 401
    assert client.post("/api-token-verify/", json={"token": token}).status_code == 401
    assert owner.first_step(device_token=token).get_json()["code"] == "second_step_needed"
    for other in (tokens["access_token"][:100], tokens["refresh_token"][:100], token[:-1], token + "x", "é"):
        response = owner.second_step(other, owner.phone.code(1))
        assert (response.status_code, response.get_json()["code"]) in (
            (401, "mfa_token_invalid"),
            (400, "validation_failed"),
            (400, "malformed_body"),
        ), other
    reset = {"uid": str(owner.id), "token": token, "new_password1": "copper kettle upstairs 4",
             "new_password2": "copper kettle upstairs 4"}  # fmt: skip
    assert client.post("/userapi/auth/password/reset/confirm/", json=reset).status_code == 400


def test_a_wrong_code_leaves_the_token_valid_until_the_right_one(owner: Owner) -> None:
    token = owner.mfa_token()

    assert owner.second_step(token, owner.phone.wrong_code()).get_json()["code"] == "invalid_code"
    assert owner.second_step(token, owner.phone.code()).status_code == 200
    assert owner.second_step(token, owner.phone.code(1)).get_json()["code"] == "mfa_token_invalid"


def test_S64_the_token_is_valid_for_ten_minutes(owner: Owner, monkeypatch: pytest.MonkeyPatch) -> None:
    token, other = owner.mfa_token(), owner.mfa_token()
    move_clock(monkeypatch, timedelta(seconds=599))
    assert owner.second_step(token, owner.phone.code()).status_code == 200
    move_clock(monkeypatch, timedelta(seconds=2))

    assert owner.second_step(other, owner.phone.code(1)).get_json()["code"] == "mfa_token_invalid"


def test_S84_a_sign_in_can_begin_again_after_a_lost_response(owner: Owner) -> None:
    lost, code = owner.mfa_token(), owner.phone.code()
    assert owner.second_step(lost, code).status_code == 200

    assert owner.second_step(owner.mfa_token(), code).get_json()["code"] == "invalid_code"
    assert owner.second_step(owner.mfa_token(), owner.phone.code(1)).status_code == 200
    assert owner.second_step(owner.mfa_token(), owner.recovery_codes[0]).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        {}, {"mfa_token": "x"}, {"code": "123456"}, {"mfa_token": 7, "code": "123456"},
        {"mfa_token": "x", "code": 123456}, {"mfa_token": "x" * 101, "code": "1"},
        {"mfa_token": "x", "code": "1" * 101}, {"mfa_token": "x", "code": "1", "way": "totp"},
        {"mfa_token": "x", "code": ["1"]},
    ],
)  # fmt: skip
def test_malformed_second_steps_are_rejected(app: Flask, body: dict[str, Any]) -> None:
    assert app.test_client().post(SECOND_STEP, json=body).status_code == 400


@pytest.mark.both
def test_S06_a_sign_in_that_saw_no_factor_begins_nothing_after_the_first_one(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first factor raises the session version of the account, which the sign-in has read with the password."""
    email = make_account(app)
    user_id = fetch_number(app, "SELECT id FROM users")
    verify, owners = password_hashing.verify_password, []

    def verify_while_the_first_app_is_set_up(*arguments: Any) -> bool:
        if not owners:
            owners.append(set_up_app(app, user_id))
            execute_sql(app, "UPDATE users SET session_version = session_version + 1")
        return verify(*arguments)

    monkeypatch.setattr(password_hashing, "verify_password", verify_while_the_first_app_is_set_up)
    response = app.test_client().post(LOGIN, json={"email": email, "password": PASSWORD})

    assert (response.status_code, response.get_json()["code"]) == (401, "second_step_needed")
    assert fetch_number(app, SESSIONS) == 0


@pytest.mark.both
def test_a_sign_in_without_second_factors_costs_no_statement_more(app: Flask) -> None:
    email = make_account(app)
    sign_in(app, email)

    with record_statements(app) as seen:
        sign_in(app, email)

    assert len(seen) == 6, seen
    assert sum("second_factors" in statement for statement in seen) == 1


@pytest.mark.both
def test_a_second_step_costs_a_known_number_of_statements(owner: Owner) -> None:
    with record_statements(owner.app) as first:
        token = owner.mfa_token()
    with record_statements(owner.app) as second:
        assert owner.second_step(token, owner.phone.code()).status_code == 200

    assert (len(first), len(second)) == (4, 12), (first, second)
