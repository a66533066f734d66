"""Groups on the staff site: their permissions, names and events."""

import pytest
import sqlalchemy as sa
from flask import Flask

from tests.support.staff_client import StaffClient, permission_id, staff_client
from userapi.core.db import db

pytestmark = pytest.mark.both


@pytest.fixture
def superuser(app: Flask) -> StaffClient:
    return staff_client(app, is_staff=True, is_superuser=True)


def group_id(app: Flask) -> int:
    with app.app_context():
        return int(db.session.scalar(sa.text("SELECT max(id) FROM groups")) or 0)


def test_members_have_the_permissions_of_their_group(superuser: StaffClient) -> None:
    member = staff_client(superuser.app, is_staff=True)
    path = f"/admin/users/{member.id}/access/"
    assert member.get("/admin/users/").status_code == 403

    superuser.post("/admin/groups/new/", name="Readers", permissions=permission_id(superuser.app, "view_user"))
    superuser.post(path, **{**superuser.form(path), "groups": group_id(superuser.app)})

    assert member.get("/admin/users/").status_code == 200
    assert 'href="/admin/users/"' in member.get("/admin/").text
    assert 'href="/admin/groups/"' not in member.get("/admin/").text
    superuser.post(f"/admin/groups/{group_id(superuser.app)}/delete/")
    assert member.get("/admin/users/").status_code == 403


def test_group_editors_can_grant_and_revoke_only_their_own_permissions(superuser: StaffClient) -> None:
    app = superuser.app
    editor = staff_client(app, is_staff=True, permissions=("view_group", "add_group", "change_group", "delete_group"))
    held, missing = permission_id(app, "view_group"), permission_id(app, "delete_user")

    assert editor.post("/admin/groups/new/", name="Mine", permissions=missing).status_code == 403
    assert editor.post("/admin/groups/new/", name="Mine", permissions=held).status_code == 303
    mine = f"/admin/groups/{group_id(app)}/"
    assert editor.post(mine, **{**editor.form(mine), "permissions": [held, missing]}).status_code == 403
    superuser.post("/admin/groups/new/", name="Theirs", permissions=[held, missing])
    theirs = f"/admin/groups/{group_id(app)}/"
    form = editor.form(theirs)

    assert editor.post(theirs, **{**form, "permissions": []}).status_code == 403
    assert editor.post(f"{theirs}delete/").status_code == 403
    assert editor.post(theirs, **{**form, "name": "Renamed"}).status_code == 303
    assert editor.post(f"{mine}delete/").status_code == 303


def test_two_editors_of_a_group_do_not_overwrite_each_other(superuser: StaffClient) -> None:
    superuser.post("/admin/groups/new/", name="Readers")
    path = f"/admin/groups/{group_id(superuser.app)}/"
    form = superuser.form(path)
    superuser.post(path, **{**form, "name": "First"})

    conflict = superuser.post(path, **{**form, "name": "Second"})

    assert conflict.status_code == 409
    assert "Someone else changed this group" in conflict.text
    assert "First" in superuser.get("/admin/groups/").text


@pytest.mark.parametrize("name", ["", " ", "Readers", "x" * 151, "a\nb"])
def test_a_group_requires_a_unique_valid_name(superuser: StaffClient, name: str) -> None:
    superuser.post("/admin/groups/new/", name="Readers")

    assert superuser.post("/admin/groups/new/", name=name).status_code == 400
    assert superuser.post("/admin/groups/new/", name="Writers").status_code == 303


def test_A13_the_audit_log_shows_changes_of_a_group(superuser: StaffClient) -> None:
    superuser.post("/admin/groups/new/", name="Readers", permissions=permission_id(superuser.app, "view_user"))
    superuser.post(f"/admin/groups/{group_id(superuser.app)}/delete/")

    text = (
        superuser.get(f"/admin/audit/?kind=group&target={group_id(superuser.app) or 1}").text
        + superuser.get("/admin/audit/").text
    )

    for action in ("group.created", "group.deleted", "view_user"):
        assert action in text
