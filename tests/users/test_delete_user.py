"""Deleting a user."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from tests.support.api_client import ApiUser, sign_in
from tests.support.email_inbox import all_emails
from tests.support.factories import PASSWORD, new_user
from userapi.core.db import Model, db

pytestmark = pytest.mark.both


def rows_of(app: Flask, user_id: int) -> dict[str, int]:
    """The number of rows about a user in each table, except the audit log and the emails."""
    with app.app_context():
        counts = {
            table.name: db.session.scalar(
                sa.select(sa.func.count()).where(table.c["id" if table.name == "users" else "user_id"] == user_id)
            )
            for table in Model.metadata.sorted_tables
            if table.name == "users" or "user_id" in table.c
        }
    return {name: number for name, number in counts.items() if number}


def test_K01_deletes_everything_of_the_user(app: Flask, user: ApiUser, staff: ApiUser) -> None:
    user.patch(user.url, json={"email": "waiting@example.com", "current_password": PASSWORD})
    assert {"users", "user_profiles", "login_sessions", "one_time_tokens"} <= rows_of(app, user.id).keys()

    response = staff.delete(user.url)

    assert response.status_code == 204
    assert response.data == b""
    assert "Content-Type" not in response.headers
    assert rows_of(app, user.id) == {}
    assert staff.get(user.url).status_code == 404
    assert staff.delete(user.url).status_code == 404


def test_K01_deletes_every_email_to_the_user(app: Flask, user: ApiUser, other_user: ApiUser, staff: ApiUser) -> None:
    for someone in (user, other_user):
        someone.client.post("/userapi/auth/password/reset/", json={"email": someone.email})
    user.patch(user.url, json={"email": "waiting@example.com", "current_password": PASSWORD})
    assert {sent_email.recipient for sent_email in all_emails(app)} == {
        user.email,
        "waiting@example.com",
        other_user.email,
    }

    staff.delete(user.url)

    assert {sent_email.recipient for sent_email in all_emails(app)} == {other_user.email}


def test_R10_a_deleted_users_tokens_are_invalid_immediately(user: ApiUser, staff: ApiUser) -> None:
    assert user.get(user.url).status_code == 200
    staff.delete(user.url)

    assert user.get("/userapi/auth/user/").status_code == 401
    refreshed = user.client.post("/api-token-refresh/", json={"refresh_token": user.tokens["refresh_token"]})
    assert refreshed.status_code == 401


def test_K02_an_id_is_never_used_twice(
    client: FlaskClient, staff: ApiUser, make_api_user: Callable[..., ApiUser]
) -> None:
    newest = make_api_user()
    staff.delete(newest.url)

    made = client.post("/userapi/users/", json=new_user()).get_json()

    assert made["id"] > newest.id
    assert newest.get("/userapi/auth/user/").status_code == 401


def test_K03_an_email_used_again_is_another_account(
    app: Flask, client: FlaskClient, user: ApiUser, staff: ApiUser
) -> None:
    user.patch(user.url, json={"username": "former", "first_name": "Former"})
    staff.delete(user.url)

    made = client.post("/userapi/users/", json=new_user(email=user.email, first_name="New")).get_json()

    assert made["id"] != user.id
    assert (made["username"], made["first_name"]) == (None, "New")
    assert user.get("/userapi/auth/user/").status_code == 401
    tokens = sign_in(app, user.email, PASSWORD)
    sessions = client.get("/userapi/auth/sessions/", headers={"Authorization": f"Bearer {tokens['access_token']}"})
    assert len(sessions.get_json()["results"]) == 1


def test_a_user_without_a_profile_is_deleted_too(staff: ApiUser, make_api_user: Callable[..., ApiUser]) -> None:
    bare = make_api_user(profile=None)

    assert staff.delete(bare.url).status_code == 204


def test_members_of_staff_may_delete_themselves(staff: ApiUser) -> None:
    assert staff.delete(staff.url).status_code == 204
    assert staff.get("/userapi/auth/user/").status_code == 401
