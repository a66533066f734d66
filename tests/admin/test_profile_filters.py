"""Filters of the staff's user list by own profile fields."""

from collections.abc import Callable
from html import unescape

import pytest
from flask import Flask

from tests.support.bulk_actions import ACTION_PATH
from tests.support.sql import fetch_rows
from tests.support.staff_client import StaffClient, staff_client
from userapi.core.db import db
from userapi.users import accounts, field_keys, saved_filters
from userapi.users.declaration import get_declaration

DECLARATION = """
[profile.company]
type = "line"
find = "beginning"
label = { en = "Employer", de = "Firma" }
[profile.vat_id]
type = "line"
find = "exact"
[profile.size]
type = "choice"
options = { small = "Up to 10", large = "More" }
find = "exact"
[profile.motto]
type = "line"
"""

USERS = "/admin/users/"


@pytest.fixture
def app(declare: Callable[..., Flask]) -> Flask:
    """An application with two users, and complete keys."""
    app = declare(DECLARATION)
    with app.app_context():
        field_keys.declare(get_declaration().fields, (), ())
        accounts.create("wren@example.com", None, {"company": "Kestrel Ltd", "vat_id": "DE 1", "size": "large"})
        accounts.create("finch@example.com", None, {"company": "Lark", "vat_id": "DE 2", "size": "small"})
        db.session.commit()
    return app


@pytest.fixture
def boss(app: Flask) -> StaffClient:
    return staff_client(app, is_staff=True, is_superuser=True, profile=None)


def show(boss: StaffClient, query: str) -> str:
    response = boss.get(f"{USERS}?{query}")
    assert response.status_code == 200
    return unescape(response.text)


def test_W16_the_list_has_filters_for_fields_with_find(boss: StaffClient) -> None:
    page = show(boss, "profile.company=kest&profile.size=large")

    assert "wren@example.com" in page
    assert "finch@example.com" not in page
    for text in ('name="profile.company"', ">Employer<", "Employer: <bdi>kest</bdi>", "Size: <bdi>More</bdi>"):
        assert text in page
    assert 'name="profile.motto"' not in page


def test_W16_the_search_reaches_the_beginnings_of_fields(boss: StaffClient) -> None:
    page = show(boss, "search=kestrel+l")

    assert "wren@example.com" in page
    assert "finch@example.com" not in page
    assert "It also finds the beginning of: Employer." in page


def test_W16_an_invalid_filter_shows_no_users(boss: StaffClient) -> None:
    page = show(boss, "profile.size=medium&profile.company=")

    assert "No users found." in page
    assert "Must be one of: small, large." in page


def test_W17_a_filter_whose_keys_are_incomplete_shows_no_users_and_what_to_do(app: Flask, boss: StaffClient) -> None:
    with app.app_context():
        field_keys.forget("vat_id")
        db.session.commit()

    page = show(boss, "profile.vat_id=DE+1")

    assert "No users found." in page
    assert "flask fields reindex vat_id" in page
    query = {"query": "profile.vat_id=DE+1", "all": "true", "confirmed": "true", "newest": "999"}
    assert "vat_id" in boss.post(ACTION_PATH, action="deactivate", **query).headers["Location"]
    assert [row.is_active for row in fetch_rows(app, "SELECT is_active FROM users")] == [True] * 3


def test_W16_filters_by_text_are_not_saved(app: Flask, boss: StaffClient) -> None:
    boss.post("/admin/users/filters/", name="Large", query="profile.vat_id=DE+1&profile.size=large")

    with app.app_context():
        (saved,) = saved_filters.list_saved(boss.id)
    assert saved.query == "profile.size=large"
    assert "Filters by text in a profile are not saved" in show(boss, "")
