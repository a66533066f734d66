"""Tokens of the replaced service are exchanged for a session, until something ended the sessions of their user."""

import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from tests.legacy.conftest import MoveClock
from tests.support.api_client import sign_in
from tests.support.factories import PASSWORD, make_user
from tests.support.forged_tokens import read_claims
from tests.support.legacy_clients import (
    CHANGE,
    LOGOUT,
    ME,
    NEW_PASSWORD,
    SECRET,
    OldUser,
    import_user,
    refresh,
    verify,
    with_token,
)
from tests.support.required_steps import require_from
from tests.support.second_factors import set_up_app
from tests.support.sql import execute_sql, fetch_number, fetch_rows
from userapi.core import clock
from userapi.core.db import db
from userapi.users.models import User

DAY = 86400


def code_of(response: Any) -> str:
    assert response.status_code == 400, response.text
    return str(response.get_json()["code"])


def codes_of(client: FlaskClient, token: str) -> tuple[str, str]:
    """The errors that a token gets at refresh and verify."""
    return code_of(refresh(client, token)), code_of(verify(client, token))


@pytest.mark.both
def test_J04_an_old_token_begins_a_session(legacy_app: Flask, old_client: FlaskClient, imported: OldUser) -> None:
    response = refresh(old_client, imported.token())

    assert response.status_code == 200, response.text
    assert set(response.get_json()) == {"token", "access_token", "token_type", "expires_in"}
    token = response.get_json()["token"]
    assert old_client.get(ME, headers=with_token(token)).get_json()["pk"] == imported.id
    assert refresh(old_client, token).status_code == 200
    assert [row.way for row in fetch_rows(legacy_app, "SELECT way FROM login_sessions")] == ["legacy_token"]


def test_J04_an_old_token_is_verified_with_its_own_claims_and_user(
    legacy_app: Flask, old_client: FlaskClient, imported: OldUser
) -> None:
    token = imported.token()

    found = verify(old_client, token).get_json()

    assert (found["token"], found["user_id"], found["user"]["pk"]) == (token, imported.id, imported.id)
    assert found["orig_iat"] == read_claims(token)["orig_iat"]
    assert fetch_number(legacy_app, "SELECT count(*) FROM login_sessions") == 0


@pytest.mark.both
def test_J04_the_session_of_an_old_token_ends_when_its_refresh_would_have_and_is_no_recent_proof(
    old_client: FlaskClient, imported: OldUser, later: MoveClock
) -> None:
    began = int(time.time()) - 6 * DAY
    token = refresh(old_client, imported.token(orig_iat=began)).get_json()["token"]

    assert read_claims(token)["auth_time"] == began
    change = {"email": "new@example.com"}
    needed = old_client.post("/userapi/auth/email/change/", json=change, headers=with_token(token))
    assert (needed.status_code, needed.get_json()["code"]) == (403, "proof_needed")
    later(days=1)
    assert old_client.get(ME, headers=with_token(token)).status_code == 401


def test_J04_refresh_of_old_tokens_ends_a_week_after_their_sign_in(old_client: FlaskClient, imported: OldUser) -> None:
    token = imported.token(orig_iat=int(time.time()) - 7 * DAY)

    assert code_of(refresh(old_client, token)) == "token_expired"
    assert verify(old_client, token).status_code == 200


@pytest.mark.parametrize(
    ("how", "code"),
    [
        ({"exp": 1_700_000_000}, "token_expired"),
        ({"exp": None}, "token_invalid"),
        ({"orig_iat": None}, "token_invalid"),
        ({"orig_iat": int(time.time()) + 86_400}, "token_invalid"),
        ({"orig_iat": 1_700_000_000}, "token_invalid"),  # before the user joined
        ({"orig_iat": True}, "token_invalid"),
        ({"orig_iat": float("nan")}, "token_invalid"),
        ({"exp": float("inf")}, "token_invalid"),
        ({"user_id": 8}, "token_invalid"),
        ({"user_id": "7"}, "token_invalid"),
        ({"user_id": 7.0}, "token_invalid"),
        ({"user_id": 2**70}, "token_invalid"),
        ({"email": "other@example.com"}, "token_invalid"),
        ({"email": ["user7@example.com"]}, "token_invalid"),
        ({"email": None}, "token_invalid"),
        ({"aud": "another service"}, "token_invalid"),
        ({"key": SECRET[::-1]}, "token_invalid"),
        ({"algorithm": "HS512"}, "token_invalid"),
        ({"algorithm": "none", "key": ""}, "token_invalid"),
    ],
)
def test_J05_a_token_that_the_replaced_service_did_not_issue_for_this_account_is_rejected(
    old_client: FlaskClient, imported: OldUser, how: dict[str, Any], code: str
) -> None:
    assert codes_of(old_client, imported.token(**how)) == (code, code)


def test_J05_an_email_in_another_case_is_the_same(old_client: FlaskClient, imported: OldUser) -> None:
    assert refresh(old_client, imported.token(email="USER7@example.com")).status_code == 200


@pytest.mark.both
def test_J05_a_user_who_got_another_id_here_has_to_sign_in_again(
    legacy_app: Flask, old_client: FlaskClient, tmp_path: Path
) -> None:
    first = make_user(legacy_app)
    moved = import_user(legacy_app, tmp_path, user_id=first, email="moved@example.com")

    assert codes_of(old_client, moved.token()) == ("token_invalid", "token_invalid")


@pytest.mark.both
def test_J05_an_account_that_was_opened_here_has_no_old_tokens(legacy_app: Flask, old_client: FlaskClient) -> None:
    user = OldUser(make_user(legacy_app, email="new@example.com"), "new@example.com")
    with legacy_app.app_context():
        db.session.execute(sa.update(User).values(date_joined=clock.now() - timedelta(days=300)))
        db.session.commit()

    assert codes_of(old_client, user.token()) == ("token_invalid", "token_invalid")


@pytest.mark.both
@pytest.mark.parametrize("end", ["new password", "sign-out everywhere", "deactivation", "deletion"])
def test_J06_old_tokens_end_with_everything_that_ends_the_sessions_of_their_user(
    legacy_app: Flask, old_client: FlaskClient, imported: OldUser, end: str
) -> None:
    headers = with_token(sign_in(legacy_app, imported.email)["token"])
    if end == "new password":
        change = {"old_password": PASSWORD, "new_password1": NEW_PASSWORD, "new_password2": NEW_PASSWORD}
        assert old_client.post(CHANGE, json=change, headers=headers).status_code == 200
    elif end == "sign-out everywhere":
        assert old_client.post(LOGOUT, json={"all": True}, headers=headers).status_code == 200
    elif end == "deactivation":
        legacy_app.test_cli_runner().invoke(args=["users", "deactivate", imported.email])
    else:
        execute_sql(legacy_app, "DELETE FROM users")

    expected = "token_invalid" if end == "deletion" else "token_revoked"
    assert codes_of(old_client, imported.token()) == (expected, expected)


def test_J06_old_tokens_outlast_the_sign_in_that_replaces_the_hash(
    legacy_app: Flask, old_client: FlaskClient, imported: OldUser
) -> None:
    sign_in(legacy_app, imported.email)

    assert refresh(old_client, imported.token()).status_code == 200


@pytest.mark.both
@pytest.mark.parametrize("why", ["has one", "everyone needs one"])
def test_J07_an_account_that_has_or_needs_a_second_step_gets_nothing_for_an_old_token(
    legacy_app: Flask, old_client: FlaskClient, imported: OldUser, why: str
) -> None:
    if why == "has one":
        set_up_app(legacy_app, imported.id)
        execute_sql(legacy_app, "UPDATE users SET session_version = 0")
    else:
        require_from(legacy_app, "everyone")

    response = refresh(old_client, imported.token())

    assert (code_of(response), code_of(verify(old_client, imported.token()))) == ("token_invalid", "token_invalid")
    assert "second step" in response.get_json()["detail"]
    assert fetch_number(legacy_app, "SELECT count(*) FROM login_sessions") == 0


def test_J07_an_address_that_must_be_confirmed_must_be_for_old_tokens_too(
    legacy_app: Flask, old_client: FlaskClient, imported: OldUser
) -> None:
    execute_sql(legacy_app, "UPDATE users SET email_verified_at = NULL")
    legacy_app.config["EMAIL_VERIFICATION"] = "mandatory"

    assert codes_of(old_client, imported.token()) == ("token_revoked", "token_revoked")


def test_J05_without_the_secret_no_old_token_is_accepted(
    legacy_app: Flask, old_client: FlaskClient, imported: OldUser
) -> None:
    legacy_app.config["LEGACY_JWT_SECRET"] = ""

    assert codes_of(old_client, imported.token()) == ("token_invalid", "token_invalid")


def test_J07_sign_ins_with_old_tokens_are_limited_for_each_user(make_app: Any, imported: OldUser) -> None:
    settings = {"LEGACY_CLIENTS": "true", "LEGACY_JWT_SECRET": SECRET, "RATELIMIT_REFRESH_SESSION": "2 per minute"}
    client = make_app(**settings, RATELIMIT_ENABLED="true").test_client()
    token = imported.token()

    assert [refresh(client, token).status_code for _ in range(3)] == [200, 200, 429]
