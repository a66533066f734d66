"""Filters of the user list that staff save for themselves."""

from html import unescape

import pytest
from flask import Flask

from tests.support.factories import make_user
from tests.support.sql import fetch_rows
from tests.support.staff_client import StaffClient, staff_client
from userapi.users import saved_filters

pytestmark = pytest.mark.both

SAVE = "/admin/users/filters/"


@pytest.fixture
def boss(app: Flask) -> StaffClient:
    return staff_client(app, is_staff=True, is_superuser=True)


def saved(app: Flask, user_id: int) -> list[tuple[str, str]]:
    with app.app_context():
        return [(row.name, row.query) for row in saved_filters.list_saved(user_id)]


def test_a_filter_is_saved_without_the_search_and_replaced_under_the_same_name(app: Flask, boss: StaffClient) -> None:
    answer = boss.post(SAVE, name=" Inactive staff ", query="search=ada&is_active=false&is_staff=true&size=100&n=7")

    assert answer.status_code == 303
    assert answer.headers["Location"].startswith("/admin/users/?search=ada")
    assert saved(app, boss.id) == [("Inactive staff", "is_active=false&is_staff=true&size=100")]
    shown = unescape(boss.get("/admin/users/").text)
    assert "The filter Inactive staff was saved. The search text is not saved." in shown

    boss.post(SAVE, name="Inactive staff", query="ordering=email&has_profile=false")
    boss.post(SAVE, name="by name", query="ordering=last_name")

    assert saved(app, boss.id) == [
        ("by name", "ordering=last_name"),
        ("Inactive staff", "has_profile=false&ordering=email"),
    ]


def test_an_invalid_filter_or_name_is_not_saved(app: Flask, boss: StaffClient) -> None:
    for name, query in (("x", "is_staff=perhaps"), ("", ""), ("   ", ""), ("x" * 61, ""), ("a\nb", ""), ("\u200b", "")):
        assert boss.post(SAVE, name=name, query=query).status_code == 303
    boss.post(SAVE, name="junk", query="password=1&is_admin=1&<script>&ordering=--x")

    assert saved(app, boss.id) == [("junk", "")]


def test_a_staff_member_can_save_at_most_twenty(app: Flask, boss: StaffClient) -> None:
    for number in range(21):
        boss.post(SAVE, name=f"filter {number:02}", query="is_staff=true")

    assert len(saved(app, boss.id)) == 20
    assert "at most 20 filters" in boss.get("/admin/users/").text
    boss.post(SAVE, name="filter 03", query="is_staff=false")
    assert ("filter 03", "is_staff=false") in saved(app, boss.id)


def test_only_its_owner_can_delete_a_filter(app: Flask, boss: StaffClient) -> None:
    other = staff_client(app, is_staff=True, permissions=("view_user",))
    boss.post(SAVE, name="mine", query="is_staff=true")
    (row,) = fetch_rows(app, "SELECT id FROM saved_filters")

    assert other.post(f"{SAVE}{row.id}/delete/").status_code == 404
    assert saved(app, boss.id) != []
    answer = boss.post(f"{SAVE}{row.id}/delete/", query="is_active=true")
    assert answer.headers["Location"] == "/admin/users/?is_active=true"
    assert saved(app, boss.id) == []
    assert boss.post(f"{SAVE}{row.id}/delete/").status_code == 404


def test_filters_are_deleted_with_their_owner(app: Flask, boss: StaffClient) -> None:
    helper = staff_client(app, is_staff=True, permissions=("view_user",))
    helper.post(SAVE, name="mine", query="is_staff=true")
    assert len(fetch_rows(app, "SELECT id FROM saved_filters")) == 1

    boss.post(f"/admin/users/{helper.id}/delete/")

    assert fetch_rows(app, "SELECT id FROM saved_filters") == []


def test_only_the_address_of_a_deleted_user_is_removed_from_names_and_no_longer_one(
    app: Flask, boss: StaffClient
) -> None:
    others = ["joann@example.com", "jo.ann@example.com", "ann@example.com.au", "ann@example.community"]
    for name in ("(Ann@example.com)", "of ann@example.com.", *others):
        boss.post(SAVE, name=name, query="is_staff=true")
    user_id = make_user(app, email="ann@example.com")

    boss.post(f"/admin/users/{user_id}/delete/")

    assert {name for name, _query in saved(app, boss.id)} == {"(…)", "of ….", *others}


def test_saving_needs_the_csrf_token_and_permission_to_view_users(app: Flask) -> None:
    helper = staff_client(app, is_staff=True, permissions=("view_user",))
    bare = staff_client(app, is_staff=True)

    assert helper.post(SAVE, csrf=False, name="forged", query="").status_code == 403
    assert bare.post(SAVE, name="denied", query="").status_code == 403
    assert fetch_rows(app, "SELECT id FROM saved_filters") == []
