"""The second step of a sign-in over the API (decision 0050)."""

import re
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from tests.support.api_client import ApiUser, sign_in
from tests.support.email_inbox import emails_to
from tests.support.factories import PASSWORD, make_account
from tests.support.forged_tokens import get_own_user, read_claims, refresh_session
from tests.support.openapi import documented_operations
from tests.support.race import run_simultaneously
from tests.support.second_factors import set_up_app
from tests.support.sql import execute_sql, fetch_number, fetch_rows
from tests.support.staff_imports import move_clock
from tests.support.statement_counter import record_statements
from tests.support.two_steps import LOGIN, SECOND_STEP, Owner, make_owner
from userapi.core.db import db
from userapi.mfa import factors
from userapi.security import password_hashing
from userapi.users import accounts
from userapi.users import queries as user_queries

SESSIONS = "SELECT count(*) FROM login_sessions"

#: Where programs send a password.
DOORS = ("/api-token-auth/", "/userapi/api-token-auth/", LOGIN)


@pytest.fixture
def owner(app: Flask) -> Owner:
    return make_owner(app)


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
            path = re.sub(r"{\w+}", str(uuid.uuid4()), path.replace("{user_id}", str(owner.id)))
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


@pytest.mark.both
def test_S64_one_session_begins_however_many_codes_are_sent_for_one_token(owner: Owner) -> None:
    token = owner.mfa_token()
    calls = [lambda code=code: owner.second_step(token, code) for code in owner.recovery_codes for _n in range(2)]

    responses = run_simultaneously(calls)

    codes = [response.get_json().get("code", "signed in") for response in responses]
    assert codes.count("signed in") == 1, codes
    assert set(codes) <= {"signed in", "mfa_token_invalid", "invalid_code", "rate_limited"}
    assert fetch_number(owner.app, SESSIONS) == 1
    assert fetch_number(owner.app, "SELECT count(*) FROM recovery_codes WHERE used_at IS NOT NULL") == 1


@pytest.mark.both
def test_S08_one_session_begins_however_many_times_one_code_is_sent(owner: Owner) -> None:
    tokens, code = [owner.mfa_token() for _n in range(5)], owner.phone.code()

    responses = run_simultaneously([lambda token=token: owner.second_step(token, code) for token in tokens])

    assert sorted(response.status_code for response in responses)[0] == 200
    assert [response.status_code for response in responses].count(200) == 1
    assert fetch_number(owner.app, SESSIONS) == 1


def end_by_password_change(owner: Owner, user: ApiUser) -> None:
    body = {"old_password": PASSWORD, "new_password1": "copper kettle upstairs 4",
            "new_password2": "copper kettle upstairs 4"}  # fmt: skip
    assert user.post("/userapi/auth/password/change/", json=body).status_code == 200


def end_by_reset(owner: Owner, user: ApiUser) -> None:
    user.client.post("/userapi/auth/password/reset/", json={"email": owner.email})
    email = emails_to(owner.app, owner.email, "reset_password")[-1]
    body = {"uid": email.uid, "token": email.token, "new_password1": "copper kettle upstairs 4",
            "new_password2": "copper kettle upstairs 4"}  # fmt: skip
    assert user.client.post("/userapi/auth/password/reset/confirm/", json=body).status_code == 200


def end_by_sign_out(owner: Owner, user: ApiUser) -> None:
    assert user.post("/userapi/auth/logout/", json={"all": True}).status_code == 200


def end_by_deactivation(owner: Owner, user: ApiUser) -> None:
    with owner.app.app_context():
        accounts.deactivate(user_queries.lock_user(owner.id))  # type: ignore[arg-type]
        db.session.commit()


def end_by_turning_off(owner: Owner, user: ApiUser) -> None:
    set_second_step(owner, is_on=False)


def end_by_turning_off_and_on(owner: Owner, user: ApiUser) -> None:
    set_second_step(owner, is_on=False)
    set_second_step(owner, is_on=True)


def set_second_step(owner: Owner, *, is_on: bool) -> None:
    with owner.app.app_context():
        user = user_queries.lock_user(owner.id)
        assert user is not None
        factors.set_second_step(user, is_on=is_on)
        db.session.commit()


ENDS = (
    end_by_password_change, end_by_reset, end_by_sign_out, end_by_deactivation, end_by_turning_off,
    end_by_turning_off_and_on,
)  # fmt: skip


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.__name__)
def test_S65_what_ends_sessions_ends_sign_ins_between_the_steps(
    owner: Owner, end: Callable[[Owner, ApiUser], None]
) -> None:
    tokens = owner.sign_in(owner.recovery_codes[0])
    user = ApiUser(owner.app.test_client(), owner.id, owner.email, PASSWORD, tokens)
    pending = owner.mfa_token()

    end(owner, user)

    response = owner.second_step(pending, owner.phone.code())
    assert (response.status_code, response.get_json()["code"]) == (401, "mfa_token_invalid")


def test_S65_without_a_second_step_the_password_is_enough_again(owner: Owner) -> None:
    set_second_step(owner, is_on=False)

    assert read_claims(sign_in(owner.app, owner.email)["access_token"])["acr"] == "aal1"


def test_S04_a_password_reset_begins_no_session_and_leaves_the_second_step_on(owner: Owner) -> None:
    end_by_reset(owner, ApiUser(owner.app.test_client(), owner.id, owner.email, PASSWORD, {}))

    assert fetch_number(owner.app, SESSIONS) == 0
    response = owner.first_step(password="copper kettle upstairs 4")
    assert response.get_json()["code"] == "second_step_needed"
    assert owner.second_step(response.get_json()["mfa_token"], owner.phone.code()).status_code == 200


def test_S05_one_mailbox_is_never_both_steps(owner: Owner) -> None:
    """A reader of the emails of an account can set its password, but not do the second step."""
    end_by_reset(owner, ApiUser(owner.app.test_client(), owner.id, owner.email, PASSWORD, {}))
    pending = owner.first_step(password="copper kettle upstairs 4").get_json()["mfa_token"]

    for email in emails_to(owner.app, owner.email):
        for secret in {email.secret, *(word for word in email.text.split() if len(word) <= 100)} - {None}:
            assert owner.app.test_client().post(
                SECOND_STEP, json={"mfa_token": pending, "code": secret}
            ).status_code in (400, 401, 429)


def test_S14_a_password_reset_lets_codes_be_entered_again(owner: Owner) -> None:
    execute_sql(owner.app, "UPDATE second_factors SET failures = 100")
    assert owner.second_step(owner.mfa_token(), owner.phone.code()).get_json()["code"] == "second_step_locked"
    end_by_reset(owner, ApiUser(owner.app.test_client(), owner.id, owner.email, PASSWORD, {}))

    response = owner.first_step(password="copper kettle upstairs 4", code=owner.phone.code())

    assert response.status_code == 200


def test_S84_a_sign_in_can_begin_again_after_a_lost_response(owner: Owner) -> None:
    lost, code = owner.mfa_token(), owner.phone.code()
    assert owner.second_step(lost, code).status_code == 200

    assert owner.second_step(owner.mfa_token(), code).get_json()["code"] == "invalid_code"
    assert owner.second_step(owner.mfa_token(), owner.phone.code(1)).status_code == 200
    assert owner.second_step(owner.mfa_token(), owner.recovery_codes[0]).status_code == 200


def test_S62_a_factor_that_was_removed_between_the_steps_does_not_count(owner: Owner) -> None:
    token = owner.mfa_token()
    execute_sql(owner.app, "DELETE FROM totp_devices")

    assert owner.second_step(token, owner.phone.code()).status_code == 401
    assert fetch_number(owner.app, SESSIONS) == 0


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


def test_a_remembered_device_needs_no_second_step_and_is_no_second_factor(owner: Owner) -> None:
    response = owner.second_step(owner.mfa_token(), owner.phone.code(), remember_device=True)
    device_token = response.get_json()["device_token"]

    for path in DOORS:
        tokens = owner.first_step(path=path, device_token=device_token).get_json()
        assert read_claims(tokens["access_token"])["acr"] == "aal1"
    assert owner.first_step(device_token=device_token[:-1]).get_json()["code"] == "second_step_needed"
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    data = owner.app.test_client().get("/userapi/auth/data/", headers=headers).get_json()
    assert (data["code"], data["acr"], data["ways"]) == ("proof_needed", "aal2", ["totp", "recovery_code"])


def test_S68_a_device_is_forgotten_with_all_sessions_and_belongs_to_one_account(owner: Owner) -> None:
    tokens = owner.second_step(owner.mfa_token(), owner.phone.code(), remember_device=True).get_json()
    other = make_owner(owner.app)
    assert other.first_step(device_token=tokens["device_token"]).get_json()["code"] == "second_step_needed"

    end_by_sign_out(owner, ApiUser(owner.app.test_client(), owner.id, owner.email, PASSWORD, tokens))

    assert owner.first_step(device_token=tokens["device_token"]).get_json()["code"] == "second_step_needed"


def test_S70_a_recovery_code_remembers_no_device(owner: Owner) -> None:
    response = owner.second_step(owner.mfa_token(), owner.recovery_codes[0], remember_device=True)

    assert (response.status_code, "device_token" in response.get_json()) == (200, False)
    assert fetch_number(owner.app, "SELECT count(*) FROM remembered_devices") == 0


def test_devices_are_not_remembered_where_the_setting_forbids_it(make_app: Callable[..., Flask]) -> None:
    owner = make_owner(make_app(REMEMBER_DEVICE_DAYS="0"))

    response = owner.second_step(owner.mfa_token(), owner.phone.code(), remember_device=True)

    assert "device_token" not in response.get_json()


def test_a_browser_with_cookies_is_remembered_by_a_cookie(owner: Owner) -> None:
    client = owner.app.test_client()
    first = owner.first_step(client, cookies=True)
    response = owner.second_step(
        first.get_json()["mfa_token"], owner.phone.code(), client, cookies=True, remember_device=True
    )
    cookie = client.get_cookie("device")

    assert set(response.get_json()) == {"user"}
    assert cookie is not None
    assert (cookie.http_only, cookie.same_site, cookie.max_age) == (True, "Lax", 30 * 86_400)
    assert owner.first_step(client, cookies=True).status_code == 200
    assert owner.first_step(client).get_json()["code"] == "second_step_needed"


def test_S36_a_password_is_no_proof_where_the_second_step_is_on(owner: Owner, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = owner.sign_in(owner.recovery_codes[0])
    user = ApiUser(owner.app.test_client(), owner.id, owner.email, PASSWORD, tokens)
    assert user.get("/userapi/auth/data/").status_code == 200
    move_clock(monkeypatch, timedelta(minutes=16))

    by_password = user.post("/userapi/auth/prove/", json={"password": PASSWORD})
    by_wrong_code = user.post("/userapi/auth/prove/", json={"code": owner.phone.wrong_code()})
    by_both = user.post("/userapi/auth/prove/", json={"password": PASSWORD, "code": owner.phone.code()})
    by_code = user.post("/userapi/auth/prove/", json={"code": owner.phone.code()})

    assert (by_password.status_code, by_password.get_json()["code"]) == (403, "proof_needed")
    assert by_password.get_json()["ways"] == ["totp", "recovery_code"]
    assert (by_wrong_code.status_code, by_wrong_code.get_json()["code"]) == (401, "invalid_code")
    assert by_both.status_code == 400
    assert (by_code.get_json()["acr"], read_claims(by_code.get_json()["access_token"])["amr"]) == (
        "aal2", ["pwd", "otp", "mfa"],
    )  # fmt: skip
    user.tokens = by_code.get_json()
    assert user.get("/userapi/auth/data/").status_code == 200


def test_S07_a_code_is_used_up_by_a_sign_in_and_by_a_proof(owner: Owner) -> None:
    code = owner.phone.code()
    user = ApiUser(owner.app.test_client(), owner.id, owner.email, PASSWORD, owner.sign_in(code))

    assert user.post("/userapi/auth/prove/", json={"code": code}).get_json()["code"] == "invalid_code"
    proved = user.post("/userapi/auth/prove/", json={"code": owner.phone.code(1)})
    assert proved.status_code == 200
    assert owner.second_step(owner.mfa_token(), owner.phone.code(1)).get_json()["code"] == "invalid_code"


def test_S34_a_stolen_token_of_a_remembered_device_gains_nothing_by_the_owners_proof(owner: Owner) -> None:
    device_token = owner.second_step(owner.mfa_token(), owner.phone.code(), remember_device=True).get_json()[
        "device_token"
    ]
    tokens = owner.first_step(device_token=device_token).get_json()
    user = ApiUser(owner.app.test_client(), owner.id, owner.email, PASSWORD, tokens)

    proved = user.post("/userapi/auth/prove/", json={"code": owner.phone.code(1)}).get_json()

    assert proved["acr"] == "aal2"
    assert user.get("/userapi/auth/data/").get_json()["code"] == "proof_needed"


@pytest.mark.parametrize("path", ["/userapi/auth/user/", "/userapi/auth/email/change/"])
def test_S29_a_password_changes_no_email_where_the_second_step_is_on(
    owner: Owner, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    user = ApiUser(owner.app.test_client(), owner.id, owner.email, PASSWORD, owner.sign_in())
    move_clock(monkeypatch, timedelta(minutes=16))
    change = {"email": "new.address@example.org"}

    if path.endswith("user/"):
        response = user.patch(path, json={**change, "current_password": PASSWORD})
    else:
        response = user.post(path, json={**change, "password": PASSWORD})

    assert (response.status_code, response.get_json()["code"]) == (403, "proof_needed")
    assert user.get("/userapi/auth/user/").get_json()["pending_email"] is None


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
