"""What the audit log records of each change, and what stays after the users are deleted."""

from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from tests.support.api_client import ApiUser
from tests.support.factories import PASSWORD, new_user
from userapi.audit.models import AuditEvent
from userapi.core.db import db

pytestmark = pytest.mark.both


def events(app: Flask, action: str, target_id: int) -> list[dict[str, Any]]:
    """The events of a kind about a user, oldest first."""
    table = AuditEvent.__table__
    with app.app_context():
        rows = db.session.execute(
            sa.select(table).where(table.c.action == action, table.c.target_id == str(target_id)).order_by(table.c.id)
        ).all()
    return [dict(row._mapping) for row in rows]


def test_O01_a_change_is_recorded_with_actor_target_origin_and_fields(
    app: Flask, staff: ApiUser, user: ApiUser
) -> None:
    changes = {"last_name": "Quill", "profile": {"city": "Wells"}}

    staff.patch(user.url, json=changes, headers={"X-Request-ID": "audit-1"}, environ_base={"REMOTE_ADDR": "192.0.2.7"})

    (event,) = events(app, "user.changed", user.id)
    assert event["actor_id"] == staff.id
    assert event["target_kind"] == "user"
    assert event["address"] == "192.0.2.7"
    assert event["request_id"] == "audit-1"
    assert event["changes"] == {"last_name": ["Okafor", "Quill"], "profile.city": ["Bath", "Wells"]}
    assert event["occurred_at"].utcoffset().total_seconds() == 0


def test_O01_a_registration_has_no_actor(app: Flask, client: FlaskClient) -> None:
    made = client.post("/userapi/users/", json=new_user()).get_json()

    (event,) = events(app, "user.created", made["id"])
    assert event["actor_id"] is None


def test_rejected_changes_are_not_recorded(app: Flask, user: ApiUser) -> None:
    assert user.patch(user.url, json={"profile": {"zip": "too long"}}).status_code == 400
    assert user.patch(user.url, json={"is_staff": True}).status_code == 400
    assert user.patch(user.url, json={}).status_code == 200

    assert events(app, "user.changed", user.id) == []


def test_O07_events_stay_after_their_target_is_deleted_without_its_data(
    app: Flask, staff: ApiUser, user: ApiUser
) -> None:
    staff.patch(user.url, json={"last_name": "Quill"})

    staff.delete(user.url)

    (change,) = events(app, "user.changed", user.id)
    assert change["actor_id"] == staff.id
    assert list(change["changes"]) == ["last_name"]
    assert "Quill" not in str(change)
    assert "Okafor" not in str(change)
    (deletion,) = events(app, "user.deleted", user.id)
    assert deletion["actor_id"] == staff.id


def test_O07_events_stay_after_their_actor_is_deleted(
    app: Flask, superuser: ApiUser, staff: ApiUser, user: ApiUser
) -> None:
    staff.patch(user.url, json={"last_name": "Quill"})

    superuser.delete(staff.url)

    (change,) = events(app, "user.changed", user.id)
    assert change["actor_id"] == staff.id
    assert change["changes"] == {"last_name": ["Okafor", "Quill"]}


def test_P16_the_audit_log_contains_no_password(app: Flask, client: FlaskClient, user: ApiUser) -> None:
    change = {
        "old_password": PASSWORD,
        "new_password1": "quiet harbour 31 lamps",
        "new_password2": "quiet harbour 31 lamps",
    }
    assert user.post("/userapi/auth/password/change/", json=change).status_code == 200
    user.patch(user.url, json={"password": PASSWORD})

    with app.app_context():
        written = str(db.session.execute(sa.text("SELECT * FROM audit_events")).all())

    assert PASSWORD not in written
    assert "quiet harbour" not in written
    assert "argon2" not in written
    assert "user.password_changed" in written
