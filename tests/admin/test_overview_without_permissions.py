"""Staff without permissions see which permission is missing and who can grant it."""

import pytest
import sqlalchemy as sa
from flask import Flask

from tests.support.staff_client import permission_id, staff_client
from userapi.core.db import db


def test_staff_without_permissions_see_which_one_is_missing_and_who_can_grant_it(app: Flask) -> None:
    page = staff_client(app, is_staff=True).get("/admin/").text

    assert "No permissions yet" in page
    assert "To see users, you need the permission “Users: View”. Ask a superuser to grant it to you" in page


def test_the_staff_group_is_suggested_only_while_its_members_may_view_users(app: Flask) -> None:
    superuser = staff_client(app, is_staff=True, is_superuser=True)
    helper = staff_client(app, is_staff=True)
    superuser.post("/admin/groups/new/", name="Staff", permissions=[permission_id(app, "view_user")])
    with app.app_context():
        group = db.session.scalar(sa.text("SELECT id FROM groups WHERE name = 'Staff'"))
    path = f"/admin/groups/{group}/"
    assert "or to add you to the Staff group" in helper.get("/admin/").text

    superuser.post(path, **{**superuser.form(path), "permissions": []})

    text = helper.get("/admin/").text
    assert "or to add you to the Staff group" not in text
    assert "Ask a superuser to grant it to you." in text


@pytest.mark.parametrize(
    "granted", [{"permissions": ("view_user",)}, {"permissions": ("change_group",)}, {"permissions": ("view_event",)}]
)
def test_staff_with_a_permission_do_not_see_the_hint(app: Flask, granted: dict[str, tuple[str, ...]]) -> None:
    assert "No permissions yet" not in staff_client(app, is_staff=True, **granted).get("/admin/").text


def test_superusers_do_not_see_the_hint(app: Flask) -> None:
    assert "No permissions yet" not in staff_client(app, is_staff=True, is_superuser=True).get("/admin/").text
