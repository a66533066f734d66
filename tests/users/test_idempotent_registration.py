"""A registration whose response was lost can be repeated with the same Idempotency-Key."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.support.api_client import ApiUser, can_sign_in, sign_in
from tests.support.email_inbox import emails_to
from tests.support.factories import PASSWORD, new_user, to_form_fields
from tests.support.race import run_simultaneously
from userapi.core import clock
from userapi.core.db import db

pytestmark = pytest.mark.both

USERS = "/userapi/users/"


def a_key() -> str:
    return str(uuid.uuid4())


def register(client: FlaskClient, body: dict[str, Any], key: str) -> TestResponse:
    return client.post(USERS, json=body, headers={"Idempotency-Key": key})


def test_a_repeated_registration_gets_the_first_response(app: Flask, client: FlaskClient) -> None:
    key, body = a_key(), new_user()

    first, again = register(client, body, key), register(client, body, key)

    assert (first.status_code, again.status_code) == (201, 201)
    assert again.get_json() == first.get_json()
    assert again.headers["Location"] == first.headers["Location"]
    assert again.headers["ETag"] == first.headers["ETag"]
    assert len(emails_to(app, body["email"], "verify_email")) == 1


def test_a_repeated_registration_may_be_formatted_differently(client: FlaskClient) -> None:
    key, body = a_key(), new_user()
    first = register(client, body, key)

    again = register(client, dict(reversed(body.items())), key)
    form = client.post(USERS, data=to_form_fields(body), headers={"Idempotency-Key": key})

    assert again.get_json() == form.get_json() == first.get_json()


def test_a_repeated_registration_returns_the_current_account_until_its_password_changes(client: FlaskClient) -> None:
    key, body, new = a_key(), new_user(), "brittle harbour lantern 42"
    register(client, body, key)
    bearer = {"Authorization": f"Bearer {sign_in(client.application, body['email'])['access_token']}"}
    client.patch("/userapi/auth/user/", json={"first_name": "Ada"}, headers=bearer)
    renamed = register(client, body, key)
    change = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
    client.post("/userapi/auth/password/change/", json=change, headers=bearer)

    late = register(client, body, key)

    assert renamed.get_json()["first_name"] == "Ada"
    assert (late.status_code, late.get_json()["code"]) == (422, "idempotency_key_reused")
    assert "or the password has changed since" in late.get_json()["detail"]


@pytest.mark.parametrize(
    "changed", [{"first_name": "Ada"}, {"email": "other@example.com"}, {"password": f"{PASSWORD}!"}]
)
def test_rejects_another_body_with_the_same_key(app: Flask, client: FlaskClient, changed: dict[str, str]) -> None:
    key, body = a_key(), new_user()
    register(client, body, key)

    other = register(client, {**body, **changed}, key)

    assert (other.status_code, other.get_json()["code"]) == (422, "idempotency_key_reused")
    assert body["email"] not in other.text
    assert not can_sign_in(app, "other@example.com")
    assert register(client, body, key).status_code == 201


def test_another_key_or_no_key_is_another_registration(client: FlaskClient) -> None:
    body = new_user()
    register(client, body, a_key())

    for response in (register(client, body, a_key()), client.post(USERS, json=body)):
        assert (response.status_code, response.get_json()["code"]) == (400, "email_taken")


def test_a_rejected_registration_does_not_use_up_the_key(client: FlaskClient) -> None:
    key, body = a_key(), new_user()

    for mistake in ({"password": "12345678"}, {"email": "x"}):
        assert register(client, {**body, **mistake}, key).status_code == 400

    assert register(client, body, key).status_code == 201


@pytest.mark.parametrize("key", ["", "short", "x" * 256, "a key with an ümlaut in it", "tab\tinside-the-long-key"])
def test_rejects_a_key_that_others_could_use_by_chance(client: FlaskClient, key: str) -> None:
    response = register(client, new_user(), key)

    assert (response.status_code, response.get_json()["code"]) == (400, "bad_request")
    assert "Idempotency-Key" in response.get_json()["detail"]


def test_a_key_expires_after_a_day(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    key, body = a_key(), new_user()
    first = register(client, body, key)
    now = clock.now()

    monkeypatch.setattr(clock, "now", lambda: now + timedelta(hours=23))
    assert register(client, body, key).get_json()["id"] == first.get_json()["id"]
    monkeypatch.setattr(clock, "now", lambda: now + timedelta(hours=25))
    assert register(client, body, key).get_json()["code"] == "email_taken"
    assert register(client, new_user(), key).status_code == 201


def test_the_key_creates_another_account_after_the_first_is_deleted(client: FlaskClient, superuser: ApiUser) -> None:
    key, body = a_key(), new_user()
    first = register(client, body, key).get_json()
    superuser.delete(f"{USERS}{first['id']}/")

    again = register(client, body, key)

    assert again.status_code == 201
    assert again.get_json()["id"] != first["id"]
    assert register(client, body, key).get_json()["id"] == again.get_json()["id"]


def test_two_parallel_requests_create_one_account(app: Flask) -> None:
    key, body = a_key(), new_user()

    responses = run_simultaneously([lambda: register(app.test_client(), body, key)] * 4)

    assert {response.status_code for response in responses} == {201}
    assert len({response.get_json()["id"] for response in responses}) == 1


def test_nothing_of_the_body_is_stored(app: Flask, client: FlaskClient) -> None:
    key, body = a_key(), new_user()
    register(client, body, key)

    with app.app_context():
        kept = str(db.session.execute(sa.text("SELECT * FROM form_submissions")).all())

    assert key not in kept
    for text in (body["email"], body["password"], body["profile"]["address"]):
        assert text not in kept


def test_repeated_registrations_count_for_the_throttle(make_app: Callable[..., Flask]) -> None:
    client = make_app(RATELIMIT_ENABLED="true", RATELIMIT_REGISTRATION="3 per hour").test_client()
    key, body = a_key(), new_user()

    assert [register(client, body, key).status_code for _ in range(4)] == [201, 201, 201, 429]
