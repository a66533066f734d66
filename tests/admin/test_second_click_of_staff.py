"""A form of the staff site that is sent twice: the second answer is that of the first (B15)."""

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
def boss(app: Flask) -> StaffClient:
    return staff_client(app, is_staff=True, is_superuser=True)


def click_twice(boss: StaffClient, path: str, **typed: Any) -> list[TestResponse]:
    """Fill in the form on a page and send it twice at the same moment."""
    form = {**boss.form(path), **typed, "csrf_token": boss.csrf}
    cookies = "; ".join(f"{cookie.key}={cookie.value}" for cookie in boss.client._cookies.values())

    def send() -> TestResponse:
        client = boss.app.test_client(use_cookies=False)
        return client.post(path, data=form, headers={**ACCEPT_HTML, "Cookie": cookies})

    return run_simultaneously([send, send])


def same(answers: list[TestResponse]) -> None:
    assert [answer.status_code for answer in answers] == [303, 303], [answer.text for answer in answers]
    assert answers[0].headers["Location"] == answers[1].headers["Location"]
    assert all(any("notice=" in cookie for cookie in answer.headers.getlist("Set-Cookie")) for answer in answers)


def test_adding_a_user(boss: StaffClient) -> None:
    answers = click_twice(boss, "/admin/users/new/", email="new@example.com")

    same(answers)
    assert len(emails_to(boss.app, "new@example.com", "invitation")) == 1


def test_deleting_a_user(boss: StaffClient) -> None:
    answers = click_twice(boss, f"/admin/users/{make_user(boss.app)}/delete/")

    same(answers)


def test_setting_ones_own_password(boss: StaffClient) -> None:
    typed = {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD, "own_password": PASSWORD}

    answers = click_twice(boss, f"/admin/users/{boss.id}/password/", **typed)

    same(answers)


def test_making_and_deleting_a_group(boss: StaffClient) -> None:
    made = click_twice(boss, "/admin/groups/new/", name="Readers")
    with boss.app.app_context():
        group_id = db.session.scalar(sa.text("SELECT id FROM groups WHERE name = 'Readers'"))
    deleted = click_twice(boss, f"/admin/groups/{group_id}/delete/")

    same(made)
    same(deleted)


def test_a_refused_form_may_be_sent_again(boss: StaffClient) -> None:
    answers = click_twice(boss, "/admin/users/new/", email="nobody")

    assert [answer.status_code for answer in answers] == [400, 400]


def test_what_is_kept_of_a_submission_tells_nothing(boss: StaffClient) -> None:
    click_twice(boss, "/admin/users/new/", email="new@example.com")

    with boss.app.app_context():
        rows = db.session.execute(sa.text("SELECT * FROM form_submissions")).all()
    assert rows
    assert "new@example.com" not in str(rows)
