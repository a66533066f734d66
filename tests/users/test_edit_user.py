"""Changing some fields of an account (PATCH), and the fields that cannot be changed."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from tests.support.api_client import ApiUser, sign_in
from tests.support.factories import PASSWORD, PROFILE, new_user
from userapi.core.db import db

pytestmark = pytest.mark.both

ME = "/userapi/auth/user/"


def stored(app: Flask, user_id: int) -> dict[str, Any]:
    """A user's row in the database."""
    with app.app_context():
        row = db.session.execute(sa.text("SELECT * FROM users WHERE id = :id"), {"id": user_id}).one()
    return dict(row._mapping)


def test_the_owner_changes_names_and_username(user: ApiUser) -> None:
    response = user.patch(user.url, json={"first_name": "Ada", "last_name": "Quill", "username": "ada"})

    assert response.status_code == 200
    changed = response.get_json()
    assert (changed["first_name"], changed["last_name"], changed["username"]) == ("Ada", "Quill", "ada")
    assert user.get(user.url).get_json() == changed


def test_a_username_can_be_removed(user: ApiUser) -> None:
    user.patch(user.url, json={"username": "ada"})

    assert user.patch(user.url, json={"username": None}).get_json()["username"] is None


def test_usernames_need_not_be_unique(user: ApiUser, other_user: ApiUser) -> None:
    assert user.patch(user.url, json={"username": "twin"}).status_code == 200
    assert other_user.patch(other_user.url, json={"username": "twin"}).status_code == 200


@pytest.mark.parametrize("address", ["own", "me"])
def test_V14_patch_merges_and_keeps_the_rest(user: ApiUser, address: str) -> None:
    url = user.url if address == "own" else ME
    before = user.get(url).get_json()

    after = user.patch(url, json={"profile": {"city": "Wells"}}).get_json()

    assert after == before | {"profile": PROFILE | {"city": "Wells"}}


def test_V14_an_empty_patch_changes_nothing(app: Flask, user: ApiUser) -> None:
    before = stored(app, user.id)
    shown = user.get(user.url).get_json()

    for nothing in ({}, {"profile": {}}):
        response = user.patch(user.url, json=nothing)

        assert response.status_code == 200
        assert response.get_json() == shown
    assert stored(app, user.id) == before


def test_V14_patch_validates_what_it_is_given(user: ApiUser) -> None:
    before = user.get(user.url).get_json()

    response = user.patch(user.url, json={"first_name": "Ada", "profile": {"zip": "123456", "dob": "2999-01-01"}})

    assert response.status_code == 400
    assert set(response.get_json()["errors"]["profile"]) == {"zip", "dob"}
    assert user.get(user.url).get_json() == before


def test_V14_patch_creates_a_missing_profile_from_all_six_fields(make_api_user: Callable[..., ApiUser]) -> None:
    bare = make_api_user(profile=None)
    assert bare.patch(bare.url, json={"first_name": "Ada"}).status_code == 200
    assert bare.patch(bare.url, json={"profile": None}).status_code == 200
    part = bare.patch(bare.url, json={"profile": {"city": "Bath", "zip": "BA1"}})

    whole = bare.patch(bare.url, json={"profile": PROFILE})

    assert part.status_code == 400
    assert set(part.get_json()["errors"]["profile"]) == {"title", "dob", "address", "country"}
    assert whole.status_code == 200
    assert whole.get_json()["profile"] == PROFILE


def test_a_profile_cannot_be_removed(user: ApiUser) -> None:
    response = user.patch(user.url, json={"profile": None})

    assert response.status_code == 400
    assert list(response.get_json()["errors"]) == ["profile"]
    assert user.get(user.url).get_json()["profile"] == PROFILE


def test_the_owners_new_email_must_be_confirmed(user: ApiUser) -> None:
    response = user.patch(user.url, json={"email": "new@example.com", "current_password": PASSWORD})

    assert response.status_code == 200
    assert response.get_json()["email"] == user.email
    assert response.get_json()["pending_email"] == "new@example.com"


def test_the_owners_new_email_takes_effect_immediately_without_confirmation(
    make_app: Callable[..., Flask], user: ApiUser
) -> None:
    app = make_app(EMAIL_VERIFICATION="none")
    client = app.test_client()

    response = client.patch(
        user.url, json={"email": "new@example.com", "current_password": PASSWORD}, headers=user.headers
    )

    assert response.get_json()["email"] == "new@example.com"
    assert response.get_json()["pending_email"] is None
    sign_in(app, "new@example.com")


def test_rejects_an_email_in_use(user: ApiUser, other_user: ApiUser, staff: ApiUser) -> None:
    for caller in (user, staff):
        response = caller.patch(user.url, json={"email": other_user.email.upper(), "current_password": PASSWORD})

        assert response.status_code == 400
        assert response.get_json()["code"] == "email_taken"
        assert list(response.get_json()["errors"]) == ["email"]


def test_P13_rejects_a_password_and_names_the_operation_that_changes_it(
    app: Flask, user: ApiUser, staff: ApiUser
) -> None:
    before = stored(app, user.id)["password_hash"]
    for caller, url in ((user, user.url), (user, ME), (staff, user.url)):
        for name in ("password", "password_hash", "new_password1", "new_password"):
            response = caller.patch(url, json={name: "another good 7 phrase"})

            assert response.status_code == 400, name
            assert list(response.get_json()["errors"]) == [name]
        rejection = caller.patch(url, json={"password": "another good 7 phrase"})
        assert "auth/password/change/" in str(rejection.get_json()["errors"]["password"])
    assert stored(app, user.id)["password_hash"] == before


PRIVILEGES = (
    "is_staff", "is_superuser", "isStaff", "IsStaff", "IS_STAFF", "is_staff ", "staff", "is_admin", "admin", "role",
    "roles", "groups", "permissions", "user_permissions", "scope", "__class__", "is_staff[]", "user.is_staff",
    "profile.is_staff", "$set",
)  # fmt: skip


@pytest.mark.parametrize("media", ["json", "data"])
def test_Z08_a_registration_assigns_no_privilege(client: FlaskClient, staff: ApiUser, media: str) -> None:
    for name in PRIVILEGES:
        wanted = new_user()
        if media == "data":
            wanted |= {f"profile.{field}": value for field, value in wanted.pop("profile").items()}

        response = client.post("/userapi/users/", **{media: wanted | {name: "true" if media == "data" else True}})

        assert response.status_code == 400, name
        assert client.post("/userapi/users/", **{media: wanted}).status_code == 201
    listed = staff.get("/userapi/users/").get_json()["results"]
    assert [row["id"] for row in listed if row["is_staff"]] == [staff.id]


@pytest.mark.parametrize("media", ["json", "data"])
def test_Z08_an_edit_assigns_no_privilege(app: Flask, user: ApiUser, media: str) -> None:
    before = stored(app, user.id)
    for url in (user.url, ME):
        for name in PRIVILEGES:
            response = user.patch(url, **{media: {name: "true" if media == "data" else True}})

            assert response.status_code == 400, name
        nested = user.patch(url, json={"profile": {"is_staff": True, "user": {"is_staff": True}}})
        assert nested.status_code == 400
    assert stored(app, user.id) == before


def test_Z08_a_whole_replacement_assigns_no_privilege(app: Flask, user: ApiUser) -> None:
    whole = user.get(user.url).get_json()
    before = stored(app, user.id)

    for name in ("is_staff", "is_superuser", "is_active"):
        response = user.put(user.url, json=whole | {name: not whole[name]})

        assert response.status_code == 400
        assert list(response.get_json()["errors"]) == [name]
    assert stored(app, user.id) == before


STATES: dict[str, Any] = {
    "is_active": False, "email_verified": True, "email_verified_at": "2026-01-01T00:00:00Z",
    "pending_email": "a@example.com",
    "date_joined": "2000-01-01T00:00:00Z", "last_login": "2000-01-01T00:00:00Z", "password_hash": "x",
    "session_version": 99, "email_key": "root@example.com", "first_name_key": "x", "version": 1, "created_at": "x",
}  # fmt: skip


def test_Z09_an_edit_assigns_no_read_only_state(app: Flask, client: FlaskClient, user: ApiUser) -> None:
    before = stored(app, user.id)
    for name, value in STATES.items():
        assert client.post("/userapi/users/", json=new_user() | {name: value}).status_code == 400, name
        for url in (user.url, ME):
            response = user.patch(url, json={name: value})

            assert response.status_code == 400, name
            assert list(response.get_json()["errors"]) == [name]
    assert stored(app, user.id) == before


@pytest.mark.parametrize("caller", ["owner", "staff", "superuser"])
def test_Z10_no_edit_changes_the_id_of_a_user(
    app: Flask, user: ApiUser, other_user: ApiUser, staff: ApiUser, superuser: ApiUser, caller: str
) -> None:
    by = {"owner": user, "staff": staff, "superuser": superuser}[caller]
    before = [stored(app, each_user.id) for each_user in (user, other_user)]
    identities: list[dict[str, Any]] = [
        {"id": other_user.id}, {"id": str(other_user.id)}, {"id": None}, {"id": 2**70}, {"id": 1e400},
        {"id": [user.id]},
        {"url": f"http://accounts.example.com{other_user.url}"}, {"pk": other_user.id}, {"user_id": other_user.id},
        {"_id": other_user.id}, {"profile": {"user": other_user.id}}, {"profile": {"user_id": other_user.id}},
    ]  # fmt: skip
    for identity in identities:
        response = by.patch(
            user.url, data=json.dumps(identity).replace("Infinity", "1e400"), content_type="application/json"
        )

        assert response.status_code == 400, identity
    assert [stored(app, each_user.id) for each_user in (user, other_user)] == before
    assert by.patch(user.url, json={"id": user.id}).status_code == 200


def test_Z11_a_nested_id_does_not_change_another_profile(user: ApiUser, other_user: ApiUser) -> None:
    before = other_user.get(other_user.url).get_json()
    for identity in ("id", "pk", "user", "user_id", "url"):
        response = user.patch(user.url, json={"profile": {identity: other_user.id, "city": "Ghost"}})

        assert response.status_code == 400
        assert list(response.get_json()["errors"]["profile"]) == [identity]
    assert other_user.get(other_user.url).get_json() == before
    assert user.get(user.url).get_json()["profile"] == PROFILE


def test_accepts_read_only_fields_sent_back_unchanged(app: Flask, user: ApiUser) -> None:
    before = stored(app, user.id)
    shown = user.get(user.url).get_json()

    for name, value in shown.items():
        assert user.patch(user.url, json={name: value}).status_code == 200, name
    assert stored(app, user.id) == before


@pytest.mark.parametrize("name", ["url", "id", "email_verified", "pending_email", "date_joined", "last_login"])
def test_rejects_other_values_of_read_only_fields_of_any_type(user: ApiUser, name: str) -> None:
    deep = "[" * 900 + "]" * 900
    for text in (
        "null",
        '"x"',
        "12345678901234567890123",
        "-1",
        "0.5",
        "1e400",
        "true",
        "[]",
        '{"a": 1}',
        deep,
        '"a\\u0000"',
    ):
        unchanged = user.get(user.url).get_json()[name] is None and text == "null"

        response = user.patch(user.url, data=f'{{"{name}": {text}}}', content_type="application/json")

        if not (unchanged or (name == "email_verified" and text == "false")):
            assert response.status_code == 400, text[:40]


def test_search_and_order_use_an_edited_name(user: ApiUser, staff: ApiUser) -> None:
    user.patch(user.url, json={"last_name": "Zygmunt"})

    found = staff.get("/userapi/users/", query_string={"search": "zyg"}).get_json()["results"]

    assert [row["id"] for row in found] == [user.id]
