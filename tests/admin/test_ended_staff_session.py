"""A staff session that ended while somebody typed: back to the record, with what was typed (F3)."""

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
def boss(app: Flask) -> StaffClient:
    return staff_client(app, is_staff=True, is_superuser=True)


def send_late(boss: StaffClient, path: str, fields: dict[str, Any]) -> TestResponse:
    """Send a form after half an hour away."""
    later = clock.now() + timedelta(minutes=31)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clock, "now", lambda: later)
        return boss.client.post(path, data={"csrf_token": boss.csrf, **fields})


def sign_in_again(boss: StaffClient, answer: TestResponse, email: str = "") -> TestResponse:
    browser = FormBrowser(boss.app)
    browser.client = boss.client
    form = browser.follow(answer)
    assert ENDED in form.text
    signed_in = browser.post(
        "/login/",
        {
            "email": email or boss.email,
            "password": PASSWORD,
            "csrf_token": hidden_value(form),
            "next": hidden_value(form, "next"),
        },
    )
    return browser.follow(signed_in)


def wanted(answer: TestResponse) -> str:
    """Where the sign-in leads."""
    return parse_qs(urlsplit(answer.headers["Location"]).query)["next"][0]


def test_what_was_typed_about_a_user_comes_back_to_the_record(boss: StaffClient) -> None:
    user_id = make_user(boss.app)
    group = boss.post("/admin/groups/new/", name="Readers")
    assert group.status_code == 303
    path = f"/admin/users/{user_id}/"
    page = boss.get(f"{path}?back=search%3Dwren").text
    group_id = page.partition('name="groups" value="')[2].partition('"')[0]
    form = {**boss.fields(page), "first_name": "Robin", "groups": group_id, "own_password": "not kept 7"}

    answer = send_late(boss, path, form)
    shown = sign_in_again(boss, answer)

    assert wanted(answer) == f"{path}?back=search%3Dwren"
    assert shown.status_code == 200
    assert "This is what you typed before your session ended." in shown.text
    fields = boss.fields(shown.text)
    assert fields["first_name"] == "Robin"
    assert fields["groups"] == group_id
    assert fields["back"] == "search=wren"
    assert "not kept 7" not in shown.text
    assert stored_value(boss.app, user_id, "first_name") == "Wren"
    assert boss.post(path, **fields).status_code == 303
    assert stored_value(boss.app, user_id, "first_name") == "Robin"


def test_new_users_and_groups_come_back_as_well(boss: StaffClient) -> None:
    forms = {"/admin/users/new/": {"email": "typed@example.com"}, "/admin/groups/new/": {"name": "Typed group"}}
    opened = {path: boss.form(path) for path in forms}

    for path, typed in forms.items():
        answer = send_late(boss, path, {**opened[path], **typed})
        shown = sign_in_again(boss, answer)
        assert wanted(answer) == path
        assert typed.items() <= boss.fields(shown.text).items()


def test_an_action_on_the_list_leads_back_to_the_list(boss: StaffClient) -> None:

    answer = send_late(
        boss, "/admin/users/act/", {"action": "activate", "user": boss.id, "query": "search=zoe&ordering=email"}
    )

    assert wanted(answer) == "/admin/users/?search=zoe&ordering=email"
    assert ENDED in boss.get(answer.headers["Location"]).text


def test_another_member_of_staff_does_not_get_what_was_typed(boss: StaffClient) -> None:
    other = staff_client(boss.app, is_staff=True, is_superuser=True)
    path = f"/admin/users/{make_user(boss.app)}/"
    form = {**boss.form(path), "first_name": "Robin"}

    shown = sign_in_again(boss, send_late(boss, path, form), other.email)

    assert boss.fields(shown.text)["first_name"] == "Wren"


def test_a_form_of_an_earlier_session_is_shown_again_with_what_was_typed(boss: StaffClient) -> None:
    path = f"/admin/users/{make_user(boss.app)}/"
    page = boss.get(path).text
    old = {**boss.fields(page), "first_name": "Robin", "csrf_token": boss.csrf}
    boss.client.post("/userapi/auth/login/", json={"email": boss.email, "password": PASSWORD, "cookies": True})

    answer = boss.client.post(path, data=old)
    forged = boss.client.post(path, data={**old, "form_id": "made up"})

    assert (answer.status_code, answer.headers["Location"]) == (303, path)
    assert forged.status_code == 403
    shown = boss.get(path)
    assert boss.fields(shown.text)["first_name"] == "Robin"
    assert "first_name" in old


def test_a_file_is_said_to_be_lost(boss: StaffClient) -> None:
    form = boss.form("/admin/imports/new/")
    boss.client.delete_cookie("access_token")

    answer = boss.client.post("/admin/imports/new/", data={**form, "file": (BytesIO(b"email\n"), "users.csv")})

    assert "What you typed could not be saved" in boss.get(answer.headers["Location"]).text
