"""Who may act as whom: never as staff, also when someone becomes staff at the same time."""

from datetime import timedelta

import pytest
from flask import Flask

from tests.support.email_delivery import clock_mover
from tests.support.impersonation import RunningImpersonation, actions, make_support, own_id, sessions, start
from tests.support.sql import execute_sql, fetch_rows
from tests.support.staff_client import permission_id, staff_client
from userapi.core.db import db
from userapi.users import service_accounts


@pytest.mark.both
@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"is_staff": True}, "No one can sign in as a member of staff."),
        ({"is_staff": True, "is_superuser": True}, "Only a superuser can change or delete a superuser."),
        ({"is_active": False}, "This account is not active."),
    ],
)
def test_W72_only_active_users_without_permissions_are_targets(app: Flask, values: dict[str, bool], why: str) -> None:
    support, target = make_support(app), staff_client(app)
    columns = ", ".join(f"{name} = {value}" for name, value in values.items())
    execute_sql(app, f"UPDATE users SET {columns} WHERE id = :id", id=target.id)

    response = start(support, target.id)

    assert (response.status_code, why in response.text) == (403, True), response.text
    assert f"/admin/users/{target.id}/impersonate/" not in support.get(f"/admin/users/{target.id}/").text
    assert sessions(app) == []


def test_W72_a_superuser_cannot_act_as_staff_or_as_a_service_account(app: Flask) -> None:
    boss = staff_client(app, is_staff=True, is_superuser=True)
    with app.app_context():
        robot = service_accounts.create("nightly", by=None).id
        db.session.commit()
    for target in (robot, boss.id, staff_client(app, is_staff=True).id):
        assert start(boss, target).status_code == 403
    assert start(boss, 10**6).status_code == 404
    assert sessions(app) == []


def test_W72_it_requires_the_permission_and_a_recent_proof(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    user = staff_client(app)
    other = staff_client(app, is_staff=True, permissions=("view_user", "change_user"))
    assert start(other, user.id).status_code == 403
    assert "impersonate" not in other.get(f"/admin/users/{user.id}/").text
    support = make_support(app)
    assert f"/admin/users/{user.id}/impersonate/" in support.get(f"/admin/users/{user.id}/").text
    clock_mover(monkeypatch)(timedelta(minutes=16))
    assert "/prove/" in start(support, user.id).text or start(support, user.id).headers.get("Location", "").startswith(
        "/prove/"
    )
    assert sessions(app) == []


def test_W72_a_member_of_staff_who_has_the_permission_by_a_group_may(app: Flask) -> None:
    boss, user = staff_client(app, is_staff=True, is_superuser=True), staff_client(app)
    ids = [permission_id(app, name) for name in ("view_user", "impersonate_user")]
    page = boss.get("/admin/groups/new/").text
    assert "Users: Sign in as a user" in page
    assert boss.post("/admin/groups/new/", name="Support", permissions=ids).status_code == 303
    (group,) = fetch_rows(app, "SELECT id FROM groups WHERE name = 'Support'")
    member = staff_client(app, is_staff=True)
    execute_sql(app, "INSERT INTO user_groups VALUES (:user, :group)", user=member.id, group=group.id)

    assert start(member, user.id).status_code == 303
    assert own_id(member) == user.id


@pytest.mark.both
def test_W72_it_ends_when_the_user_becomes_staff(running: RunningImpersonation) -> None:
    execute_sql(running.app, "UPDATE users SET is_staff = true WHERE id = :id", id=running.user.id)

    assert own_id(running.support) is None
    assert running.support.get("/admin/").status_code == 303
    assert actions(running.app)[-1].action == "impersonation.ended"
