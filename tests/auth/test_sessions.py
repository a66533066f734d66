"""Sessions are listed, ended singly or all together, and ended by changes to the account."""

import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.support.api_client import ApiUser, sign_in
from tests.support.factories import PASSWORD, make_user, new_user
from tests.support.forged_tokens import get_own_user, read_claims, refresh_session
from userapi.core import clock

pytestmark = pytest.mark.both

SESSIONS = "/userapi/auth/sessions/"
LOGOUT = "/userapi/auth/logout/"


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def is_active(client: FlaskClient, tokens: dict[str, Any]) -> bool:
    """Whether a session is active, checked without using its refresh token."""
    works = get_own_user(client, tokens["access_token"]).status_code == 200
    if not works:
        assert refresh_session(client, tokens["refresh_token"]).status_code == 401
    return works


def test_R05_logout_ends_the_session(client: FlaskClient, user: ApiUser) -> None:
    assert is_active(client, user.tokens)

    response = user.post(LOGOUT)

    assert response.status_code == 200
    assert get_own_user(client, user.tokens["access_token"]).get_json()["code"] == "token_revoked"
    assert refresh_session(client, user.tokens["refresh_token"]).get_json()["code"] == "token_revoked"


def test_R05_every_worker_knows_of_a_logout(app: Flask, make_app: Callable[..., Flask]) -> None:
    other = make_app()
    email = str(new_user()["email"])
    make_user(other, email=email)
    tokens = sign_in(app, email)
    assert is_active(other.test_client(), tokens)

    app.test_client().post(LOGOUT, headers=bearer(tokens["access_token"]))

    assert not is_active(other.test_client(), tokens)
    assert not is_active(app.test_client(), tokens)


def test_R05_the_refresh_token_can_sign_out_too(app: Flask, client: FlaskClient, user: ApiUser) -> None:
    in_body, as_bearer = sign_in(app, user.email), sign_in(app, user.email)

    first = client.post(LOGOUT, json={"refresh_token": in_body["refresh_token"]})
    second = client.post(LOGOUT, headers=bearer(as_bearer["refresh_token"]))

    assert [first.status_code, second.status_code] == [200, 200]
    assert not is_active(client, in_body)
    assert not is_active(client, as_bearer)
    assert is_active(client, user.tokens)


def test_R06_logout_ends_only_its_session_and_is_idempotent(
    app: Flask, client: FlaskClient, user: ApiUser, other_user: ApiUser
) -> None:
    other = sign_in(app, user.email)
    assert user.post(LOGOUT).status_code == 200

    assert user.post(LOGOUT).status_code == 401
    again = client.post(LOGOUT, json={"refresh_token": user.tokens["refresh_token"]})

    assert again.status_code == 200
    assert is_active(client, other)
    assert is_active(client, other_user.tokens)


def test_R06_logout_of_all_sessions(app: Flask, client: FlaskClient, user: ApiUser, other_user: ApiUser) -> None:
    others = [sign_in(app, user.email) for _ in range(2)]

    response = client.post(LOGOUT, json={"all": True}, headers=bearer(others[0]["access_token"]))

    assert response.status_code == 200
    assert [is_active(client, tokens) for tokens in (user.tokens, *others)] == [False] * 3
    assert is_active(client, other_user.tokens)
    assert is_active(client, sign_in(app, user.email))


def test_R06_an_ended_session_ends_no_others(app: Flask, client: FlaskClient, user: ApiUser) -> None:
    ended = sign_in(app, user.email)
    body = {"all": True, "refresh_token": ended["refresh_token"]}
    client.post(LOGOUT, json={"refresh_token": ended["refresh_token"]})

    assert client.post(LOGOUT, json=body).status_code == 401

    assert is_active(client, user.tokens)
    assert client.post(LOGOUT, json=body | {"refresh_token": user.tokens["refresh_token"]}).status_code == 200
    assert not is_active(client, user.tokens)


def test_logout_requires_a_token(client: FlaskClient, user: ApiUser) -> None:
    for headers, body in (
        ({}, {}),
        ({}, {"refresh_token": "x"}),
        ({}, {"refresh_token": user.tokens["access_token"]}),
        (bearer("x"), {}),
        (bearer(user.tokens["access_token"] + "x"), {}),
    ):
        assert client.post(LOGOUT, json=body, headers=headers).status_code == 401
    assert client.post(LOGOUT, json={"all": "yes"}, headers=user.headers).status_code == 400
    assert client.get(LOGOUT, headers=user.headers).status_code == 405
    assert is_active(client, user.tokens)


def test_R07_the_list_has_all_own_sessions_and_no_secrets(app: Flask, client: FlaskClient, other_user: ApiUser) -> None:
    email = str(new_user()["email"])
    make_user(app, email=email)
    tokens = []
    for address, agent in (("192.0.2.1", "Firefox on a desktop"), ("2001:db8::1", "x" * 400), ("192.0.2.3", "")):
        response = client.post(
            "/api-token-auth/",
            json={"email": email, "password": PASSWORD},
            headers={"User-Agent": agent},
            environ_overrides={"REMOTE_ADDR": address},
        )
        tokens.append(response.get_json())

    response = client.get(SESSIONS, headers=bearer(tokens[1]["access_token"]))

    found = response.get_json()["results"]
    assert {session["id"] for session in found} == {read_claims(pair["access_token"])["sid"] for pair in tokens}
    assert {(session["address"], session["user_agent"]) for session in found} == {
        ("192.0.2.1", "Firefox on a desktop"),
        ("2001:db8::1", "x" * 255),
        ("192.0.2.3", None),
    }
    assert [session["address"] for session in found if session["current"]] == ["2001:db8::1"]
    keys = {"id", "created_at", "last_used_at", "expires_at", "address", "user_agent", "way", "current"}
    for session in found:
        assert set(session) == keys
        created, used, end = (
            datetime.fromisoformat(session[name]) for name in ("created_at", "last_used_at", "expires_at")
        )
        assert session["created_at"].endswith("Z")
        assert created <= used < end == created + timedelta(days=30)
    for pair in tokens:
        for token in (pair["access_token"], pair["refresh_token"]):
            assert read_claims(token)["jti"] not in response.text
            assert token.rpartition(".")[2] not in response.text


def test_R07_the_list_shows_active_sessions_last_used_first(
    app: Flask, user: ApiUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = clock.now
    for hours in (1, 2, 3):
        monkeypatch.setattr(clock, "now", lambda hours=hours: real() - timedelta(hours=hours))
        sign_in(app, user.email)
    monkeypatch.setattr(clock, "now", real)
    ended = sign_in(app, user.email)
    app.test_client().post(LOGOUT, headers=bearer(ended["access_token"]))

    found = user.get(SESSIONS).get_json()["results"]

    used = [session["last_used_at"] for session in found]
    assert len(found) == 4
    assert used == sorted(used, reverse=True)
    assert found[0]["current"]


def test_the_last_use_is_stored_at_most_once_a_minute(user: ApiUser, monkeypatch: pytest.MonkeyPatch) -> None:
    def last_used() -> str:
        (session,) = user.get(SESSIONS).get_json()["results"]
        return str(session["last_used_at"])

    before, real = last_used(), clock.now
    monkeypatch.setattr(clock, "now", lambda: real() + timedelta(seconds=55))
    assert last_used() == before

    monkeypatch.setattr(clock, "now", lambda: real() + timedelta(seconds=65))

    assert last_used() > before


def test_R08_ending_a_session_invalidates_its_tokens_immediately(
    app: Flask, client: FlaskClient, user: ApiUser
) -> None:
    other, third = sign_in(app, user.email), sign_in(app, user.email)
    assert is_active(client, other)

    response = user.delete(f"{SESSIONS}{read_claims(other['access_token'])['sid']}/")

    assert (response.status_code, response.data) == (204, b"")
    assert not is_active(client, other)
    assert is_active(client, third)
    assert is_active(client, user.tokens)


def test_R08_ending_the_current_session_signs_out(client: FlaskClient, user: ApiUser) -> None:
    path = f"{SESSIONS}{read_claims(user.tokens['access_token'])['sid']}/"

    assert user.delete(path).status_code == 204

    assert not is_active(client, user.tokens)
    assert user.delete(path).status_code == 401


def test_R08_ending_all_other_sessions_keeps_the_current_one(
    app: Flask, client: FlaskClient, user: ApiUser, other_user: ApiUser
) -> None:
    others = [sign_in(app, user.email) for _ in range(3)]

    assert user.delete(SESSIONS).status_code == 204

    assert [is_active(client, tokens) for tokens in others] == [False] * 3
    assert is_active(client, user.tokens)
    assert refresh_session(client, user.tokens["refresh_token"]).status_code == 200
    assert is_active(client, other_user.tokens)
    assert len(user.get(SESSIONS).get_json()["results"]) == 1


def test_R09_the_sessions_of_other_users_are_not_visible(
    app: Flask, client: FlaskClient, user: ApiUser, other_user: ApiUser, superuser: ApiUser
) -> None:
    theirs = read_claims(other_user.tokens["access_token"])["sid"]
    ended = sign_in(app, user.email)
    client.post(LOGOUT, headers=bearer(ended["access_token"]))
    ids = (theirs, str(uuid.uuid4()), read_claims(ended["access_token"])["sid"])

    for caller in (user, superuser):
        responses = [caller.delete(f"{SESSIONS}{session_id}/") for session_id in ids]
        assert [response.status_code for response in responses] == [404] * 3
        assert len({response.data for response in responses}) == 1

    assert is_active(client, other_user.tokens)
    assert theirs not in user.get(SESSIONS).text
    for odd in ("1", "x", theirs.replace("-", ""), theirs + "0"):
        assert user.delete(f"{SESSIONS}{odd}/").status_code == 404
    assert client.get(SESSIONS).status_code == 401
    assert client.delete(f"{SESSIONS}{theirs}/").status_code == 401
