"""Errors below `/admin/`: staff keep the frame of the staff site, others can sign in as someone else."""

import pytest
from flask import Flask

from tests.support.staff_client import StaffClient, staff_client

PAGE = {"Accept": "text/html"}
UNKNOWN = "/admin/nothing/"


@pytest.mark.parametrize("path", [UNKNOWN, "/admin/users/999999999/", "/admin/nothing"])
def test_staff_keep_menu_and_search_on_an_unknown_url(app: Flask, path: str) -> None:
    response = staff_client(app, is_staff=True, permissions=("view_user",)).get(path, headers=PAGE)

    assert response.status_code == 404
    assert 'class="sidebar"' in response.text
    assert 'href="/admin/users/"' in response.text
    main = response.text.partition("<main")[2]
    assert 'action="/admin/users/"' in main
    assert "<h1>Not found</h1>" in main


def test_staff_without_permissions_see_no_search(app: Flask) -> None:
    main = staff_client(app, is_staff=True).get(UNKNOWN, headers=PAGE).text.partition("<main")[2]

    assert 'name="search"' not in main


def test_staff_keep_the_menu_on_a_wrong_method(app: Flask) -> None:
    client = staff_client(app, is_staff=True, is_superuser=True)
    response = client.client.put("/admin/system/", headers=PAGE)

    assert response.status_code == 405
    assert "GET" in response.headers["Allow"]


def test_users_without_access_can_sign_in_as_someone_else(app: Flask) -> None:
    visitor = staff_client(app)
    response = visitor.get("/admin/users/", headers=PAGE)

    assert response.status_code == 403
    assert "Sign in as someone else" in response.text
    assert visitor.email in response.text
    assert 'class="sidebar"' not in response.text

    signed_out = visitor.post("/logout/", next="/admin/users/")
    assert signed_out.headers["Location"] == "/login/?next=/admin/users/"
    assert visitor.get("/account/").status_code == 303


def test_signing_out_leads_to_no_other_site(app: Flask) -> None:
    signed_out = staff_client(app).post("/logout/", next="https://example.com/")

    assert signed_out.headers["Location"] == "/logout/"


def test_anonymous_visitors_get_the_public_page(app: Flask) -> None:
    response = app.test_client().get(UNKNOWN, headers=PAGE)

    assert response.status_code == 404
    assert 'class="sidebar"' not in response.text
    assert "Sign in as someone else" not in response.text


def test_programs_get_a_problem_document(app: Flask) -> None:
    client: StaffClient = staff_client(app, is_staff=True, is_superuser=True)
    response = client.get(UNKNOWN, headers={"Accept": "application/json"})

    assert (response.status_code, response.mimetype) == (404, "application/problem+json")
