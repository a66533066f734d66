"""An access token is renewed with itself, within bounds."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from tests.legacy.conftest import MoveClock
from tests.support.factories import PASSWORD
from tests.support.forged_tokens import read_claims
from tests.support.impersonation import begin
from tests.support.legacy_clients import (
    CHANGE,
    LOGOUT,
    ME,
    NEW_PASSWORD,
    OldUser,
    refresh,
    sign_in_as_before,
    verify,
    with_token,
)
from tests.support.required_steps import require_from
from tests.support.second_factors import set_up_app
from tests.support.sql import execute_sql
from userapi.auth.models import Session
from userapi.core import clock
from userapi.core.db import db


def claims_of(client: FlaskClient, token: str) -> dict[str, Any]:
    response = refresh(client, token)
    assert response.status_code == 200, response.text
    return read_claims(response.get_json()["token"])


def age_sessions(app: Flask, days: float) -> None:
    """Let the sessions have begun earlier."""
    with app.app_context():
        db.session.execute(sa.update(Session).values(created_at=clock.now() - timedelta(days=days)))
        db.session.commit()


@pytest.mark.both
def test_J01_a_valid_access_token_is_renewed_in_its_session(old_client: FlaskClient, imported: OldUser) -> None:
    token = sign_in_as_before(old_client, imported.email)

    found = refresh(old_client, token).get_json()

    assert set(found) == {"token", "access_token", "token_type", "expires_in"}
    old, new = read_claims(token), read_claims(found["token"])
    assert new["jti"] != old["jti"]
    assert [new[name] for name in ("sid", "sub", "acr", "amr", "auth_time")] == [
        old[name] for name in ("sid", "sub", "acr", "amr", "auth_time")
    ]
    assert old_client.get(ME, headers=with_token(found["token"])).status_code == 200


@pytest.mark.both
def test_J01_a_session_that_began_too_long_ago_is_not_renewed(
    legacy_app: Flask, old_client: FlaskClient, imported: OldUser
) -> None:
    token = sign_in_as_before(old_client, imported.email)
    age_sessions(legacy_app, days=6.99)
    assert refresh(old_client, token).status_code == 200
    age_sessions(legacy_app, days=7)

    response = refresh(old_client, token)

    assert (response.status_code, response.get_json()["code"]) == (400, "token_expired")
    assert "Sign in again" in response.get_json()["non_field_errors"][0]
    assert verify(old_client, token).status_code == 200


@pytest.mark.both
@pytest.mark.parametrize("end", ["sign-out", "new password", "deactivation"])
def test_J01_a_token_whose_session_has_ended_is_not_renewed(
    legacy_app: Flask, old_client: FlaskClient, imported: OldUser, end: str
) -> None:
    token, other = (sign_in_as_before(old_client, imported.email) for _ in range(2))
    if end == "sign-out":
        old_client.post(LOGOUT, headers=with_token(token))
    elif end == "new password":
        change = {"old_password": PASSWORD, "new_password1": NEW_PASSWORD, "new_password2": NEW_PASSWORD}
        assert old_client.post(CHANGE, json=change, headers=with_token(other)).status_code == 200
    else:
        execute_sql(legacy_app, "UPDATE users SET is_active = false")

    response = refresh(old_client, token)

    assert (response.status_code, response.get_json()["code"]) == (400, "token_revoked")
    assert verify(old_client, token).status_code == 400


@pytest.mark.both
def test_J02_a_renewed_token_does_not_gain_what_the_session_proved_since(
    legacy_app: Flask, old_client: FlaskClient, imported: OldUser, later: MoveClock
) -> None:
    token = sign_in_as_before(old_client, imported.email)
    later(minutes=5)
    proof = old_client.post("/userapi/auth/prove/", json={"password": PASSWORD}, headers=with_token(token))
    assert proof.status_code == 200, proof.text
    execute_sql(legacy_app, "UPDATE login_sessions SET amr = 'pwd otp mfa'")

    renewed = claims_of(old_client, token)

    assert [renewed[name] for name in ("acr", "amr")] == ["aal1", ["pwd"]]
    assert renewed["auth_time"] == read_claims(token)["auth_time"]
    assert read_claims(proof.get_json()["access_token"])["auth_time"] > renewed["auth_time"]


def test_J02_tokens_that_only_allow_set_up_or_are_refresh_tokens_are_not_renewed(
    legacy_app: Flask, old_client: FlaskClient, imported: OldUser
) -> None:
    pair = old_client.post("/api-token-auth/", json={"email": imported.email, "password": PASSWORD}).get_json()
    assert refresh(old_client, pair["refresh_token"]).status_code == 400
    require_from(legacy_app, "everyone")
    token = sign_in_as_before(old_client, imported.email)

    assert [refresh(old_client, each).status_code for each in (token, pair["token"])] == [403, 403]


def test_J02_the_token_of_an_impersonation_is_not_renewed(make_app: Callable[..., Flask]) -> None:
    running = begin(make_app(LEGACY_CLIENTS="true", IMPERSONATION="true"))
    cookie = running.support.client.get_cookie("access_token")
    assert cookie is not None
    assert "act" in read_claims(cookie.value)

    responses = [operation(running.support.client, cookie.value) for operation in (refresh, verify)]

    assert [(each.status_code, each.get_json()["code"]) for each in responses] == [(400, "token_invalid")] * 2


def test_J03_an_account_with_a_second_step_gets_no_token_for_its_password_alone(
    legacy_app: Flask, old_client: FlaskClient, imported: OldUser
) -> None:
    app, _codes = set_up_app(legacy_app, imported.id)
    sent = {"email": imported.email, "password": PASSWORD}

    first = old_client.post("/api-token-auth/", json=sent)

    assert (first.status_code, first.get_json()["code"]) == (401, "second_step_needed")
    assert "token" not in first.get_json()
    assert first.get_json()["non_field_errors"] == [first.get_json()["detail"]]
    assert "token" in old_client.post("/api-token-auth/", json={**sent, "code": app.code()}).get_json()
