"""Forms of the staff site that are sent twice: the second response is the same as the first (B15)."""

from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from werkzeug.test import TestResponse

from tests.support.email_inbox import emails_to
from tests.support.factories import PASSWORD, make_user
from tests.support.race import run_simultaneously
from tests.support.staff_client import ACCEPT_HTML, NEW_PASSWORD, StaffClient, staff_client
from userapi.core.db import db

pytestmark = pytest.mark.both


@pytest.fixture
def superuser(app: Flask) -> StaffClient:
    return staff_client(app, is_staff=True, is_superuser=True)


def click_twice(superuser: StaffClient, path: str, **typed: Any) -> list[TestResponse]:
    """Fill in the form on a page and send it twice at the same time."""
    form = {**superuser.form(path), **typed, "csrf_token": superuser.csrf}
    cookies = "; ".join(f"{cookie.key}={cookie.value}" for cookie in superuser.client._cookies.values())

    def send() -> TestResponse:
        client = superuser.app.test_client(use_cookies=False)
        return client.post(path, data=form, headers={**ACCEPT_HTML, "Cookie": cookies})

    return run_simultaneously([send, send])


def assert_same_redirects(responses: list[TestResponse]) -> None:
    assert [response.status_code for response in responses] == [303, 303], [response.text for response in responses]
    assert responses[0].headers["Location"] == responses[1].headers["Location"]
    assert all(any("notice=" in cookie for cookie in response.headers.getlist("Set-Cookie")) for response in responses)


def test_an_invitation_sent_twice_is_one_email(superuser: StaffClient) -> None:
    responses = click_twice(superuser, "/admin/invitations/new/", email="new@example.com")

    assert_same_redirects(responses)
    assert len(emails_to(superuser.app, "new@example.com", "invitation")) == 1


def test_deleting_a_user_twice_gets_two_equal_responses(superuser: StaffClient) -> None:
    responses = click_twice(superuser, f"/admin/users/{make_user(superuser.app)}/delete/")

    assert_same_redirects(responses)


def test_changing_your_own_password_twice_gets_two_equal_responses(superuser: StaffClient) -> None:
    typed = {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD, "own_password": PASSWORD}

    responses = click_twice(superuser, f"/admin/users/{superuser.id}/password/", **typed)

    assert_same_redirects(responses)


def test_adding_and_deleting_a_group_twice_gets_two_equal_responses(superuser: StaffClient) -> None:
    made = click_twice(superuser, "/admin/groups/new/", name="Readers")
    with superuser.app.app_context():
        group_id = db.session.scalar(sa.text("SELECT id FROM groups WHERE name = 'Readers'"))
    deleted = click_twice(superuser, f"/admin/groups/{group_id}/delete/")

    assert_same_redirects(made)
    assert_same_redirects(deleted)


def test_a_rejected_form_can_be_sent_again(superuser: StaffClient) -> None:
    responses = click_twice(superuser, "/admin/users/new/", email="invalid")

    assert [response.status_code for response in responses] == [400, 400]


def test_what_is_stored_of_a_submission_contains_no_secrets(superuser: StaffClient) -> None:
    click_twice(superuser, "/admin/invitations/new/", email="new@example.com")

    with superuser.app.app_context():
        rows = db.session.execute(sa.text("SELECT * FROM form_submissions")).all()
    assert rows
    assert "new@example.com" not in str(rows)
