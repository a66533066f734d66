"""Signing in with an email and a password: who gets tokens, and what other requests get."""

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.support.api_client import ApiUser
from tests.support.factories import PASSWORD, make_user, new_user
from tests.support.forged_tokens import read_claims
from tests.support.response_times import take_equally_long
from tests.support.sql import execute_sql
from userapi.core.db import db

SIGN_IN_PATHS = ("/api-token-auth/", "/userapi/api-token-auth/", "/userapi/auth/login/")

#: Headers that differ with each response.
VOLATILE_HEADERS = {"X-Request-ID", "Date"}


def sign_in(client: FlaskClient, email: Any, password: Any = PASSWORD, path: str = SIGN_IN_PATHS[0]) -> TestResponse:
    return client.post(path, json={"email": email, "password": password})


@pytest.fixture
def rejected_sign_ins(app: Flask, user: ApiUser, other_user: ApiUser, superuser: ApiUser) -> dict[str, tuple[str, str]]:
    """An email and a password for every kind of rejected sign-in."""
    make_user(app, email="never@example.com", password=None)
    assert superuser.patch(other_user.url, json={"is_active": False}).status_code == 200
    return {
        "an unknown email": ("unknown@example.com", PASSWORD),
        "no email at all": ("unknown", PASSWORD),
        "a wrong password": (user.email, "velvet tram outside 8"),
        "an inactive account": (other_user.email, PASSWORD),
        "an inactive account, wrong password": (other_user.email, "velvet tram outside 8"),
        "an account without a password": ("never@example.com", PASSWORD),
        "an account without a password, and none": ("never@example.com", ""),
    }


@pytest.mark.parametrize("path", SIGN_IN_PATHS)
def test_a_user_signs_in_at_every_path(client: FlaskClient, user: ApiUser, path: str) -> None:
    response = sign_in(client, user.email, path=path)

    assert response.status_code == 200
    tokens = response.get_json()
    assert (tokens["token_type"], tokens["expires_in"]) == ("Bearer", 900)
    me = client.get("/userapi/auth/user/", headers={"Authorization": f"Bearer {tokens['access_token']}"})
    assert me.get_json()["email"] == user.email


def test_login_returns_the_user_with_the_tokens(client: FlaskClient, user: ApiUser) -> None:
    response = sign_in(client, user.email, path="/userapi/auth/login/").get_json()

    own = user.get("/userapi/auth/user/").get_json()
    assert {**response.pop("user"), "has_password": True} == own  # which `auth/user/` alone says
    assert set(response) == {"access_token", "refresh_token", "token_type", "expires_in"}


def test_L01_every_rejected_sign_in_gets_the_same_response(
    client: FlaskClient, rejected_sign_ins: dict[str, tuple[str, str]]
) -> None:
    responses = set()
    for email, password in rejected_sign_ins.values():
        response = sign_in(client, email, password)
        headers = tuple(sorted((name, value) for name, value in response.headers if name not in VOLATILE_HEADERS))
        responses.add((response.status_code, headers, response.data))

    ((status, headers, body),) = responses
    assert status == 401
    assert dict(headers)["WWW-Authenticate"].startswith("Bearer")
    assert b'"invalid_credentials"' in body


def test_L02_every_rejected_sign_in_takes_equally_long(make_app: Callable[..., Flask]) -> None:
    app = make_app(PASSWORD_HASH_MEMORY="19456", PASSWORD_HASH_TIME="2")
    client = app.test_client()
    for name in ("known", "inactive", "none", "unusable"):
        make_user(app, email=f"{name}@example.com")
    execute_sql(app, "UPDATE users SET is_active = :off WHERE email LIKE 'inactive%'", off=False)
    execute_sql(app, "UPDATE users SET password_hash = NULL WHERE email LIKE 'none%'")
    execute_sql(app, "UPDATE users SET password_hash = '!imported' WHERE email LIKE 'unusable%'")

    def fail_to_sign_in(name: str, password: str = PASSWORD) -> Callable[[], None]:
        def attempt() -> None:
            assert sign_in(client, f"{name}@example.com", password).status_code == 401

        return attempt

    wrong_password = fail_to_sign_in("known", "velvet tram outside 8")
    wrong_password()

    for name in ("unknown", "inactive", "none", "unusable"):
        assert take_equally_long(wrong_password, fail_to_sign_in(name), pairs=7), name


@pytest.mark.parametrize("path", SIGN_IN_PATHS)
def test_L03_every_path_has_the_same_rules(
    client: FlaskClient, rejected_sign_ins: dict[str, tuple[str, str]], path: str
) -> None:
    responses = {name: sign_in(client, *credentials, path=path) for name, credentials in rejected_sign_ins.items()}

    assert {name: response.status_code for name, response in responses.items()} == dict.fromkeys(rejected_sign_ins, 401)
    assert {response.get_json()["code"] for response in responses.values()} == {"invalid_credentials"}


@pytest.mark.parametrize("path", SIGN_IN_PATHS)
def test_L04_credentials_are_read_only_from_the_body(client: FlaskClient, user: ApiUser, path: str) -> None:
    credentials = {"email": user.email, "password": PASSWORD}

    assert client.get(path, query_string=credentials).status_code == 405
    in_query = client.post(path, query_string=credentials)
    in_header = client.post(path, auth=(user.email, PASSWORD), json={})

    assert [in_query.status_code, in_header.status_code] == [400, 400]
    assert set(in_query.get_json()["errors"]) == {"email", "password"}
    assert client.post(path, json=credentials).status_code == 200


def test_L05_wrong_json_types_are_a_400(client: FlaskClient, user: ApiUser) -> None:
    odd: tuple[Any, ...] = (
        None, True, False, 0, 1, -1.5, 10**25, [], {}, {"$ne": None}, {"$gt": ""}, [user.email], [PASSWORD], [[]],
    )  # fmt: skip

    for value in odd:
        for body in (
            {"email": value, "password": PASSWORD},
            {"email": user.email, "password": value},
            {"username": value, "password": PASSWORD},
            {"email": value, "password": value},
        ):
            response = (
                client.post(SIGN_IN_PATHS[0], json=body)
                if value != 10**25
                else client.post(SIGN_IN_PATHS[0], data=str(body).replace("'", '"'), content_type="application/json")
            )
            assert response.status_code == 400, body
    for whole in (b"null", b"[]", b'"x"', b"1", b"true", b"", b"{", b"\xff", b'[{"email":"a"}]'):
        assert client.post(SIGN_IN_PATHS[0], data=whole, content_type="application/json").status_code == 400, whole
    assert sign_in(client, user.email).status_code == 200


def test_L06_injections_have_no_effect(client: FlaskClient, user: ApiUser) -> None:
    name, _, domain = user.email.partition("@")
    payloads = (
        "' OR '1'='1", "' OR 1=1 --", f"{user.email}' --", f"{user.email}';DROP TABLE users;--", "admin'/*",
        "*)(uid=*))(|(uid=*", "*", "%", f"{name}%@{domain}", f"_{name[1:]}@{domain}", "{{7*7}}", "${7*7}",
        "' UNION SELECT 1, '$argon2id$', true --", "\\", '"', "`id`", "$(id)",
    )  # fmt: skip

    for payload in payloads:
        assert sign_in(client, payload).status_code == 401, payload
        assert sign_in(client, user.email, payload).status_code == 401, payload
    for control in ("\x00", "\x08", "\x1b"):
        assert sign_in(client, user.email + control).status_code == 400
    assert sign_in(client, user.email).status_code == 200


def test_L10_a_new_service_has_no_accounts(client: FlaskClient) -> None:
    names = (
        "admin",
        "root",
        "user",
        "test",
        "demo",
        "admin@example.com",
        "root@localhost",
        "user@example.com",
        "a@b.co",
    )

    for name in names:
        for password in ("admin", "password", "", "changeme", "root", name):
            assert sign_in(client, name, password).status_code in (400, 401)


def test_L11_forms_and_json_are_equal(client: FlaskClient, user: ApiUser) -> None:
    credentials = {"email": user.email, "password": PASSWORD}

    for path in SIGN_IN_PATHS:
        for is_correct in (True, False):
            body = credentials if is_correct else credentials | {"password": "wrong"}
            responses = (
                client.post(path, json=body),
                client.post(path, data=body),
                client.post(path, data=body, content_type="multipart/form-data"),
            )
            assert {response.status_code for response in responses} == {200 if is_correct else 401}
            assert len({tuple(sorted(response.get_json())) for response in responses}) == 1


def test_L11_other_media_types_are_415(client: FlaskClient, user: ApiUser) -> None:
    body = f'{{"email": "{user.email}", "password": "{PASSWORD}"}}'

    for media_type in ("text/plain", "application/xml", "application/vnd.api+json", "text/json", "x", ""):
        response = client.post(SIGN_IN_PATHS[0], data=body, headers={"Content-Type": media_type} if media_type else {})
        assert response.status_code == 415, media_type
    assert client.post(SIGN_IN_PATHS[0], data=body, content_type="application/json; charset=utf-8").status_code == 200


def test_L12_every_sign_in_starts_a_new_session(client: FlaskClient, user: ApiUser) -> None:
    first, second = (sign_in(client, user.email).get_json() for _ in range(2))

    for kind in ("access_token", "refresh_token"):
        one, other = read_claims(first[kind]), read_claims(second[kind])
        assert first[kind] != second[kind]
        assert one["jti"] != other["jti"]
        assert one["sid"] != other["sid"]
        assert one["csrf"] != other["csrf"]


def test_L12_a_sign_in_does_not_continue_an_existing_session(client: FlaskClient, user: ApiUser) -> None:
    body = {"email": user.email, "password": PASSWORD, "cookies": True}
    client.post("/userapi/auth/login/", json=body)
    planted = client.get_cookie("access_token")

    client.post("/userapi/auth/login/", json=body)

    found = client.get_cookie("access_token")
    assert planted
    assert found
    assert read_claims(found.value)["sid"] != read_claims(planted.value)["sid"]


def test_L13_a_repeated_field_has_one_meaning(client: FlaskClient, user: ApiUser, other_user: ApiUser) -> None:
    def json_twice(first: str, second: str, password: str = PASSWORD) -> TestResponse:
        body = f'{{"email": "{first}", "email": "{second}", "password": "x", "password": "{password}"}}'
        return client.post(SIGN_IN_PATHS[0], data=body, content_type="application/json")

    form = client.post(SIGN_IN_PATHS[0], data={"email": [user.email, other_user.email], "password": PASSWORD})
    passwords = client.post(SIGN_IN_PATHS[0], data={"email": user.email, "password": ["wrong", PASSWORD]})

    assert form.get_json()["errors"] == {"email": ["Sent more than once."]}
    assert passwords.get_json()["errors"] == {"password": ["Sent more than once."]}
    last = json_twice(user.email, other_user.email)
    assert read_claims(last.get_json()["access_token"])["sub"] == str(other_user.id)
    assert json_twice(user.email, "unknown@example.com").status_code == 401


def test_L14_only_successful_sign_ins_update_last_login(app: Flask, client: FlaskClient, superuser: ApiUser) -> None:
    email = str(new_user()["email"])
    url = f"/userapi/users/{make_user(app, email=email)}/"
    before = superuser.get(url).get_json()
    assert before["last_login"] is None

    assert sign_in(client, email, "wrong").status_code == 401
    unchanged = superuser.get(url).get_json()
    assert sign_in(client, email).status_code == 200

    assert unchanged == before
    assert superuser.get(url).get_json()["last_login"] is not None


def test_a_failed_sign_in_is_recorded(app: Flask, client: FlaskClient, user: ApiUser) -> None:
    sign_in(client, user.email, "wrong")
    sign_in(client, "unknown@example.com")

    with app.app_context():
        marks = db.session.execute(
            sa.text("SELECT target_id FROM audit_events WHERE action = 'sign_in.failed' ORDER BY id")
        ).all()
    assert [mark[0] for mark in marks] == [str(user.id), None]
