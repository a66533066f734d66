"""The API and the staff site require the same permissions."""

from typing import Any

import pytest
from flask import Flask

from tests.support.factories import make_user
from tests.support.sql import fetch_rows
from tests.support.staff_client import grant_permissions, staff_client
from tests.support.user_operations import OF_USERS, OPERATIONS, Channels, superuser_form

NAMES = {
    "view_user": "Users: View",
    "add_user": "Users: Add",
    "change_user": "Users: Change",
    "delete_user": "Users: Delete",
}


def stored(app: Flask) -> list[Any]:
    return fetch_rows(app, "SELECT id, email, first_name, is_active FROM users ORDER BY id")


@pytest.mark.parametrize("name", OPERATIONS)
def test_A02_each_operation_requires_its_permission_on_the_API_and_the_staff_site(app: Flask, name: str) -> None:
    operation, user_id = OPERATIONS[name], make_user(app)
    # The permission to change users includes viewing them, so both are removed.
    enough = ("view_user", operation.needs) if "site" in name else (operation.needs,)
    implied = ("change_user",) if operation.needs == "view_user" else ()
    others = tuple(permission for permission in OF_USERS if permission not in (operation.needs, *implied))
    without, with_it = (
        Channels(app, staff_client(app, is_staff=True, permissions=permissions))
        for permissions in (others, set(enough))
    )
    superuser_form(without, "/admin/")  # creates the superuser before the stored users are compared
    before = [row for row in stored(app) if row.id == user_id]

    rejected = operation.run(without, user_id)

    assert rejected.status_code == 403
    assert f"You need the permission “{NAMES[operation.needs]}”." in rejected.text
    assert [row for row in stored(app) if row.id == user_id] == before
    assert operation.run(with_it, user_id).status_code == operation.done


def test_the_permission_to_change_users_includes_reading_them_over_the_api(app: Flask) -> None:
    helper = Channels(app, staff_client(app, is_staff=True, permissions=("change_user",)))

    assert helper.api("GET", "/userapi/users/").status_code == 200


def test_permissions_are_checked_before_the_user_and_the_body(app: Flask) -> None:
    without_permissions = Channels(app, staff_client(app, is_staff=True))

    for method, path in (
        ("GET", "/userapi/users/?limit=many"), ("GET", "/userapi/users/987654321/"),
        ("PATCH", "/userapi/users/987654321/"), ("DELETE", "/userapi/users/987654321/"),
    ):  # fmt: skip
        assert without_permissions.api(method, path, json={"surprise": 1}).status_code == 403, (method, path)


def test_staff_without_permissions_can_still_edit_their_own_account(app: Flask) -> None:
    without_permissions = Channels(app, staff_client(app, is_staff=True))
    own = f"/userapi/users/{without_permissions.site.id}/"

    assert without_permissions.api("GET", own).status_code == 200
    assert without_permissions.api("PATCH", own, json={"first_name": "Own"}).get_json()["first_name"] == "Own"
    assert without_permissions.api("PATCH", "/userapi/auth/user/", json={"first_name": "Mine"}).status_code == 200
    assert without_permissions.api("DELETE", own).status_code == 403


def test_permissions_have_no_effect_for_users_who_are_not_staff(app: Flask) -> None:
    member = staff_client(app)
    grant_permissions(app, member.id, *OF_USERS)

    assert Channels(app, member).api("GET", "/userapi/users/").status_code == 403
    assert member.get("/admin/users/").status_code == 403


def test_a_page_of_the_api_offers_only_what_the_caller_may_do(app: Flask) -> None:
    reader, editor = (
        staff_client(app, is_staff=True, permissions=("view_user", *more)) for more in ((), ("change_user",))
    )
    path = f"/userapi/users/{make_user(app)}/"

    assert 'name="first_name"' in editor.get(path).text
    assert 'name="first_name"' not in reader.get(path).text
    assert "Wren" in reader.get(path).text
