"""Limits of staff: who can grant permissions, whom they can change, and the last superuser."""

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
def superuser(app: Flask) -> StaffClient:
    return staff_client(app, is_staff=True, is_superuser=True)


@pytest.fixture
def helper(app: Flask) -> StaffClient:
    """Staff who may manage users and nothing else."""
    return staff_client(app, is_staff=True, permissions=("view_user", "add_user", "change_user", "delete_user"))


@pytest.mark.parametrize("flag", ["is_staff", "is_superuser"])
def test_only_a_superuser_grants_staff_and_superuser_status(
    superuser: StaffClient, helper: StaffClient, flag: str
) -> None:
    user_id = make_user(superuser.app)
    path = f"/admin/users/{user_id}/access/"

    helper.post(path, **{**helper.form(path), flag: "true"})
    assert stored_value(superuser.app, user_id, flag) is False

    superuser.post(path, **{**superuser.form(path), flag: "true"})
    assert stored_value(superuser.app, user_id, flag) is True


@pytest.mark.parametrize("page_path", ["", "password/", "delete/"])
def test_staff_cannot_change_a_superuser(superuser: StaffClient, helper: StaffClient, page_path: str) -> None:
    path = f"/admin/users/{superuser.id}/{page_path}"
    fields = {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD, "name": "first_name", "value": "X", "seen": "Wren"}

    response = helper.post(path, **{**superuser.form(f"/admin/users/{superuser.id}/"), **fields})

    assert response.status_code == 403
    assert stored_value(superuser.app, superuser.id, "first_name") == "Wren"
    assert superuser.get("/admin/").status_code == 200


@pytest.mark.parametrize("page_path", ["", "password/", "delete/"])
def test_a_page_without_permission_shows_the_reason_instead_of_a_form(
    superuser: StaffClient, helper: StaffClient, page_path: str
) -> None:
    more_permitted = staff_client(
        superuser.app, is_staff=True, permissions=("view_user", "change_user", "change_group")
    )
    equal = staff_client(superuser.app, is_staff=True, permissions=("view_user",))
    button = {"": "Save<", "password/": ">Set password<", "delete/": ">Delete user<"}[page_path]

    def look(target: StaffClient) -> str:
        return helper.get(f"/admin/users/{target.id}/{page_path}").text

    for target, reason in (
        (superuser, "Only a superuser can change or delete a superuser."),
        (more_permitted, f"{more_permitted.email} has permissions that you do not have."),
    ):
        page = look(target)
        assert reason in page
        assert button not in page
        assert not [name for name in helper.fields(page) if name in ("email", "first_name", "password1")]
    for target in (equal, helper):
        assert button in look(target)
    assert "Save<" in superuser.get(f"/admin/users/{more_permitted.id}/").text


@pytest.mark.parametrize("page_path", ["", "password/", "delete/"])
def test_staff_cannot_change_staff_with_more_permissions(
    superuser: StaffClient, helper: StaffClient, page_path: str
) -> None:
    more_permitted = staff_client(
        superuser.app, is_staff=True, permissions=("view_user", "change_user", "change_group")
    )
    equal = staff_client(superuser.app, is_staff=True, permissions=("view_user", "change_user"))
    fields = {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD, "name": "first_name", "value": "X", "seen": "Wren"}

    def attempt(target: StaffClient) -> int:
        sent = fields if page_path else {**helper.form(f"/admin/users/{target.id}/"), "email": "mine@example.com"}
        return helper.post(f"/admin/users/{target.id}/{page_path}", **sent).status_code

    assert attempt(more_permitted) == 403
    assert attempt(equal) in (200, 303)
    assert sign_in_with_cookies(superuser.app, more_permitted.id).id == more_permitted.id


def test_staff_cannot_grant_permissions_that_they_do_not_have(superuser: StaffClient, helper: StaffClient) -> None:
    user_id = make_user(superuser.app)
    path = f"/admin/users/{user_id}/access/"
    missing, held = permission_id(superuser.app, "delete_group"), permission_id(superuser.app, "view_user")
    superuser.post("/admin/groups/new/", name="Editors", permissions=missing)
    with superuser.app.app_context():
        group = db.session.scalar(sa.text("SELECT id FROM groups"))
    form = helper.form(path)

    denied = helper.post(path, **{**form, "permissions": [held, missing]})
    assert "You can only grant or remove permissions that you have yourself, not these: Groups: Delete." in denied.text
    assert denied.status_code == 403
    assert helper.post(path, **{**form, "groups": group}).status_code == 403
    assert helper.post(path, **{**form, "permissions": held}).status_code == 303
    assert helper.post(path, **{**helper.form(path), "permissions": []}).status_code == 303
    assert (
        superuser.post(path, **{**superuser.form(path), "permissions": [held, missing], "groups": group}).status_code
        == 303
    )


def test_saving_keeps_the_permissions_that_the_editor_cannot_change(
    superuser: StaffClient, helper: StaffClient
) -> None:
    user_id = make_user(superuser.app)
    grant_permissions(superuser.app, user_id, "delete_group")
    path = f"/admin/users/{user_id}/"

    assert helper.post(path, **{**helper.form(path), "first_name": "Kept"}).status_code == 303

    with superuser.app.app_context():
        assert (
            db.session.scalar(sa.text("SELECT count(*) FROM user_permissions WHERE user_id = :id"), {"id": user_id})
            == 1
        )


def test_A12_the_last_superuser_cannot_be_removed(superuser: StaffClient) -> None:
    path = f"/admin/users/{superuser.id}/access/"
    form = superuser.form(path)

    demoted = superuser.post(path, **{name: text for name, text in form.items() if name != "is_superuser"})
    deactivated = superuser.post(path, **{name: text for name, text in form.items() if name != "is_active"})
    deleted = superuser.post(f"/admin/users/{superuser.id}/delete/")
    in_bulk = superuser.post("/admin/users/act/", action="deactivate", user=superuser.id, confirmed="1")

    for response in (demoted, deactivated, deleted):
        assert response.status_code == 409
        assert "last active superuser" in response.text
    assert in_bulk.status_code == 409
    assert "This would lock you out." in in_bulk.text
    staff_client(superuser.app, is_staff=True, is_superuser=True)
    assert superuser.post(f"/admin/users/{superuser.id}/delete/").status_code == 303
