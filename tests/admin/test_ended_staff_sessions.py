"""After a staff session ended while a form was open, signing in leads back to the form with what was typed (F3)."""

from datetime import timedelta
from io import BytesIO
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.support.factories import PASSWORD, make_user
from tests.support.form_browser import FormBrowser, hidden_value
from tests.support.staff_client import StaffClient, staff_client, stored_value
from userapi.core import clock

ENDED = "Your session has ended. Sign in to continue."


@pytest.fixture
def superuser(app: Flask) -> StaffClient:
    return staff_client(app, is_staff=True, is_superuser=True)


def send_late(superuser: StaffClient, path: str, fields: dict[str, Any]) -> TestResponse:
    """Send a form after the session has been idle for too long."""
    later = clock.now() + timedelta(minutes=31)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clock, "now", lambda: later)
        return superuser.client.post(path, data={"csrf_token": superuser.csrf, **fields})


def sign_in_again(superuser: StaffClient, response: TestResponse, email: str = "") -> TestResponse:
    browser = FormBrowser(superuser.app)
    browser.client = superuser.client
    form = browser.follow(response)
    assert ENDED in form.text
    signed_in = browser.post(
        "/login/",
        {
            "email": email or superuser.email,
            "password": PASSWORD,
            "csrf_token": hidden_value(form),
            "next": hidden_value(form, "next"),
        },
    )
    return browser.follow(signed_in)


def next_path(response: TestResponse) -> str:
    """The path that the sign-in form leads to."""
    return parse_qs(urlsplit(response.headers["Location"]).query)["next"][0]


def test_what_was_typed_about_a_user_is_restored_after_signing_in_again(superuser: StaffClient) -> None:
    user_id = make_user(superuser.app)
    path = f"/admin/users/{user_id}/"
    form = {**superuser.form(f"{path}?back=search%3Dwren"), "first_name": "Robin", "own_password": "not kept 7"}

    response = send_late(superuser, path, form)
    shown = sign_in_again(superuser, response)

    assert next_path(response) == f"{path}?back=search%3Dwren"
    assert shown.status_code == 200
    assert "This is what you typed before your session ended." in shown.text
    fields = superuser.fields(shown.text)
    assert fields["first_name"] == "Robin"
    assert fields["back"] == "search=wren"
    assert "not kept 7" not in shown.text
    assert stored_value(superuser.app, user_id, "first_name") == "Wren"
    assert superuser.post(path, **fields).status_code == 303
    assert stored_value(superuser.app, user_id, "first_name") == "Robin"


def test_chosen_groups_are_restored_after_signing_in_again(superuser: StaffClient) -> None:
    path = f"/admin/users/{make_user(superuser.app)}/access/"
    assert superuser.post("/admin/groups/new/", name="Readers").status_code == 303
    page = superuser.get(path).text
    group_id = page.partition('name="groups" value="')[2].partition('"')[0]

    response = send_late(superuser, path, {**superuser.fields(page), "groups": group_id})
    shown = sign_in_again(superuser, response)

    assert next_path(response) == path
    fields = superuser.fields(shown.text)
    assert fields["groups"] == group_id
    assert superuser.post(path, **fields).status_code == 303
    assert superuser.form(path)["groups"] == group_id


def test_what_was_typed_about_new_users_and_groups_is_restored(superuser: StaffClient) -> None:
    forms = {"/admin/users/new/": {"email": "typed@example.com"}, "/admin/groups/new/": {"name": "Typed group"}}
    opened = {path: superuser.form(path) for path in forms}

    for path, typed in forms.items():
        response = send_late(superuser, path, {**opened[path], **typed})
        shown = sign_in_again(superuser, response)
        assert next_path(response) == path
        assert typed.items() <= superuser.fields(shown.text).items()


def test_an_action_on_the_list_leads_back_to_the_list(superuser: StaffClient) -> None:

    response = send_late(
        superuser,
        "/admin/users/act/",
        {"action": "activate", "user": superuser.id, "query": "search=zoe&ordering=email"},
    )

    assert next_path(response) == "/admin/users/?search=zoe&ordering=email"
    assert ENDED in superuser.get(response.headers["Location"]).text


def test_another_member_of_staff_does_not_get_what_was_typed(superuser: StaffClient) -> None:
    other = staff_client(superuser.app, is_staff=True, is_superuser=True)
    path = f"/admin/users/{make_user(superuser.app)}/"
    form = {**superuser.form(path), "first_name": "Robin"}

    shown = sign_in_again(superuser, send_late(superuser, path, form), other.email)

    assert superuser.fields(shown.text)["first_name"] == "Wren"


def test_a_form_of_an_earlier_session_is_shown_again_with_what_was_typed(superuser: StaffClient) -> None:
    path = f"/admin/users/{make_user(superuser.app)}/"
    page = superuser.get(path).text
    old = {**superuser.fields(page), "first_name": "Robin", "csrf_token": superuser.csrf}
    superuser.client.post(
        "/userapi/auth/login/", json={"email": superuser.email, "password": PASSWORD, "cookies": True}
    )

    response = superuser.client.post(path, data=old)
    forged = superuser.client.post(path, data={**old, "form_id": "made up"})

    assert (response.status_code, response.headers["Location"]) == (303, path)
    assert forged.status_code == 403
    shown = superuser.get(path)
    assert superuser.fields(shown.text)["first_name"] == "Robin"
    assert "first_name" in old


def test_a_lost_file_is_reported(superuser: StaffClient) -> None:
    form = superuser.form("/admin/imports/new/")
    superuser.client.delete_cookie("access_token")

    response = superuser.client.post("/admin/imports/new/", data={**form, "file": (BytesIO(b"email\n"), "users.csv")})

    assert "What you typed could not be saved" in superuser.get(response.headers["Location"]).text


def test_a_form_of_another_member_of_staff_is_not_offered(superuser: StaffClient) -> None:
    other = staff_client(superuser.app, is_staff=True, is_superuser=True)
    path = f"/admin/users/{make_user(superuser.app)}/"
    form = {**superuser.form(path), "first_name": "Robin", "csrf_token": superuser.csrf}

    response = other.client.post(path, data=form)
    page = other.get(path)

    assert (response.status_code, response.headers["Location"]) == (303, path)
    assert f"You are now signed in as {other.email}." in page.text
    assert "submit it again" not in page.text
    assert other.fields(page.text)["first_name"] == "Wren"


def test_a_form_without_its_csrf_token_says_what_to_do(superuser: StaffClient) -> None:
    response = superuser.post("/admin/groups/new/", csrf=False, name="Readers")

    assert response.status_code == 403
    assert "Go back, reload the page and submit the form again." in response.text.replace("\n", " ")
    assert "X-CSRF-TOKEN" not in response.text
