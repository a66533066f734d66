"""Own profile fields whose values are unique."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests
import sqlalchemy as sa
from flask import Flask
from werkzeug.test import TestResponse

from tests.support import commands, http_server
from tests.support.api_client import ApiUser, sign_in
from tests.support.factories import PASSWORD, make_user, new_user
from tests.support.race import run_simultaneously
from userapi.core.db import db

pytestmark = pytest.mark.both

USERS = "/userapi/users/"

DECLARATION = """
[profile.nickname]
type = "line"
unique = true
[profile.work_email]
type = "email"
unique = true
[profile.company]
type = "line"
find = "exact"
[profile.motto]
type = "line"
"""


@pytest.fixture
def app(declare: Callable[..., Flask]) -> Flask:
    """An application with unique fields."""
    return declare(DECLARATION)


@pytest.fixture
def staff(app: Flask) -> ApiUser:
    """A member of staff without a profile."""
    return call_as(app, make_user(app, profile=None, is_staff=True, email="staff@example.com"), "staff@example.com")


def call_as(app: Flask, user_id: int, email: str) -> ApiUser:
    return ApiUser(app.test_client(), user_id, email, PASSWORD, sign_in(app, email))


def register(app: Flask, profile: dict[str, Any], **headers: str) -> TestResponse:
    return app.test_client().post(USERS, json=new_user(profile=profile), headers=headers)


def registered(app: Flask, profile: dict[str, Any]) -> ApiUser:
    response = register(app, profile)
    assert response.status_code == 201, response.text
    made = response.get_json()
    return call_as(app, made["id"], made["email"])


def assert_taken(response: TestResponse, *names: str) -> None:
    problem = response.get_json()
    assert (response.status_code, problem["code"]) == (400, "field_taken")
    assert list(problem["errors"]["profile"]) == list(names)


def stored_keys(app: Flask) -> list[tuple[str, str, int]]:
    with app.app_context(), db.engine.connect() as connection:
        found = connection.execute(sa.text("SELECT field, key, user_id FROM user_field_keys ORDER BY 1, 2, 3"))
        return [(row.field, row.key, row.user_id) for row in found]


def test_W09_of_fifty_users_who_get_one_value_at_the_same_time_one_does(app: Flask, staff: ApiUser) -> None:
    spellings = ["A@B", "a@b", "Ａ@B", "a@B", "A@b"] * 10
    urls = [f"{USERS}{make_user(app, profile=None)}/" for _ in spellings]

    def give(url: str, nickname: str) -> TestResponse:
        return app.test_client().patch(url, json={"profile": {"nickname": nickname}}, headers=staff.headers)

    responses = run_simultaneously([partial(give, *pair) for pair in zip(urls, spellings, strict=True)])

    assert sorted(response.status_code for response in responses) == [200, *[400] * 49]
    assert {response.get_json()["code"] for response in responses if response.status_code == 400} == {"field_taken"}
    assert [key[:2] for key in stored_keys(app)] == [("nickname", "a@b")]


@pytest.mark.slow
def test_W09_two_workers_give_a_value_to_one_user_and_find_that_user(app: Flask, tmp_path: Path) -> None:
    token = call_as(app, make_user(app, profile=None, is_staff=True, email="s@example.com"), "s@example.com").headers
    ids = [make_user(app, profile=None) for _ in range(20)]
    environment = commands.environment_for(
        app, PROFILE_FIELDS=app.config["PROFILE_FIELDS"], WORKERS="2", RATELIMIT_ENABLED="false", MAIL_DELIVERY="none",
        SITE_URL=app.config["SITE_URL"],
    )  # fmt: skip
    with http_server.run_server(tmp_path, environment) as server:

        def give(user_id: int) -> int:
            body = {"profile": {"nickname": "Wren", "company": "Finch"}}
            path = f"{server.url}{USERS}{user_id}/"
            return requests.patch(path, json=body, headers=token, timeout=60).status_code

        statuses = run_simultaneously([partial(give, user_id) for user_id in ids])
        found = requests.get(f"{server.url}{USERS}?profile.company=finch", headers=token, timeout=60).json()

    assert sorted(statuses) == [200, *[400] * 19]
    assert [row["id"] for row in found["results"]] == [ids[statuses.index(200)]]


def test_W09_of_parallel_registrations_with_one_value_one_succeeds(app: Flask) -> None:
    responses = run_simultaneously([partial(register, app, {"nickname": "wren"}) for _ in range(8)])

    assert sorted(response.status_code for response in responses) == [201, *[400] * 7]
    assert {response.get_json()["code"] for response in responses if response.status_code == 400} == {"field_taken"}


def test_W09_users_who_swap_values_at_the_same_time_get_errors_and_keep_theirs(app: Flask) -> None:
    one, other = registered(app, {"nickname": "wren"}), registered(app, {"nickname": "finch"})

    responses = run_simultaneously([
        lambda: one.patch(one.url, json={"profile": {"nickname": "finch"}}),
        lambda: other.patch(other.url, json={"profile": {"nickname": "wren"}}),
    ])  # fmt: skip

    for response in responses:
        assert_taken(response, "nickname")
    assert stored_keys(app) == [("nickname", "finch", other.id), ("nickname", "wren", one.id)]


def test_W09_every_taken_value_is_named_and_nothing_is_written(app: Flask) -> None:
    registered(app, {"nickname": "Wren", "work_email": "Wren@Example.com"})

    response = register(app, {"nickname": "WREN", "work_email": "wren@example.COM", "company": "Finch"})

    assert_taken(response, "nickname", "work_email")
    assert [key[0] for key in stored_keys(app)] == ["nickname", "work_email"]


def test_W09_values_of_other_fields_may_be_the_same(app: Flask) -> None:
    registered(app, {"nickname": "wren", "company": "Finch", "motto": "Sing"})

    assert register(app, {"nickname": "owl", "company": "finch", "motto": "Sing"}).status_code == 201


@pytest.mark.parametrize(
    "spelling", [" wren", "Wren  Owl ", "wren\u00adowl", "wr\u200ben owl", "ｗｒｅｎ owl"], ids=ascii
)
def test_W09_a_value_that_looks_the_same_is_taken(app: Flask, spelling: str) -> None:
    registered(app, {"nickname": "wren"})
    registered(app, {"nickname": "wren owl"})
    registered(app, {"nickname": "wrenowl"})

    assert_taken(register(app, {"nickname": spelling}), "nickname")


def test_W09_users_may_send_and_respell_their_own_value(app: Flask) -> None:
    user = registered(app, {"nickname": "wren"})

    for nickname in ("wren", "WREN", "Wren"):
        response = user.patch(user.url, json={"profile": {"nickname": nickname}})
        assert (response.status_code, response.get_json()["profile"]["nickname"]) == (200, nickname)


def test_W09_staff_cannot_give_a_taken_value(app: Flask, staff: ApiUser) -> None:
    registered(app, {"nickname": "wren"})
    user = registered(app, {"nickname": "owl"})

    assert_taken(staff.patch(user.url, json={"profile": {"nickname": "Wren"}}), "nickname")
    assert user.get(user.url).get_json()["profile"]["nickname"] == "owl"


def test_W09_an_idempotency_key_is_free_again_after_a_taken_value(app: Flask) -> None:
    registered(app, {"nickname": "wren"})
    key = {"Idempotency-Key": "0d9f6a52-3b7e-4c1d-a8f0-6e5b4c3d2a19"}

    assert_taken(register(app, {"nickname": "wren"}, **key), "nickname")
    assert register(app, {"nickname": "owl"}, **key).status_code == 201


def test_W10_a_value_is_free_after_a_change_a_removal_and_a_deletion(app: Flask, staff: ApiUser) -> None:
    user = registered(app, {"nickname": "wren"})
    user.patch(user.url, json={"profile": {"nickname": "owl"}})
    second = registered(app, {"nickname": "Wren"})
    second.patch(second.url, json={"profile": {"nickname": None}})
    third = registered(app, {"nickname": "wren"})
    assert staff.delete(third.url).status_code == 204

    fourth = registered(app, {"nickname": "wren"})

    assert stored_keys(app) == [("nickname", "owl", user.id), ("nickname", "wren", fourth.id)]
