"""Exchanging an API key for an access token."""

import time
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from werkzeug.test import TestResponse

from tests.support.api_client import ApiUser
from tests.support.api_keys import KEYS, KeyHolder, create_key
from tests.support.forged_tokens import get_own_user, read_claims, verify_token
from tests.support.race import run_simultaneously
from tests.support.sql import fetch_rows
from tests.support.staff_imports import move_clock
from userapi.auth import api_key_caller
from userapi.auth.api_key_models import ApiKey
from userapi.auth.models import Session
from userapi.core import clock
from userapi.core.db import db


def exchange(app: Flask, holder: KeyHolder) -> TestResponse:
    return app.test_client().post("/api-token-auth/", json={"api_key": holder.key})


def get_token(app: Flask, holder: KeyHolder) -> str:
    response = exchange(app, holder)
    assert response.status_code == 200, response.text
    token: str = response.get_json()["access_token"]
    return token


def count_sessions(app: Flask) -> int:
    with app.app_context():
        return db.session.scalar(sa.select(sa.func.count()).where(Session.key_id.is_not(None))) or 0


def test_W61_the_token_names_the_key_and_its_scopes_and_nothing_that_a_user_proved(app: Flask, user: ApiUser) -> None:
    holder = create_key(user, "profile", "users")

    body = exchange(app, holder).get_json()

    token = body.pop("access_token")
    assert body == {"token_type": "Bearer", "expires_in": 900, "scope": "profile users", "client_id": holder.id}
    claims: dict[str, Any] = read_claims(token)
    assert (claims["client_id"], claims["scope"], claims["sub"]) == (holder.id, "profile users", str(user.id))
    assert claims["exp"] - time.time() <= 900
    assert not {"acr", "amr", "auth_time"} & set(claims)
    assert verify_token(app.test_client(), token).get_json()["client_id"] == holder.id
    assert exchange(app, holder).get_json()["client_id"] == holder.id


def test_W61_the_token_can_do_what_the_key_can_and_cannot_be_refreshed(app: Flask, user: ApiUser) -> None:
    holder = create_key(user, "profile")
    holder.key = get_token(app, holder)

    assert holder.get().get_json()["id"] == user.id
    assert holder.patch("/userapi/auth/user/", json={"first_name": "Ida"}).get_json()["code"] == "insufficient_scope"
    assert holder.get(KEYS).get_json()["code"] == "not_for_api_keys"
    refreshed = app.test_client().post("/api-token-refresh/", json={"refresh_token": holder.key})
    assert refreshed.get_json()["code"] == "token_invalid"
    logout = holder.open("/userapi/auth/logout/", method="POST")
    assert logout.get_json()["code"] == "not_for_api_keys"


def test_W61_a_token_grants_no_permissions_in_other_services(make_app: Any, make_api_user: Any) -> None:
    app = make_app(ACCESS_TOKEN_CLAIMS="is_staff,groups,email")
    owner = make_api_user(is_staff=True)

    claims = read_claims(get_token(app, create_key(owner)))

    assert (claims["is_staff"], claims["groups"], claims["email"]) == (False, [], owner.email)


@pytest.mark.both
def test_W61_the_token_ends_with_its_key(app: Flask, user: ApiUser) -> None:
    holder = create_key(user)
    token = get_token(app, holder)
    assert get_own_user(app.test_client(), token).status_code == 200
    assert [row["way"] for row in user.get("/userapi/auth/sessions/").get_json()["results"]] == ["password"]

    assert user.delete(f"{KEYS}{holder.id}/").status_code == 204

    assert get_own_user(app.test_client(), token).get_json()["code"] == "token_revoked"
    assert verify_token(app.test_client(), token).get_json()["code"] == "token_revoked"
    assert exchange(app, holder).get_json()["code"] == "token_invalid"


def test_W61_no_token_outlives_a_key_that_is_replaced_while_it_is_exchanged(
    app: Flask, user: ApiUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    holder, find_holder = create_key(user), api_key_caller.find_holder

    def find_and_rotate(key: str) -> Any:
        row = find_holder(key)
        assert user.post(f"{KEYS}{holder.id}/rotate/", json={"overlap": 60}).status_code == 201
        return row

    monkeypatch.setattr(api_key_caller, "find_holder", find_and_rotate)

    assert exchange(app, holder).get_json()["expires_in"] <= 60


@pytest.mark.both
def test_W61_a_key_that_is_revoked_while_it_is_exchanged_gets_no_token(
    app: Flask, user: ApiUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    holder, find_holder = create_key(user), api_key_caller.find_holder

    def find_and_revoke(key: str) -> Any:
        row = find_holder(key)
        assert user.delete(f"{KEYS}{holder.id}/").status_code == 204
        return row

    monkeypatch.setattr(api_key_caller, "find_holder", find_and_revoke)

    assert exchange(app, holder).get_json()["code"] == "token_invalid"
    assert count_sessions(app) == 0


@pytest.mark.parametrize("overlap", [0, 60])
def test_W61_the_token_ends_with_the_overlap_of_a_key_that_is_replaced(
    app: Flask, user: ApiUser, monkeypatch: pytest.MonkeyPatch, overlap: int
) -> None:
    holder = create_key(user)
    token = get_token(app, holder)

    assert user.post(f"{KEYS}{holder.id}/rotate/", json={"overlap": overlap}).status_code == 201

    assert get_own_user(app.test_client(), token).status_code == (200 if overlap else 401)
    ended = fetch_rows(app, "SELECT changes FROM audit_events WHERE action = 'session.ended'")
    assert len(ended) == (0 if overlap else 1)
    assert overlap or read_claims(token)["sid"] in str(ended[0].changes)
    move_clock(monkeypatch, timedelta(seconds=overlap))
    assert get_own_user(app.test_client(), token).status_code == 401


def test_W61_no_token_lives_longer_than_its_key(app: Flask, user: ApiUser) -> None:
    holder = create_key(user, expires_in=60)

    response = exchange(app, holder)

    assert response.get_json()["expires_in"] <= 60
    assert response.headers["API-Key-Expires"].endswith("GMT")


@pytest.mark.both
def test_W61_all_tokens_of_a_key_share_one_session_until_it_ends(app: Flask, user: ApiUser) -> None:
    holder = create_key(user)
    first = get_token(app, holder)
    assert read_claims(get_token(app, holder))["sid"] == read_claims(first)["sid"]

    assert user.delete("/userapi/auth/sessions/").status_code == 204

    assert get_own_user(app.test_client(), first).status_code == 401
    assert get_own_user(app.test_client(), get_token(app, holder)).status_code == 200
    assert get_own_user(app.test_client(), first).status_code == 401
    assert count_sessions(app) == 2


@pytest.mark.both
def test_W61_a_revocation_at_the_same_time_leaves_no_session(app: Flask, user: ApiUser) -> None:
    for _ in range(3):
        holder = create_key(user)
        exchanged, revoked = run_simultaneously(
            [lambda holder=holder: exchange(app, holder), lambda holder=holder: user.delete(f"{KEYS}{holder.id}/")]
        )
        assert revoked.status_code == 204
        if exchanged.status_code == 200:
            token = exchanged.get_json()["access_token"]
            assert get_own_user(app.test_client(), token).status_code == 401


def test_the_exchange_takes_either_a_key_or_an_email(app: Flask, user: ApiUser) -> None:
    holder = create_key(user)
    client = app.test_client()

    both = client.post("/api-token-auth/", json={"api_key": holder.key, "email": user.email, "password": user.password})
    assert both.get_json()["errors"] == {"api_key": ["Send either an API key, or an email and a password."]}
    missing = client.post("/api-token-auth/", json={}).get_json()["errors"]
    assert set(missing) == {"email", "password"}
    assert exchange(app, KeyHolder(client, "", "x")).get_json()["code"] == "token_invalid"


def test_a_token_is_not_listed_for_a_session_that_a_key_ended(app: Flask, user: ApiUser) -> None:
    holder = create_key(user)
    get_token(app, holder)
    with app.app_context():
        db.session.execute(sa.update(ApiKey).values(expires_at=clock.now() - timedelta(seconds=1)))
        db.session.commit()

    assert holder.code == "token_invalid"
    assert exchange(app, holder).status_code == 401
