"""Power at the staff site: who gives it, who is out of reach, and that the last superuser stays."""

import pytest
import sqlalchemy as sa
from flask import Flask

from tests.support.factories import make_user
from tests.support.staff_client import (
    NEW_PASSWORD,
    StaffClient,
    grant_permissions,
    permission_id,
    sign_in_with_cookies,
    staff_client,
    stored_value,
)
from userapi.core.db import db


@pytest.fixture
def boss(app: Flask) -> StaffClient:
    return staff_client(app, is_staff=True, is_superuser=True)


@pytest.fixture
def helper(app: Flask) -> StaffClient:
    """Staff who may look after users, and nothing else."""
    return staff_client(app, is_staff=True, permissions=("view_user", "add_user", "change_user", "delete_user"))


@pytest.mark.parametrize("flag", ["is_staff", "is_superuser"])
def test_only_a_superuser_gives_power(boss: StaffClient, helper: StaffClient, flag: str) -> None:
    user_id = make_user(boss.app)
    path = f"/admin/users/{user_id}/"

    helper.post(path, **{**helper.form(path), flag: "true", "first_name": "Seen"})
    assert (stored_value(boss.app, user_id, flag), stored_value(boss.app, user_id, "first_name")) == (False, "Seen")

    boss.post(path, **{**boss.form(path), flag: "true"})
    assert stored_value(boss.app, user_id, flag) is True


@pytest.mark.parametrize("act", ["", "password/", "delete/"])
def test_staff_who_are_no_superuser_cannot_touch_one(boss: StaffClient, helper: StaffClient, act: str) -> None:
    path = f"/admin/users/{boss.id}/{act}"
    fields = {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD, "name": "first_name", "value": "X", "seen": "Wren"}

    answer = helper.post(path, **{**boss.form(f"/admin/users/{boss.id}/"), **fields})

    assert answer.status_code == 403
    assert stored_value(boss.app, boss.id, "first_name") == "Wren"
    assert boss.get("/admin/").status_code == 200


@pytest.mark.parametrize("act", ["", "password/", "delete/"])
def test_a_page_says_why_it_changes_nothing_before_anything_is_typed(
    boss: StaffClient, helper: StaffClient, act: str
) -> None:
    richer = staff_client(boss.app, is_staff=True, permissions=("view_user", "change_user", "change_group"))
    equal = staff_client(boss.app, is_staff=True, permissions=("view_user",))
    button = {"": ">Save<", "password/": ">Set password<", "delete/": ">Delete user<"}[act]

    def look(target: StaffClient) -> str:
        return helper.get(f"/admin/users/{target.id}/{act}").text

    for target, reason in (
        (boss, "Only a superuser can change or delete a superuser."),
        (richer, f"{richer.email} has permissions that you do not have."),
    ):
        page = look(target)
        assert reason in page
        assert button not in page
        assert not [name for name in helper.fields(page) if name in ("email", "first_name", "password1")]
    for target in (equal, helper):
        assert button in look(target)
    assert ">Save<" in boss.get(f"/admin/users/{richer.id}/").text


@pytest.mark.parametrize("act", ["", "password/", "delete/"])
def test_staff_cannot_become_staff_with_more_rights(boss: StaffClient, helper: StaffClient, act: str) -> None:
    richer = staff_client(boss.app, is_staff=True, permissions=("view_user", "change_user", "change_group"))
    equal = staff_client(boss.app, is_staff=True, permissions=("view_user", "change_user"))
    fields = {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD, "name": "first_name", "value": "X", "seen": "Wren"}

    def attempt(target: StaffClient) -> int:
        sent = fields if act else {**helper.form(f"/admin/users/{target.id}/"), "email": "mine@example.com"}
        return helper.post(f"/admin/users/{target.id}/{act}", **sent).status_code

    assert attempt(richer) == 403
    assert attempt(equal) in (200, 303)
    assert sign_in_with_cookies(boss.app, richer.id).id == richer.id


def test_nobody_gives_a_permission_that_they_lack(boss: StaffClient, helper: StaffClient) -> None:
    user_id = make_user(boss.app)
    path = f"/admin/users/{user_id}/"
    lacking, held = permission_id(boss.app, "delete_group"), permission_id(boss.app, "view_user")
    boss.post("/admin/groups/new/", name="Powerful", permissions=lacking)
    with boss.app.app_context():
        group = db.session.scalar(sa.text("SELECT id FROM groups"))
    form = helper.form(path)

    assert helper.post(path, **{**form, "permissions": [held, lacking]}).status_code == 403
    assert helper.post(path, **{**form, "groups": group}).status_code == 403
    assert helper.post(path, **{**form, "permissions": held}).status_code == 303
    assert helper.post(path, **{**helper.form(path), "permissions": []}).status_code == 303
    assert boss.post(path, **{**boss.form(path), "permissions": [held, lacking], "groups": group}).status_code == 303


def test_a_limited_save_leaves_the_rights_that_it_cannot_touch(boss: StaffClient, helper: StaffClient) -> None:
    user_id = make_user(boss.app)
    grant_permissions(boss.app, user_id, "delete_group")
    path = f"/admin/users/{user_id}/"

    assert helper.post(path, **{**helper.form(path), "first_name": "Kept"}).status_code == 303

    with boss.app.app_context():
        assert (
            db.session.scalar(sa.text("SELECT count(*) FROM user_permissions WHERE user_id = :id"), {"id": user_id})
            == 1
        )


def test_A12_the_last_superuser_stays(boss: StaffClient) -> None:
    path = f"/admin/users/{boss.id}/"
    form = boss.form(path)

    demoted = boss.post(path, **{name: text for name, text in form.items() if name != "is_superuser"})
    deactivated = boss.post(path, **{name: text for name, text in form.items() if name != "is_active"})
    deleted = boss.post(f"{path}delete/")
    in_bulk = boss.post("/admin/users/act/", action="deactivate", user=boss.id, confirmed="1")

    for answer in (demoted, deactivated, deleted):
        assert answer.status_code == 409
        assert "last active superuser" in answer.text
    assert in_bulk.status_code == 409
    assert "This would lock you out." in in_bulk.text
    staff_client(boss.app, is_staff=True, is_superuser=True)
    assert boss.post(f"{path}delete/").status_code == 303
