"""Parallel changes to sessions and passwords."""

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from werkzeug.test import TestResponse

from tests.support.api_client import ApiUser, sign_in
from tests.support.factories import PASSWORD, make_user, new_user
from tests.support.forged_tokens import get_own_user, read_claims, refresh_session
from tests.support.race import run_simultaneously
from userapi.core.db import db

pytestmark = pytest.mark.both

CHANGE = "/userapi/auth/password/change/"

Call = Callable[[], TestResponse]


def signing_in(app: Flask, email: str, password: str = PASSWORD) -> Call:
    body = {"email": email, "password": password}
    return lambda: app.test_client().post("/api-token-auth/", json=body)


def refreshing(app: Flask, token: str) -> Call:
    return lambda: refresh_session(app.test_client(), token)


def calling(app: Flask, method: str, path: str, token: str, body: Any = None) -> Call:
    headers = {"Authorization": f"Bearer {token}"}
    return lambda: app.test_client().open(path, method=method, json=body, headers=headers)


def changing(app: Flask, token: str, new: str, old: str = PASSWORD) -> Call:
    return calling(app, "POST", CHANGE, token, {"old_password": old, "new_password1": new, "new_password2": new})


def is_usable(app: Flask, response: TestResponse) -> bool:
    """Whether the tokens from a sign-in or refresh work."""
    if response.status_code != 200:
        return False
    client, pair = app.test_client(), response.get_json()
    by_access = get_own_user(client, pair["access_token"]).status_code == 200
    by_refresh = refresh_session(client, pair["refresh_token"]).status_code == 200
    assert by_access == by_refresh
    return by_access


def statuses(responses: list[TestResponse]) -> set[int]:
    return {response.status_code for response in responses}


def test_N02_ten_parallel_refreshes_all_get_the_same_successor(app: Flask, user: ApiUser) -> None:
    responses = run_simultaneously([refreshing(app, user.tokens["refresh_token"])] * 10)

    assert statuses(responses) == {200}
    successors = {read_claims(response.get_json()["refresh_token"])["jti"] for response in responses}
    assert len(successors) == 1
    again = [refresh_session(app.test_client(), response.get_json()["refresh_token"]) for response in responses]
    assert statuses(again) == {200}
    assert len({read_claims(response.get_json()["refresh_token"])["jti"] for response in again}) == 1


def test_N02_without_a_grace_period_parallel_refreshes_end_the_session(make_app: Callable[..., Flask]) -> None:
    app = make_app(REFRESH_REUSE_WINDOW="0")
    email = str(new_user()["email"])
    make_user(app, email=email)
    token = sign_in(app, email)["refresh_token"]

    responses = run_simultaneously([refreshing(app, token)] * 10)

    assert [response.status_code for response in responses].count(200) <= 1
    assert statuses(responses) <= {200, 401}
    assert [response for response in responses if is_usable(app, response)] == []


def test_N02_using_the_old_and_the_new_refresh_token_in_parallel_leaves_at_most_one_active(
    app: Flask, user: ApiUser
) -> None:
    old = user.tokens["refresh_token"]
    new = refresh_session(app.test_client(), old).get_json()["refresh_token"]

    responses = run_simultaneously([refreshing(app, token) for token in (old, new) * 4])

    assert statuses(responses) <= {200, 401}
    active_tokens = {
        read_claims(response.get_json()["refresh_token"])["jti"]
        for response in responses
        if response.status_code == 200
        and get_own_user(app.test_client(), response.get_json()["access_token"]).status_code == 200
    }
    assert len(active_tokens - {read_claims(new)["jti"]}) <= 1


def test_N04_only_one_of_eight_parallel_password_changes_succeeds(app: Flask, user: ApiUser) -> None:
    new = [f"quartz melon bicycle {number}{number}" for number in range(8)]
    tokens = [sign_in(app, user.email)["access_token"] for _ in new]

    responses = run_simultaneously(
        [changing(app, token, password) for token, password in zip(tokens, new, strict=True)]
    )

    won = [password for password, response in zip(new, responses, strict=True) if response.status_code == 200]
    assert len(won) == 1
    assert statuses(responses) <= {200, 400, 401}
    assert [
        password for password in (*new, PASSWORD) if signing_in(app, user.email, password)().status_code == 200
    ] == won
    active_tokens = [token for token in tokens if get_own_user(app.test_client(), token).status_code == 200]
    assert active_tokens == [tokens[new.index(won[0])]]


def test_N04_a_password_change_sent_twice_succeeds_once_and_keeps_the_session(app: Flask, user: ApiUser) -> None:
    token = user.tokens["access_token"]
    new = ["quartz melon bicycle 41", "quartz melon bicycle 42"]

    responses = run_simultaneously([changing(app, token, password) for password in new])

    assert sorted(response.status_code for response in responses) == [200, 400]
    (rejected,) = (response for response in responses if response.status_code == 400)
    assert rejected.get_json()["code"] == "wrong_password"
    won = new[[response.status_code for response in responses].index(200)]
    assert signing_in(app, user.email, won)().status_code == 200
    assert get_own_user(app.test_client(), token).status_code == 200


@pytest.mark.parametrize("everywhere", [False, True])
def test_N06_a_refresh_during_sign_out_leaves_no_active_session(app: Flask, user: ApiUser, everywhere: bool) -> None:
    for _ in range(4):
        tokens = sign_in(app, user.email)
        logout = calling(app, "POST", "/userapi/auth/logout/", tokens["access_token"], {"all": everywhere})

        responses = run_simultaneously([*[refreshing(app, tokens["refresh_token"])] * 3, logout])

        assert responses[-1].status_code == 200
        assert statuses(responses[:-1]) <= {200, 401}
        assert [response for response in responses[:-1] if is_usable(app, response)] == []
        assert get_own_user(app.test_client(), tokens["access_token"]).status_code == 401


def test_N06_a_session_ended_elsewhere_is_not_refreshed(app: Flask, user: ApiUser) -> None:
    for _ in range(4):
        tokens = sign_in(app, user.email)
        path = f"/userapi/auth/sessions/{read_claims(tokens['access_token'])['sid']}/"

        responses = run_simultaneously(
            [*[refreshing(app, tokens["refresh_token"])] * 3, calling(app, "DELETE", path, user.tokens["access_token"])]
        )

        assert responses[-1].status_code == 204
        assert [response for response in responses[:-1] if is_usable(app, response)] == []


@pytest.mark.parametrize("end", ["disable", "delete", "change the password", "sign out everywhere"])
def test_N07_no_session_survives_ending_all_sessions_during_sign_ins_and_refreshes(
    app: Flask, make_api_user: Callable[..., ApiUser], superuser: ApiUser, end: str
) -> None:
    boss = superuser.tokens["access_token"]
    for _ in range(3):
        someone = make_api_user()
        own = someone.tokens["access_token"]
        ends = {
            "disable": calling(app, "PATCH", someone.url, boss, {"is_active": False}),
            "delete": calling(app, "DELETE", someone.url, boss),
            "change the password": changing(app, own, "quartz melon bicycle 41"),
            "sign out everywhere": calling(app, "POST", "/userapi/auth/logout/", own, {"all": True}),
        }
        others = [sign_in(app, someone.email)["refresh_token"] for _ in range(2)]
        attempts = [refreshing(app, token) for token in others]
        if end != "sign out everywhere":
            attempts += [signing_in(app, someone.email)] * 2

        responses = run_simultaneously([*attempts, ends[end]])

        assert responses[-1].status_code in (200, 204)
        assert statuses(responses[:-1]) <= {200, 401}
        assert [response for response in responses[:-1] if is_usable(app, response)] == []


def test_N09_the_session_cap_holds_under_parallel_sign_ins(make_app: Callable[..., Flask]) -> None:
    app = make_app(SESSIONS_PER_USER="3")
    email = str(new_user()["email"])
    make_user(app, email=email)

    responses = run_simultaneously([signing_in(app, email)] * 10)

    assert statuses(responses) == {200}
    client = app.test_client()
    active_tokens = [
        response
        for response in responses
        if get_own_user(client, response.get_json()["access_token"]).status_code == 200
    ]
    assert len(active_tokens) == 3
    with app.app_context():
        open_sessions = db.session.scalar(sa.text("SELECT count(*) FROM login_sessions WHERE ended_at IS NULL"))
    assert open_sessions == 3


def test_parallel_sign_ins_all_succeed_while_the_hash_is_replaced(make_app: Callable[..., Flask]) -> None:
    old, new = make_app(), make_app(PASSWORD_HASH_MEMORY="16")
    email = str(new_user()["email"])
    make_user(old, email=email)

    responses = run_simultaneously([signing_in(new, email)] * 6)

    assert statuses(responses) == {200}
    with new.app_context():
        hashed = db.session.scalar(sa.text("SELECT password_hash FROM users"))
        failures = db.session.scalar(sa.text("SELECT count(*) FROM audit_events WHERE action = 'sign_in.failed'"))
    assert str(hashed).startswith("$argon2id$v=19$m=16,t=1,p=1$")
    assert failures == 0
