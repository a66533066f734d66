"""Sessions and passwords when several things happen at once: nobody wins what only one may have."""

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


def works(app: Flask, answer: TestResponse) -> bool:
    """Whether what a sign-in or refresh gave is of any use."""
    if answer.status_code != 200:
        return False
    client, pair = app.test_client(), answer.get_json()
    by_access = get_own_user(client, pair["access_token"]).status_code == 200
    by_refresh = refresh_session(client, pair["refresh_token"]).status_code == 200
    assert by_access == by_refresh
    return by_access


def statuses(answers: list[TestResponse]) -> set[int]:
    return {answer.status_code for answer in answers}


def test_N02_of_ten_refreshes_at_once_all_get_the_one_successor(app: Flask, user: ApiUser) -> None:
    answers = run_simultaneously([refreshing(app, user.tokens["refresh_token"])] * 10)

    assert statuses(answers) == {200}
    successors = {read_claims(answer.get_json()["refresh_token"])["jti"] for answer in answers}
    assert len(successors) == 1
    again = [refresh_session(app.test_client(), answer.get_json()["refresh_token"]) for answer in answers]
    assert statuses(again) == {200}
    assert len({read_claims(answer.get_json()["refresh_token"])["jti"] for answer in again}) == 1


def test_N02_without_a_window_one_refresh_wins_and_the_others_end_the_session(make_app: Callable[..., Flask]) -> None:
    app = make_app(REFRESH_REUSE_WINDOW="0")
    email = str(new_user()["email"])
    make_user(app, email=email)
    token = sign_in(app, email)["refresh_token"]

    answers = run_simultaneously([refreshing(app, token)] * 10)

    assert [answer.status_code for answer in answers].count(200) <= 1
    assert statuses(answers) <= {200, 401}
    assert [answer for answer in answers if works(app, answer)] == []


def test_N02_the_old_and_the_new_refresh_token_at_once_never_make_two_living_ones(app: Flask, user: ApiUser) -> None:
    old = user.tokens["refresh_token"]
    new = refresh_session(app.test_client(), old).get_json()["refresh_token"]

    answers = run_simultaneously([refreshing(app, token) for token in (old, new) * 4])

    assert statuses(answers) <= {200, 401}
    living = {
        read_claims(answer.get_json()["refresh_token"])["jti"]
        for answer in answers
        if answer.status_code == 200
        and get_own_user(app.test_client(), answer.get_json()["access_token"]).status_code == 200
    }
    assert len(living - {read_claims(new)["jti"]}) <= 1


def test_N04_of_eight_changes_of_one_password_one_succeeds(app: Flask, user: ApiUser) -> None:
    new = [f"quartz melon bicycle {number}{number}" for number in range(8)]
    tokens = [sign_in(app, user.email)["access_token"] for _ in new]

    answers = run_simultaneously([changing(app, token, password) for token, password in zip(tokens, new, strict=True)])

    won = [password for password, answer in zip(new, answers, strict=True) if answer.status_code == 200]
    assert len(won) == 1
    assert statuses(answers) <= {200, 400, 401}
    assert [
        password for password in (*new, PASSWORD) if signing_in(app, user.email, password)().status_code == 200
    ] == won
    living = [token for token in tokens if get_own_user(app.test_client(), token).status_code == 200]
    assert living == [tokens[new.index(won[0])]]


def test_N04_a_change_sent_twice_succeeds_once_and_signs_nobody_out(app: Flask, user: ApiUser) -> None:
    token = user.tokens["access_token"]
    new = ["quartz melon bicycle 41", "quartz melon bicycle 42"]

    answers = run_simultaneously([changing(app, token, password) for password in new])

    assert sorted(answer.status_code for answer in answers) == [200, 400]
    (refused,) = (answer for answer in answers if answer.status_code == 400)
    assert refused.get_json()["code"] == "wrong_password"
    won = new[[answer.status_code for answer in answers].index(200)]
    assert signing_in(app, user.email, won)().status_code == 200
    assert get_own_user(app.test_client(), token).status_code == 200


@pytest.mark.parametrize("everywhere", [False, True])
def test_N06_after_a_logout_no_refresh_leaves_a_living_session(app: Flask, user: ApiUser, everywhere: bool) -> None:
    for _ in range(4):
        tokens = sign_in(app, user.email)
        logout = calling(app, "POST", "/userapi/auth/logout/", tokens["access_token"], {"all": everywhere})

        answers = run_simultaneously([*[refreshing(app, tokens["refresh_token"])] * 3, logout])

        assert answers[-1].status_code == 200
        assert statuses(answers[:-1]) <= {200, 401}
        assert [answer for answer in answers[:-1] if works(app, answer)] == []
        assert get_own_user(app.test_client(), tokens["access_token"]).status_code == 401


def test_N06_a_session_ended_from_elsewhere_is_not_refreshed(app: Flask, user: ApiUser) -> None:
    for _ in range(4):
        tokens = sign_in(app, user.email)
        path = f"/userapi/auth/sessions/{read_claims(tokens['access_token'])['sid']}/"

        answers = run_simultaneously(
            [*[refreshing(app, tokens["refresh_token"])] * 3, calling(app, "DELETE", path, user.tokens["access_token"])]
        )

        assert answers[-1].status_code == 204
        assert [answer for answer in answers[:-1] if works(app, answer)] == []


@pytest.mark.parametrize("end", ["disable", "delete", "change the password", "log out everywhere"])
def test_N07_after_the_end_of_everything_no_sign_in_or_refresh_works(
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
            "log out everywhere": calling(app, "POST", "/userapi/auth/logout/", own, {"all": True}),
        }
        others = [sign_in(app, someone.email)["refresh_token"] for _ in range(2)]
        attempts = [refreshing(app, token) for token in others]
        if end != "log out everywhere":
            attempts += [signing_in(app, someone.email)] * 2

        answers = run_simultaneously([*attempts, ends[end]])

        assert answers[-1].status_code in (200, 204)
        assert statuses(answers[:-1]) <= {200, 401}
        assert [answer for answer in answers[:-1] if works(app, answer)] == []


def test_N09_the_session_cap_holds_under_parallel_sign_ins(make_app: Callable[..., Flask]) -> None:
    app = make_app(SESSIONS_PER_USER="3")
    email = str(new_user()["email"])
    make_user(app, email=email)

    answers = run_simultaneously([signing_in(app, email)] * 10)

    assert statuses(answers) == {200}
    client = app.test_client()
    living = [
        answer for answer in answers if get_own_user(client, answer.get_json()["access_token"]).status_code == 200
    ]
    assert len(living) == 3
    with app.app_context():
        open_sessions = db.session.scalar(sa.text("SELECT count(*) FROM login_sessions WHERE ended_at IS NULL"))
    assert open_sessions == 3


def test_sign_ins_at_once_all_succeed_while_the_hash_is_renewed(make_app: Callable[..., Flask]) -> None:
    old, new = make_app(), make_app(PASSWORD_HASH_MEMORY="16")
    email = str(new_user()["email"])
    make_user(old, email=email)

    answers = run_simultaneously([signing_in(new, email)] * 6)

    assert statuses(answers) == {200}
    with new.app_context():
        hashed = db.session.scalar(sa.text("SELECT password_hash FROM users"))
        failures = db.session.scalar(sa.text("SELECT count(*) FROM audit_events WHERE action = 'sign_in.failed'"))
    assert str(hashed).startswith("$argon2id$v=19$m=16,t=1,p=1$")
    assert failures == 0
