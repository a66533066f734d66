"""Pages of one user say who the user is, so each needs the permission to view users."""

import pytest
from flask import Flask

from tests.support.factories import make_user
from tests.support.staff_client import StaffClient, staff_client, stored_value


@pytest.fixture
def superuser(app: Flask) -> StaffClient:
    return staff_client(app, is_staff=True, is_superuser=True)


@pytest.mark.parametrize(
    ("page", "permission"),
    [("history/", "view_event"), ("sessions/", "view_session"), ("emails/", "view_email"), ("factors/", "view_factor")],
)
def test_the_tabs_of_a_user_are_closed_without_view_user(app: Flask, page: str, permission: str) -> None:
    user_id = make_user(app, email="private@example.com")
    narrow = staff_client(app, is_staff=True, permissions=(permission,))
    both = staff_client(app, is_staff=True, permissions=(permission, "view_user"))

    denied = narrow.get(f"/admin/users/{user_id}/{page}")

    assert denied.status_code == 403
    assert "private@example.com" not in denied.text
    assert both.get(f"/admin/users/{user_id}/{page}").status_code == 200


def test_the_two_parts_of_a_form_do_not_conflict(superuser: StaffClient) -> None:
    user_id = make_user(superuser.app)
    path = f"/admin/users/{user_id}/"
    profile, access = superuser.form(path), superuser.form(f"{path}access/")

    assert superuser.post(path, **{**profile, "first_name": "Robin"}).status_code == 303
    assert superuser.post(f"{path}access/", **{**access, "is_staff": "true"}).status_code == 303

    assert stored_value(superuser.app, user_id, "first_name") == "Robin"
    assert stored_value(superuser.app, user_id, "is_staff") is True


def test_two_who_make_the_same_change_do_not_conflict(superuser: StaffClient) -> None:
    path = f"/admin/users/{make_user(superuser.app)}/access/"
    form = superuser.form(path)
    del form["is_active"]

    assert [superuser.post(path, **form).status_code for _ in range(2)] == [303, 303]


@pytest.mark.parametrize("number", ["2000", "9999999999"])
def test_an_invented_row_number_changes_no_count(superuser: StaffClient, number: str) -> None:
    for _ in range(30):
        make_user(superuser.app)
    page = superuser.get("/admin/users/?size=25").text
    cursor = page.partition("cursor=")[2].partition("&")[0]

    shown = superuser.get(f"/admin/users/?size=25&cursor={cursor}&n={number}").text

    assert "31 users" in shown
    assert number not in shown.partition('role="status">')[2].partition("<")[0].replace(",", "")


def test_the_theme_is_set_by_one_cookie(superuser: StaffClient) -> None:
    cookies = superuser.get("/admin/?theme=dark").headers.getlist("Set-Cookie")

    assert [cookie.partition("=")[0] for cookie in cookies].count("theme") == 1
