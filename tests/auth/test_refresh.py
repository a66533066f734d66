"""Refreshing: each refresh token works once, a lost response can be fetched again, and reuse ends the session."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.support.api_client import ApiUser, sign_in
from tests.support.email_inbox import all_emails
from tests.support.factories import PASSWORD, make_user, new_user
from tests.support.forged_tokens import forge_token, get_own_user, read_claims, refresh_session, verify_token
from tests.support.sql import execute_sql, fetch_rows
from userapi.app import create_app
from userapi.core import clock
from userapi.core.db import db

pytestmark = pytest.mark.both


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Move the clock: `later(seconds=11)`; `later()` is now."""
    real = clock.now

    def move_clock(**by: float) -> None:
        monkeypatch.setattr(clock, "now", lambda: real() + timedelta(**by))

    return move_clock


def test_R01_a_refresh_rotates_the_refresh_token(
    client: FlaskClient, user: ApiUser, later: Callable[..., None]
) -> None:
    response = refresh_session(client, user.tokens["refresh_token"])

    assert response.status_code == 200
    pair = response.get_json()
    assert set(pair) == {"access_token", "refresh_token", "token_type", "expires_in"}
    old, new = read_claims(user.tokens["refresh_token"]), read_claims(pair["refresh_token"])
    assert new["jti"] != old["jti"]
    assert (new["sid"], new["sub"]) == (old["sid"], old["sub"])
    assert get_own_user(client, pair["access_token"]).get_json()["id"] == user.id
    later(seconds=11)
    assert refresh_session(client, user.tokens["refresh_token"]).get_json()["code"] == "token_reused"


def test_a_session_can_be_refreshed_repeatedly(client: FlaskClient, user: ApiUser) -> None:
    token = user.tokens["refresh_token"]
    for _ in range(5):
        response = refresh_session(client, token)
        assert response.status_code == 200
        token = response.get_json()["refresh_token"]


def test_R02_reusing_a_rotated_token_ends_the_session(
    app: Flask, client: FlaskClient, user: ApiUser, later: Callable[..., None]
) -> None:
    elsewhere = sign_in(app, user.email)
    successor = refresh_session(client, user.tokens["refresh_token"]).get_json()
    assert get_own_user(client, successor["access_token"]).status_code == 200
    later(seconds=11)

    replay = refresh_session(client, user.tokens["refresh_token"])

    assert (replay.status_code, replay.get_json()["code"]) == (401, "token_reused")
    later()
    assert refresh_session(client, successor["refresh_token"]).get_json()["code"] == "token_revoked"
    assert get_own_user(client, successor["access_token"]).status_code == 401
    assert get_own_user(client, user.tokens["access_token"]).status_code == 401
    assert get_own_user(client, elsewhere["access_token"]).status_code == 200
    assert refresh_session(client, elsewhere["refresh_token"]).status_code == 200
    assert len(fetch_rows(app, "SELECT 1 FROM audit_events WHERE action = 'session.token_reused'")) == 1


def test_R02_the_owner_is_notified_only_of_reuse(app: Flask, client: FlaskClient, user: ApiUser) -> None:
    first = user.tokens["refresh_token"]
    second = refresh_session(client, first).get_json()["refresh_token"]
    refresh_session(client, first)
    refresh_session(client, second)
    assert all_emails(app, "token_reused") == []

    refresh_session(client, first)
    refresh_session(client, first)

    (sent_email,) = all_emails(app, "token_reused")
    assert (sent_email.recipient, sent_email.secret) == (user.email, None)


def test_R02_reusing_a_token_after_its_successor_was_used_ends_the_session_immediately(
    client: FlaskClient, user: ApiUser
) -> None:
    first = user.tokens["refresh_token"]
    second = refresh_session(client, first).get_json()["refresh_token"]
    third = refresh_session(client, second).get_json()["refresh_token"]

    assert refresh_session(client, first).get_json()["code"] == "token_reused"

    assert refresh_session(client, third).get_json()["code"] == "token_revoked"


def test_R03_a_lost_response_is_repeated_within_the_grace_period(
    client: FlaskClient, user: ApiUser, later: Callable[..., None]
) -> None:
    first = refresh_session(client, user.tokens["refresh_token"]).get_json()
    later(seconds=9)
    again = refresh_session(client, user.tokens["refresh_token"])

    assert again.status_code == 200
    successor = read_claims(first["refresh_token"])
    assert read_claims(again.get_json()["refresh_token"]) == successor | {"fresh": successor["fresh"]}
    later()
    assert get_own_user(client, again.get_json()["access_token"]).status_code == 200
    assert refresh_session(client, again.get_json()["refresh_token"]).status_code == 200


@pytest.mark.parametrize("seconds", [-0.5, 0.5])
def test_R03_no_response_is_repeated_without_a_grace_period(
    make_app: Callable[..., Flask], later: Callable[..., None], seconds: float
) -> None:
    app = make_app(REFRESH_REUSE_WINDOW="0")
    email = str(new_user()["email"])
    make_user(app, email=email)
    client = app.test_client()
    token = sign_in(app, email)["refresh_token"]
    assert refresh_session(client, token).status_code == 200

    later(seconds=seconds)

    assert refresh_session(client, token).get_json()["code"] == "token_reused"


def test_R04_every_worker_knows_of_a_rotation_even_after_a_restart(
    app: Flask, client: FlaskClient, user: ApiUser, later: Callable[..., None]
) -> None:
    successor = refresh_session(client, user.tokens["refresh_token"]).get_json()["refresh_token"]

    restarted = create_app({name: app.config[name] for name in app.config})
    other = restarted.test_client()
    later(seconds=11)

    assert refresh_session(other, user.tokens["refresh_token"]).get_json()["code"] == "token_reused"
    assert refresh_session(other, successor).get_json()["code"] == "token_revoked"
    with restarted.app_context():
        for engine in db.engines.values():
            engine.dispose()


def test_R12_rotation_never_moves_the_end_of_the_session(
    client: FlaskClient, user: ApiUser, app: Flask, later: Callable[..., None]
) -> None:
    def end() -> datetime:
        (session,) = user.get("/userapi/auth/sessions/").get_json()["results"]
        return datetime.fromisoformat(session["expires_at"])

    before = end()
    token = user.tokens["refresh_token"]

    for _ in range(3):
        token = refresh_session(client, token).get_json()["refresh_token"]

    assert end() == before
    execute_sql(
        app,
        "UPDATE login_sessions SET expires_at = :soon",
        soon=clock.now().replace(tzinfo=None) + timedelta(seconds=90),
    )
    pair = refresh_session(client, token).get_json()
    for kind in ("access_token", "refresh_token"):
        claims = read_claims(pair[kind])
        assert claims["exp"] <= clock.now().timestamp() + 90
    later(seconds=91)
    assert refresh_session(client, pair["refresh_token"]).get_json()["code"] == "token_expired"
    assert get_own_user(client, pair["access_token"]).status_code == 401


def test_R13_an_idle_session_ends(app: Flask, client: FlaskClient, user: ApiUser, later: Callable[..., None]) -> None:
    later(days=7, seconds=1)
    assert refresh_session(client, user.tokens["refresh_token"]).get_json()["code"] == "token_expired"
    assert verify_token(client, user.tokens["access_token"]).get_json()["code"] == "token_revoked"

    later(days=6, hours=23)
    assert refresh_session(client, user.tokens["refresh_token"]).status_code == 200


def test_R13_the_refresh_token_of_an_idle_session_expires_by_itself(
    client: FlaskClient, user: ApiUser, key_folder: str
) -> None:
    claims = read_claims(user.tokens["refresh_token"])
    past = {name: claims[name] - 7 * 86400 - 1 for name in ("iat", "nbf", "exp")}
    assert refresh_session(client, forge_token(key_folder, claims)).status_code == 200

    assert refresh_session(client, forge_token(key_folder, claims | past)).get_json()["code"] == "token_expired"


def test_R15_the_database_contains_no_usable_refresh_token(app: Flask, client: FlaskClient, user: ApiUser) -> None:
    tokens = [
        user.tokens["refresh_token"],
        refresh_session(client, user.tokens["refresh_token"]).get_json()["refresh_token"],
    ]
    with app.app_context():
        tables = list(db.metadata.tables)

    stored = "\n".join(str(tuple(row)) for table in tables for row in fetch_rows(app, f'SELECT * FROM "{table}"'))

    assert read_claims(tokens[1])["sid"].replace("-", "") in stored.replace("-", "")
    for token in tokens:
        assert not any(part in stored for part in token.split("."))
    assert "eyJ" not in stored


def test_R16_a_refresh_checks_the_account_again(
    app: Flask, client: FlaskClient, make_api_user: Callable[..., ApiUser], superuser: ApiUser
) -> None:
    disabled, deleted, changed, untouched = make_api_user(), make_api_user(), make_api_user(), make_api_user()
    other = sign_in(app, changed.email)["refresh_token"]
    superuser.patch(disabled.url, json={"is_active": False})
    superuser.delete(deleted.url)
    body = {"old_password": PASSWORD, "new_password1": "quartz melon 41", "new_password2": "quartz melon 41"}
    changed.post("/userapi/auth/password/change/", json=body)

    responses = [
        refresh_session(client, token)
        for token in (disabled.tokens["refresh_token"], deleted.tokens["refresh_token"], other)
    ]

    assert [response.status_code for response in responses] == [401, 401, 401]
    assert {response.get_json()["code"] for response in responses} == {"token_revoked"}
    assert refresh_session(client, untouched.tokens["refresh_token"]).status_code == 200


def test_R17_a_refresh_token_is_sent_in_the_body_or_as_bearer_token(client: FlaskClient, user: ApiUser) -> None:
    token = user.tokens["refresh_token"]
    path = "/api-token-refresh/"

    for query in ("refresh_token", "token", "refresh"):
        assert client.post(path, query_string={query: token}).status_code == 401
    for header in ("X-Refresh-Token", "Refresh-Token", "Proxy-Authorization"):
        assert client.post(path, headers={header: token}).status_code == 401
    assert client.post(path, auth=("refresh", token)).status_code == 401
    cookie = {"Cookie": f"refresh_token={token}", "X-CSRF-TOKEN": read_claims(token)["csrf"]}
    assert client.application.test_client(use_cookies=False).post(path, headers=cookie).status_code == 401
    assert client.get(path, query_string={"refresh_token": token}).status_code == 405
    assert client.post(path, json={"token": token}).status_code == 400
    missing = client.post(path)
    assert (missing.status_code, missing.get_json()["code"]) == (401, "not_authenticated")
    for value in (None, 1, [token], {}, ""):
        assert refresh_session(client, value).status_code == 400

    in_body = refresh_session(client, token)
    as_bearer = client.post(path, headers={"Authorization": f"bearer {in_body.get_json()['refresh_token']}"})
    in_form = client.post("/userapi/api-token-refresh/", data={"refresh_token": as_bearer.get_json()["refresh_token"]})

    assert [in_body.status_code, as_bearer.status_code, in_form.status_code] == [200, 200, 200]


def test_R17_other_tokens_cannot_refresh_a_session(client: FlaskClient, user: ApiUser, key_folder: str) -> None:
    claims = read_claims(user.tokens["refresh_token"])
    unknown = "9b2f4f3e-6f0b-4b5f-8a55-0c5be1f7a001"
    web = client.application.config["JWT_WEB_AUDIENCE"]
    for bad in (
        user.tokens["access_token"],
        "x",
        "a.b.c",
        forge_token(key_folder, claims | {"sid": unknown}),
        forge_token(key_folder, claims | {"aud": web}),
        forge_token(key_folder, claims | {"iss": "elsewhere"}),
        forge_token(key_folder, claims | {"exp": 1}),
    ):
        response = refresh_session(client, bad)
        assert response.status_code == 401, bad
        assert "invalid_token" in response.headers["WWW-Authenticate"]

    assert refresh_session(client, forge_token(key_folder, claims)).status_code == 200
