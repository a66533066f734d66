"""Signing in with an email and a password: who gets tokens, and what the others are told."""

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

DOORS = ("/api-token-auth/", "/userapi/api-token-auth/", "/userapi/auth/login/")

#: Headers that are another with each answer.
FLEETING = {"X-Request-ID", "Date"}


def sign_in(client: FlaskClient, email: Any, password: Any = PASSWORD, door: str = DOORS[0]) -> TestResponse:
    return client.post(door, json={"email": email, "password": password})


@pytest.fixture
def refused(app: Flask, user: ApiUser, other_user: ApiUser, superuser: ApiUser) -> dict[str, tuple[str, str]]:
    """Every kind of sign-in that is refused: an email and a password."""
    make_user(app, email="never@example.com", password=None)
    assert superuser.patch(other_user.url, json={"is_active": False}).status_code == 200
    return {
        "an unknown email": ("nobody@example.com", PASSWORD),
        "no email at all": ("nobody", PASSWORD),
        "a wrong password": (user.email, "velvet tram outside 8"),
        "an inactive account": (other_user.email, PASSWORD),
        "an inactive account, wrong password": (other_user.email, "velvet tram outside 8"),
        "an account without a password": ("never@example.com", PASSWORD),
        "an account without a password, and none": ("never@example.com", ""),
    }


@pytest.mark.parametrize("door", DOORS)
def test_a_person_signs_in_at_every_door(client: FlaskClient, user: ApiUser, door: str) -> None:
    answer = sign_in(client, user.email, door=door)

    assert answer.status_code == 200
    tokens = answer.get_json()
    assert (tokens["token_type"], tokens["expires_in"]) == ("Bearer", 900)
    me = client.get("/userapi/auth/user/", headers={"Authorization": f"Bearer {tokens['access_token']}"})
    assert me.get_json()["email"] == user.email


def test_login_gives_the_user_along_with_the_tokens(client: FlaskClient, user: ApiUser) -> None:
    answer = sign_in(client, user.email, door="/userapi/auth/login/").get_json()

    assert answer.pop("user") == user.get("/userapi/auth/user/").get_json()
    assert set(answer) == {"access_token", "refresh_token", "token_type", "expires_in"}


def test_L01_one_answer_for_every_refused_sign_in(client: FlaskClient, refused: dict[str, tuple[str, str]]) -> None:
    answers = set()
    for email, password in refused.values():
        answer = sign_in(client, email, password)
        headers = tuple(sorted((name, value) for name, value in answer.headers if name not in FLEETING))
        answers.add((answer.status_code, headers, answer.data))

    ((status, headers, body),) = answers
    assert status == 401
    assert dict(headers)["WWW-Authenticate"].startswith("Bearer")
    assert b'"invalid_credentials"' in body


def test_L02_one_duration_for_every_refused_sign_in(make_app: Callable[..., Flask]) -> None:
    app = make_app(PASSWORD_HASH_MEMORY="19456", PASSWORD_HASH_TIME="2")
    client = app.test_client()
    for name in ("known", "inactive", "none", "unusable"):
        make_user(app, email=f"{name}@example.com")
    execute_sql(app, "UPDATE users SET is_active = :off WHERE email LIKE 'inactive%'", off=False)
    execute_sql(app, "UPDATE users SET password_hash = NULL WHERE email LIKE 'none%'")
    execute_sql(app, "UPDATE users SET password_hash = '!imported' WHERE email LIKE 'unusable%'")

    def refuse(name: str, password: str = PASSWORD) -> Callable[[], None]:
        def attempt() -> None:
            assert sign_in(client, f"{name}@example.com", password).status_code == 401

        return attempt

    wrong_password = refuse("known", "velvet tram outside 8")
    wrong_password()

    for name in ("nobody", "inactive", "none", "unusable"):
        assert take_equally_long(wrong_password, refuse(name), pairs=7), name


@pytest.mark.parametrize("door", DOORS)
def test_L03_the_same_rule_at_every_door(client: FlaskClient, refused: dict[str, tuple[str, str]], door: str) -> None:
    answers = {name: sign_in(client, *credentials, door=door) for name, credentials in refused.items()}

    assert {name: answer.status_code for name, answer in answers.items()} == dict.fromkeys(refused, 401)
    assert {answer.get_json()["code"] for answer in answers.values()} == {"invalid_credentials"}


@pytest.mark.parametrize("door", DOORS)
def test_L04_credentials_count_only_in_the_body(client: FlaskClient, user: ApiUser, door: str) -> None:
    credentials = {"email": user.email, "password": PASSWORD}

    assert client.get(door, query_string=credentials).status_code == 405
    in_query = client.post(door, query_string=credentials)
    in_header = client.post(door, auth=(user.email, PASSWORD), json={})

    assert [in_query.status_code, in_header.status_code] == [400, 400]
    assert set(in_query.get_json()["errors"]) == {"email", "password"}
    assert client.post(door, json=credentials).status_code == 200


def test_L05_wrong_json_types_are_the_client_s_error(client: FlaskClient, user: ApiUser) -> None:
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
            answer = (
                client.post(DOORS[0], json=body)
                if value != 10**25
                else client.post(DOORS[0], data=str(body).replace("'", '"'), content_type="application/json")
            )
            assert answer.status_code == 400, body
    for whole in (b"null", b"[]", b'"x"', b"1", b"true", b"", b"{", b"\xff", b'[{"email":"a"}]'):
        assert client.post(DOORS[0], data=whole, content_type="application/json").status_code == 400, whole
    assert sign_in(client, user.email).status_code == 200


def test_L06_injections_do_nothing(client: FlaskClient, user: ApiUser) -> None:
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


def test_L07_an_email_is_known_whatever_its_case_and_outer_blanks(client: FlaskClient, app: Flask) -> None:
    make_user(app, email="Mira.Kask@Example.com")

    for spelling in (
        "Mira.Kask@Example.com",
        "mira.kask@example.com",
        "MIRA.KASK@EXAMPLE.COM",
        "  mira.kask@example.com ",
    ):
        assert sign_in(client, spelling).status_code == 200, spelling


def test_L07_nothing_else_about_an_email_is_overlooked(client: FlaskClient, app: Flask) -> None:
    make_user(app, email="mira.kask@example.com")
    lookalikes = (
        "mıra.kask@example.com",  # dotless i
        "mira.ĸask@example.com",  # kra
        "mira.\u212aask@example.com",  # the Kelvin sign, which case-folds to k
        "ｍira.kask@example.com",  # full-width
        "mirа.kask@example.com",  # Cyrillic a
        "mira.kask@exаmple.com",  # Cyrillic a
        "mira.kask@example.com.",
        "mira.kask@example.co",
        "mirakask@example.com",
        "mira.kask+x@example.com",
        "mira. kask@example.com",
        "mira.kask @example.com",
        "mira.kask@ example.com",
        '"mira.kask"@example.com',
        "mira.kask@example.com@example.com",
        "mira.kask\u200b@example.com",
        "mailto:mira.kask@example.com",
        "Mira <mira.kask@example.com>",
    )

    assert [spelling for spelling in lookalikes if sign_in(client, spelling).status_code != 401] == []
    for control in ("\x00", "\t", "\n"):
        assert sign_in(client, f"mira.kask@{control}example.com").status_code == 400


def test_L08_a_username_like_another_s_email_leads_to_no_account(
    client: FlaskClient, user: ApiUser, other_user: ApiUser
) -> None:
    longer = "quartz melon bicycle 41"
    user.patch(user.url, json={"username": other_user.email})
    changed = {"old_password": PASSWORD, "new_password1": longer, "new_password2": longer}
    assert user.post("/userapi/auth/password/change/", json=changed).status_code == 200

    for field in ("email", "username"):
        theirs = client.post(DOORS[0], json={field: other_user.email, "password": longer})
        own = client.post(DOORS[0], json={field: other_user.email, "password": PASSWORD})
        assert theirs.status_code == 401
        assert read_claims(own.get_json()["access_token"])["sub"] == str(other_user.id)


def test_L08_a_username_alone_signs_nobody_in(client: FlaskClient, user: ApiUser) -> None:
    user.patch(user.url, json={"username": "wren"})

    assert client.post(DOORS[0], json={"username": "wren", "password": PASSWORD}).status_code == 401
    assert client.post(DOORS[0], json={"username": user.email, "password": PASSWORD}).status_code == 200


def test_L08_email_and_username_that_differ_are_refused(
    client: FlaskClient, user: ApiUser, other_user: ApiUser
) -> None:
    both = {"email": user.email, "username": other_user.email, "password": PASSWORD}

    assert client.post(DOORS[0], json=both).status_code == 400
    assert client.post(DOORS[0], json=both | {"username": user.email}).status_code == 200


def test_L09_inactive_and_deleted_accounts_do_not_sign_in(
    client: FlaskClient, user: ApiUser, other_user: ApiUser, superuser: ApiUser
) -> None:
    assert [sign_in(client, person.email).status_code for person in (user, other_user)] == [200, 200]

    superuser.patch(user.url, json={"is_active": False})
    superuser.delete(other_user.url)

    first, second = (sign_in(client, person.email) for person in (user, other_user))
    assert [first.status_code, second.status_code] == [401, 401]
    assert first.data == second.data


def test_L10_a_fresh_service_has_no_accounts(client: FlaskClient) -> None:
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

    for door in DOORS:
        for right in (True, False):
            body = credentials if right else credentials | {"password": "wrong"}
            answers = (
                client.post(door, json=body),
                client.post(door, data=body),
                client.post(door, data=body, content_type="multipart/form-data"),
            )
            assert {answer.status_code for answer in answers} == {200 if right else 401}
            assert len({tuple(sorted(answer.get_json())) for answer in answers}) == 1


def test_L11_other_media_types_are_415(client: FlaskClient, user: ApiUser) -> None:
    body = f'{{"email": "{user.email}", "password": "{PASSWORD}"}}'

    for media_type in ("text/plain", "application/xml", "application/vnd.api+json", "text/json", "x", ""):
        answer = client.post(DOORS[0], data=body, headers={"Content-Type": media_type} if media_type else {})
        assert answer.status_code == 415, media_type
    assert client.post(DOORS[0], data=body, content_type="application/json; charset=utf-8").status_code == 200


def test_L12_a_sign_in_reuses_nothing(client: FlaskClient, user: ApiUser) -> None:
    first, second = (sign_in(client, user.email).get_json() for _ in range(2))

    for kind in ("access_token", "refresh_token"):
        one, other = read_claims(first[kind]), read_claims(second[kind])
        assert first[kind] != second[kind]
        assert one["jti"] != other["jti"]
        assert one["sid"] != other["sid"]
        assert one["csrf"] != other["csrf"]


def test_L12_a_sign_in_does_not_take_up_the_session_it_came_with(client: FlaskClient, user: ApiUser) -> None:
    body = {"email": user.email, "password": PASSWORD, "cookies": True}
    client.post("/userapi/auth/login/", json=body)
    planted = client.get_cookie("access_token")

    client.post("/userapi/auth/login/", json=body)

    found = client.get_cookie("access_token")
    assert planted
    assert found
    assert read_claims(found.value)["sid"] != read_claims(planted.value)["sid"]


def test_L13_a_field_given_twice_has_one_meaning(client: FlaskClient, user: ApiUser, other_user: ApiUser) -> None:
    def json_twice(first: str, second: str, password: str = PASSWORD) -> TestResponse:
        body = f'{{"email": "{first}", "email": "{second}", "password": "x", "password": "{password}"}}'
        return client.post(DOORS[0], data=body, content_type="application/json")

    form = client.post(DOORS[0], data={"email": [user.email, other_user.email], "password": PASSWORD})
    passwords = client.post(DOORS[0], data={"email": user.email, "password": ["wrong", PASSWORD]})

    assert form.get_json()["errors"] == {"email": ["Sent more than once."]}
    assert passwords.get_json()["errors"] == {"password": ["Sent more than once."]}
    last = json_twice(user.email, other_user.email)
    assert read_claims(last.get_json()["access_token"])["sub"] == str(other_user.id)
    assert json_twice(user.email, "nobody@example.com").status_code == 401


def test_L14_only_a_success_is_noted_as_last_login(app: Flask, client: FlaskClient, superuser: ApiUser) -> None:
    email = str(new_user()["email"])
    url = f"/userapi/users/{make_user(app, email=email)}/"
    before = superuser.get(url).get_json()
    assert before["last_login"] is None

    assert sign_in(client, email, "wrong").status_code == 401
    unchanged = superuser.get(url).get_json()
    assert sign_in(client, email).status_code == 200

    assert unchanged == before
    assert superuser.get(url).get_json()["last_login"] is not None


def test_a_failed_sign_in_leaves_a_mark(app: Flask, client: FlaskClient, user: ApiUser) -> None:
    sign_in(client, user.email, "wrong")
    sign_in(client, "nobody@example.com")

    with app.app_context():
        marks = db.session.execute(
            sa.text("SELECT target_id FROM audit_events WHERE action = 'sign_in.failed' ORDER BY id")
        ).all()
    assert [mark[0] for mark in marks] == [str(user.id), None]
