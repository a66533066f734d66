"""Changing a password: it needs the current one, and ends the other sessions."""

from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.support.api_client import ApiUser, can_sign_in, sign_in
from tests.support.email_inbox import emails_to
from tests.support.factories import PASSWORD, PROFILE
from tests.support.forged_tokens import get_own_user, refresh_session
from userapi.core.db import db

CHANGE = "/userapi/auth/password/change/"
NEW = "quartz melon bicycle 41"


def change(user: ApiUser, **body: Any) -> TestResponse:
    return user.post(CHANGE, json={"old_password": PASSWORD, "new_password1": NEW, "new_password2": NEW} | body)


def stored_hash(app: Flask, user: ApiUser) -> str:
    with app.app_context():
        return str(db.session.scalar(sa.text("SELECT password_hash FROM users WHERE id = :id"), {"id": user.id}))


def test_F16_a_password_is_changed_and_its_owner_notified(app: Flask, user: ApiUser) -> None:
    assert change(user).status_code == 200

    assert can_sign_in(app, user.email, NEW)
    assert not can_sign_in(app, user.email, PASSWORD)
    (sent_email,) = emails_to(app, user.email)
    assert sent_email.kind == "password_changed"
    assert NEW not in sent_email.text + sent_email.html


def test_P12_the_current_password_is_required(app: Flask, client: FlaskClient, user: ApiUser) -> None:
    before = stored_hash(app, user)
    other = sign_in(app, user.email)
    body = {"new_password1": NEW, "new_password2": NEW}

    assert user.post(CHANGE, json=body).get_json()["errors"] == {"old_password": ["Missing data for required field."]}
    for wrong in ("", "wrong", NEW, PASSWORD.upper(), f"{PASSWORD} ", f" {PASSWORD}"):
        response = change(user, old_password=wrong)
        assert (response.status_code, list(response.get_json()["errors"])) == (400, ["old_password"])
    for odd in (None, True, 1, [PASSWORD], {"$ne": ""}):
        assert change(user, old_password=odd).status_code == 400

    assert stored_hash(app, user) == before
    assert get_own_user(client, other["access_token"]).status_code == 200
    assert client.post(CHANGE, json=body | {"old_password": PASSWORD}).status_code == 401
    assert change(user).status_code == 200


def test_a_wrong_current_password_is_recorded(app: Flask, user: ApiUser) -> None:
    change(user, old_password="wrong")

    with app.app_context():
        marks = db.session.execute(
            sa.text("SELECT actor_id, target_id FROM audit_events WHERE action = 'user.password_check_failed'")
        ).all()
    assert [tuple(mark) for mark in marks] == [(user.id, str(user.id))]


def test_the_new_password_must_be_repeated(app: Flask, user: ApiUser) -> None:
    before = stored_hash(app, user)

    differing = change(user, new_password2=f"{NEW}!")
    missing = user.post(CHANGE, json={"old_password": PASSWORD, "new_password1": NEW})

    assert (differing.status_code, list(differing.get_json()["errors"])) == (400, ["new_password2"])
    assert (missing.status_code, list(missing.get_json()["errors"])) == (400, ["new_password2"])
    assert stored_hash(app, user) == before


def test_P13_other_operations_cannot_set_a_password(
    app: Flask, client: FlaskClient, user: ApiUser, staff: ApiUser, superuser: ApiUser
) -> None:
    before = stored_hash(app, user)
    whole = {"email": user.email, "profile": PROFILE}

    for field in ("password", "password_hash", "hash", "new_password1", "old_password"):
        for value in (NEW, before, "", None):
            responses = [
                user.patch(user.url, json={field: value}),
                user.put(user.url, json=whole | {field: value}),
                user.patch("/userapi/auth/user/", json={field: value}),
                user.put("/userapi/auth/user/", json=whole | {field: value}),
                user.patch(user.url, data={field: value or ""}),
                staff.patch(user.url, json={field: value}),
                superuser.put(user.url, json=whole | {field: value}),
            ]
            assert {response.status_code for response in responses} == {400}
            assert all(list(response.get_json()["errors"]) == [field] for response in responses)

    assert stored_hash(app, user) == before
    assert "password/change" in user.patch(user.url, json={"password": NEW}).text


def test_P14_a_change_ends_every_other_session(
    app: Flask, client: FlaskClient, user: ApiUser, other_user: ApiUser
) -> None:
    others = [sign_in(app, user.email) for _ in range(2)]
    web = app.test_client()
    web.post("/userapi/auth/login/", json={"email": user.email, "password": PASSWORD, "cookies": True})
    assert web.get("/userapi/auth/user/").status_code == 200

    assert change(user).status_code == 200

    for tokens in others:
        assert get_own_user(client, tokens["access_token"]).status_code == 401
        assert refresh_session(client, tokens["refresh_token"]).status_code == 401
    assert web.get("/userapi/auth/user/").status_code == 401
    assert user.get("/userapi/auth/user/").status_code == 200
    assert len(user.get("/userapi/auth/sessions/").get_json()["results"]) == 1
    assert refresh_session(client, user.tokens["refresh_token"]).status_code == 200
    assert get_own_user(client, other_user.tokens["access_token"]).status_code == 200


@pytest.mark.parametrize("body", [{"new_password1": "short", "new_password2": "short"}, {"old_password": "wrong"}])
def test_a_rejected_change_ends_no_session(
    app: Flask, client: FlaskClient, user: ApiUser, body: dict[str, str]
) -> None:
    other = sign_in(app, user.email)

    assert change(user, **body).status_code == 400

    assert get_own_user(client, other["access_token"]).status_code == 200
    assert refresh_session(client, other["refresh_token"]).status_code == 200
    assert can_sign_in(app, user.email, PASSWORD)
