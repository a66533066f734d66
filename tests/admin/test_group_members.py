"""Staff list, add and remove the members of a group."""

from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from tests.support.factories import PASSWORD, make_user
from tests.support.second_factors import set_up_app
from tests.support.sql import execute_sql
from tests.support.staff_client import StaffClient, permission_id, staff_client
from userapi.core.db import db

pytestmark = pytest.mark.both


@pytest.fixture
def superuser(app: Flask) -> StaffClient:
    return staff_client(app, is_staff=True, is_superuser=True)


def create_group(staff: StaffClient, name: str, *codenames: str) -> str:
    """The URL of a new group."""
    chosen = [permission_id(staff.app, codename) for codename in codenames]
    assert staff.post("/admin/groups/new/", name=name, permissions=chosen).status_code == 303
    with staff.app.app_context():
        return f"/admin/groups/{db.session.scalar(sa.text('SELECT max(id) FROM groups'))}/"


def members(app: Flask, group: str) -> list[int]:
    statement = "SELECT user_id FROM user_groups WHERE group_id = :id ORDER BY user_id"
    with app.app_context():
        return list(db.session.scalars(sa.text(statement), {"id": int(group.split("/")[3])}))


def changes(app: Flask, user_id: int) -> list[Any]:
    events = "audit_events WHERE action = 'user.rights_changed' AND target_id = :id"
    statement = f"SELECT actor_id, changes FROM {events} ORDER BY id"
    with app.app_context():
        rows = db.session.execute(sa.text(statement).columns(changes=sa.JSON), {"id": str(user_id)})
        return [tuple(row) for row in rows]


def test_a_member_is_added_by_email_and_removed_and_both_are_recorded(app: Flask, superuser: StaffClient) -> None:
    ada = make_user(app, email="ada@example.com")
    group = create_group(superuser, "Readers", "view_user")

    added = superuser.post(f"{group}members/", email=" ADA@example.com ")
    page = superuser.get(added.headers["Location"]).text
    again = superuser.post(f"{group}members/", email="ada@example.com")

    assert added.headers["Location"] == again.headers["Location"] == f"{group}members/"
    assert "ada@example.com is now a member of the group Readers." in page
    assert "1 member<" in page
    assert "is already a member" in superuser.get(f"{group}members/").text
    assert members(app, group) == [ada]
    removed = superuser.post(f"{group}members/remove/", user=ada)
    assert "1 member was removed." in superuser.get(removed.headers["Location"]).text
    assert members(app, group) == []
    assert changes(app, ada) == [
        (superuser.id, {"groups": [[], ["Readers"]]}),
        (superuser.id, {"groups": [["Readers"], []]}),
    ]


@pytest.mark.parametrize("email", ["", "unknown@example.com", "no email", "x" * 300])
def test_an_unknown_email_is_explained_beside_the_field(superuser: StaffClient, email: str) -> None:
    group = create_group(superuser, "Readers")

    answer = superuser.post(f"{group}members/", email=email)

    assert answer.status_code == 400
    assert 'aria-invalid="true"' in answer.text
    assert members(superuser.app, group) == []


def test_staff_change_members_only_of_groups_whose_permissions_they_have(app: Flask, superuser: StaffClient) -> None:
    ada = make_user(app, email="ada@example.com")
    readers = create_group(superuser, "Readers", "view_user")
    editors = create_group(superuser, "Editors", "delete_group")
    helper = staff_client(app, is_staff=True, permissions=["view_user", "change_user", "view_group"])
    viewer = staff_client(app, is_staff=True, permissions=["view_user", "view_group"])
    superuser.post(f"{editors}members/", email="ada@example.com")

    assert helper.post(f"{readers}members/", email="ada@example.com").status_code == 303
    assert helper.post(f"{editors}members/", email=helper.email).status_code == 403
    assert helper.post(f"{editors}members/remove/", user=ada).status_code == 403
    assert "Add member" not in helper.get(f"{editors}members/").text
    assert viewer.post(f"{readers}members/", email=viewer.email).status_code == 403
    assert viewer.post(f"{readers}members/remove/", user=ada).status_code == 403
    assert "Add member" not in viewer.get(f"{readers}members/").text
    assert members(app, readers) == members(app, editors) == [ada]


def test_no_member_is_removed_if_one_has_more_permissions_than_the_caller(app: Flask, superuser: StaffClient) -> None:
    ada = make_user(app, email="ada@example.com")
    group = create_group(superuser, "Readers", "view_user")
    helper = staff_client(app, is_staff=True, permissions=["view_user", "change_user"])
    for email in ("ada@example.com", superuser.email):
        superuser.post(f"{group}members/", email=email)

    answer = helper.post(f"{group}members/remove/", user=[ada, superuser.id])

    assert answer.status_code == 403
    assert members(app, group) == sorted([ada, superuser.id])


def test_a_page_has_fifty_members_and_links_to_the_next_ones(app: Flask, superuser: StaffClient) -> None:
    group = create_group(superuser, "Readers")
    ids = [make_user(app, email=f"user{number:02}@example.com") for number in range(52)]
    with app.app_context():
        rows = [{"user_id": user_id, "group_id": int(group.split("/")[3])} for user_id in ids]
        db.session.execute(sa.text("INSERT INTO user_groups (user_id, group_id) VALUES (:user_id, :group_id)"), rows)
        db.session.commit()

    first = superuser.get(f"{group}members/").text
    second = superuser.get(f"{group}members/?before={ids[49]}").text

    assert "52 members" in first
    assert f"before={ids[49]}" in first
    assert "user49@example.com" in first
    assert "user50@example.com" not in first
    assert "user50@example.com" in second
    assert "user51@example.com" in second
    assert "user49@example.com" not in second
    for text in ("x", "0", "9" * 30, "%00"):
        assert superuser.get(f"{group}members/?before={text}").status_code == 200


def test_permissions_that_allow_nothing_are_not_offered_and_stay_where_they_were_granted(
    app: Flask, superuser: StaffClient
) -> None:
    group = create_group(superuser, "Readers", "view_event", "delete_event")
    page = superuser.get(group).text

    for codename in ("add_event", "change_event", "delete_event", "add_session", "change_session", "delete_email"):
        assert f'type="checkbox" name="permissions" value="{permission_id(app, codename)}"' not in page, codename
    for codename in ("view_event", "delete_session", "view_session", "add_email", "change_email", "delete_group"):
        assert f'type="checkbox" name="permissions" value="{permission_id(app, codename)}"' in page, codename
    assert superuser.post(group, **superuser.form(group)).status_code == 303
    with app.app_context():
        statement = "SELECT count(*) FROM group_permissions WHERE group_id = :id"
        assert db.session.scalar(sa.text(statement), {"id": int(group.split("/")[3])}) == 2


def test_S73_staff_cannot_leave_a_group_that_requires_a_second_step(app: Flask, superuser: StaffClient) -> None:
    staff = staff_client(app, is_staff=True, permissions=("view_group", "view_user", "change_user"))
    other = staff_client(app, is_staff=True, permissions=("view_group", "view_user", "change_user"))
    group = create_group(superuser, "Payments")
    superuser.post(f"{group}members/", email=staff.email)
    execute_sql(app, "UPDATE groups SET requires_second_step = true WHERE name = 'Payments'")
    phone, _codes = set_up_app(app, staff.id)
    login = {"email": staff.email, "password": PASSWORD, "code": phone.code(), "cookies": True}
    assert staff.client.post("/userapi/auth/login/", json=login).status_code == 200

    denied = staff.post(f"{group}members/remove/", user=staff.id)

    assert denied.status_code == 403
    assert "Only someone else can remove you" in denied.text
    assert members(app, group) == [staff.id]
    assert other.post(f"{group}members/remove/", user=staff.id).status_code == 303
    assert members(app, group) == []
