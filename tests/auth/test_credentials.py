"""Which emails and usernames sign in."""

from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.support.api_client import ApiUser
from tests.support.factories import PASSWORD, make_user
from tests.support.forged_tokens import read_claims

SIGN_IN_PATHS = ("/api-token-auth/", "/userapi/api-token-auth/", "/userapi/auth/login/")


def sign_in(client: FlaskClient, email: Any, password: Any = PASSWORD, path: str = SIGN_IN_PATHS[0]) -> TestResponse:
    return client.post(path, json={"email": email, "password": password})


def test_L07_an_email_is_found_whatever_its_case_and_outer_spaces(client: FlaskClient, app: Flask) -> None:
    make_user(app, email="Mira.Kask@Example.com")

    for spelling in (
        "Mira.Kask@Example.com",
        "mira.kask@example.com",
        "MIRA.KASK@EXAMPLE.COM",
        "  mira.kask@example.com ",
    ):
        assert sign_in(client, spelling).status_code == 200, spelling


def test_L07_an_email_must_match_otherwise(client: FlaskClient, app: Flask) -> None:
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


def test_L08_a_username_equal_to_another_users_email_gives_no_access(
    client: FlaskClient, user: ApiUser, other_user: ApiUser
) -> None:
    longer = "quartz melon bicycle 41"
    user.patch(user.url, json={"username": other_user.email})
    changed = {"old_password": PASSWORD, "new_password1": longer, "new_password2": longer}
    assert user.post("/userapi/auth/password/change/", json=changed).status_code == 200

    for field in ("email", "username"):
        theirs = client.post(SIGN_IN_PATHS[0], json={field: other_user.email, "password": longer})
        own = client.post(SIGN_IN_PATHS[0], json={field: other_user.email, "password": PASSWORD})
        assert theirs.status_code == 401
        assert read_claims(own.get_json()["access_token"])["sub"] == str(other_user.id)


def test_L08_a_username_is_not_enough_to_sign_in(client: FlaskClient, user: ApiUser) -> None:
    user.patch(user.url, json={"username": "wren"})

    assert client.post(SIGN_IN_PATHS[0], json={"username": "wren", "password": PASSWORD}).status_code == 401
    assert client.post(SIGN_IN_PATHS[0], json={"username": user.email, "password": PASSWORD}).status_code == 200


def test_L08_rejects_an_email_and_a_username_that_differ(
    client: FlaskClient, user: ApiUser, other_user: ApiUser
) -> None:
    both = {"email": user.email, "username": other_user.email, "password": PASSWORD}

    assert client.post(SIGN_IN_PATHS[0], json=both).status_code == 400
    assert client.post(SIGN_IN_PATHS[0], json=both | {"username": user.email}).status_code == 200


def test_L09_inactive_and_deleted_accounts_do_not_sign_in(
    client: FlaskClient, user: ApiUser, other_user: ApiUser, superuser: ApiUser
) -> None:
    assert [sign_in(client, account.email).status_code for account in (user, other_user)] == [200, 200]

    superuser.patch(user.url, json={"is_active": False})
    superuser.delete(other_user.url)

    first, second = (sign_in(client, account.email) for account in (user, other_user))
    assert [first.status_code, second.status_code] == [401, 401]
    assert first.data == second.data
