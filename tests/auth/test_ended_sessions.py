"""Sessions end with their account, at their limit, and by staff."""

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from tests.support.api_client import ApiUser, sign_in
from tests.support.factories import PASSWORD, make_user, new_user
from tests.support.forged_tokens import get_own_user, read_claims, refresh_session
from userapi.audit.models import AuditEvent
from userapi.core.db import db

pytestmark = pytest.mark.both

SESSIONS = "/userapi/auth/sessions/"
LOGOUT = "/userapi/auth/logout/"


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def is_active(client: FlaskClient, tokens: dict[str, Any]) -> bool:
    """Whether a session is active, checked without using its refresh token."""
    works = get_own_user(client, tokens["access_token"]).status_code == 200
    if not works:
        assert refresh_session(client, tokens["refresh_token"]).status_code == 401
    return works


def test_R10_deactivating_a_user_ends_all_sessions_for_good(
    app: Flask, client: FlaskClient, user: ApiUser, staff: ApiUser
) -> None:
    other = sign_in(app, user.email)
    web = app.test_client()
    web.post("/userapi/auth/login/", json={"email": user.email, "password": PASSWORD, "cookies": True})
    assert web.get("/userapi/auth/user/").status_code == 200

    assert staff.patch(user.url, json={"is_active": False}).status_code == 200

    assert [is_active(client, tokens) for tokens in (user.tokens, other)] == [False, False]
    assert web.get("/userapi/auth/user/").status_code == 401
    assert staff.patch(user.url, json={"is_active": True}).status_code == 200
    assert [is_active(client, tokens) for tokens in (user.tokens, other)] == [False, False]
    assert web.get("/userapi/auth/user/").status_code == 401
    assert is_active(client, sign_in(app, user.email))


def test_R11_deleting_a_user_ends_all_sessions_immediately(
    app: Flask, client: FlaskClient, user: ApiUser, superuser: ApiUser
) -> None:
    web = app.test_client()
    web.post("/userapi/auth/login/", json={"email": user.email, "password": PASSWORD, "cookies": True})
    assert superuser.delete(user.url).status_code == 204

    later = new_user(email=user.email)
    created = client.post("/userapi/users/", json=later)

    assert created.status_code == 201
    assert created.get_json()["id"] != user.id
    for response in (
        user.get("/userapi/auth/user/"),
        user.get(user.url),
        user.get(created.get_json()["url"]),
        user.patch("/userapi/auth/user/", json={"first_name": "x"}),
        user.delete(SESSIONS),
        refresh_session(client, user.tokens["refresh_token"]),
        web.get("/userapi/auth/user/"),
    ):
        assert response.status_code == 401


def test_R14_the_number_of_sessions_is_limited(make_app: Callable[..., Flask]) -> None:
    app = make_app(SESSIONS_PER_USER="3")
    client = app.test_client()
    email, other = str(new_user()["email"]), str(new_user()["email"])
    make_user(app, email=email)
    make_user(app, email=other)
    bystander = sign_in(app, other)
    tokens = [sign_in(app, email) for _ in range(3)]
    assert [is_active(client, pair) for pair in tokens] == [True] * 3

    newest = sign_in(app, email)

    assert [is_active(client, pair) for pair in (*tokens, newest)] == [False, True, True, True]
    assert len(client.get(SESSIONS, headers=bearer(newest["access_token"])).get_json()["results"]) == 3
    assert is_active(client, bystander)


def test_R19_staff_end_all_sessions_of_a_user_with_one_request(
    app: Flask, client: FlaskClient, user: ApiUser, other_user: ApiUser, staff: ApiUser
) -> None:
    other = sign_in(app, user.email)
    assert other_user.patch(user.url, json={"is_active": False}).status_code == 403
    assert is_active(client, other)

    staff.patch(user.url, json={"is_active": False})

    assert [is_active(client, tokens) for tokens in (user.tokens, other)] == [False, False]
    assert is_active(client, other_user.tokens)


def test_the_audit_log_records_every_end_of_a_session(app: Flask, user: ApiUser) -> None:
    other = sign_in(app, user.email)
    user.delete(f"{SESSIONS}{read_claims(other['access_token'])['sid']}/")
    user.delete(SESSIONS)
    user.post(LOGOUT)

    with app.app_context():
        events = db.session.execute(
            sa.text("SELECT action, actor_id, target_id FROM audit_events WHERE action LIKE 'session.%' ORDER BY id")
        ).all()
    assert [event.action for event in events] == [
        "session.started", "session.started", "session.ended", "session.ended_all", "session.ended",
    ]  # fmt: skip
    assert {event.target_id for event in events} == {str(user.id)}
    assert [event.actor_id for event in events[2:]] == [user.id] * 3


def test_events_name_the_sessions_that_ended(make_app: Callable[..., Flask]) -> None:
    app = make_app(SESSIONS_PER_USER="3")
    email = str(new_user()["email"])
    make_user(app, email=email)
    tokens = [sign_in(app, email) for _ in range(4)]
    first, second, third, fourth = (read_claims(pair["access_token"])["sid"] for pair in tokens)
    client, caller = app.test_client(), bearer(tokens[3]["access_token"])

    client.delete(f"{SESSIONS}{second}/", headers=caller)
    client.delete(SESSIONS, headers=caller)
    refreshed = refresh_session(client, tokens[3]["refresh_token"]).get_json()
    refresh_session(client, refreshed["refresh_token"])
    refresh_session(client, tokens[3]["refresh_token"])

    with app.app_context():
        events = db.session.execute(
            sa.select(AuditEvent.action, AuditEvent.changes)
            .where(AuditEvent.action.in_(("session.ended", "session.ended_all", "session.token_reused")))
            .order_by(AuditEvent.id)
        ).all()
    named = [(event.action, event.changes["sessions"][0]) for event in events]
    assert named == [
        ("session.ended", [first]),  # too many sessions
        ("session.ended", [second]),
        ("session.ended_all", [third]),
        ("session.token_reused", [fourth]),
    ]
