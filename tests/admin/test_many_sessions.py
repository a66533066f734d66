"""Staff end several sessions together, and find the sessions of one user."""

import uuid
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from tests.support.api_client import sign_in
from tests.support.factories import make_user
from tests.support.staff_client import StaffClient, staff_client
from userapi.auth.models import Session
from userapi.core.db import db

pytestmark = pytest.mark.both

MANY = "/admin/sessions/end/"


@pytest.fixture
def superuser(app: Flask) -> StaffClient:
    return staff_client(app, is_staff=True, is_superuser=True)


def begin(app: Flask, email: str, times: int = 1) -> list[str]:
    """Sign a user in, and return the IDs of all sessions of the user."""
    for _time in range(times):
        sign_in(app, email)
    with app.app_context():
        statement = sa.select(Session.id).join(Session.user).filter_by(email=email).order_by(Session.created_at)
        return [str(session_id) for session_id in db.session.scalars(statement)]


def active(app: Flask) -> set[str]:
    with app.app_context():
        return {str(found) for found in db.session.scalars(sa.select(Session.id).where(Session.ended_at.is_(None)))}


def ended_events(app: Flask) -> list[Any]:
    with app.app_context():
        statement = "SELECT actor_id, target_id FROM audit_events WHERE action = 'session.ended' ORDER BY target_id"
        return [tuple(row) for row in db.session.execute(sa.text(statement))]


def test_selected_sessions_of_several_users_end_and_each_is_recorded(app: Flask, superuser: StaffClient) -> None:
    ada, bob = make_user(app, email="ada@example.com"), make_user(app, email="bob@example.com")
    first, second = begin(app, "ada@example.com", times=2)
    (third,) = begin(app, "bob@example.com")

    response = superuser.post(MANY, session=[second, third, "x", str(uuid.uuid4())], query="state=active")

    assert (response.status_code, response.headers["Location"]) == (303, "/admin/sessions/?state=active")
    assert "2 sessions were ended." in superuser.get(response.headers["Location"]).text
    assert first in active(app)
    assert active(app).isdisjoint({second, third})
    assert ended_events(app) == [(superuser.id, str(ada)), (superuser.id, str(bob))]


def test_no_session_ends_if_one_is_of_a_user_with_more_permissions(app: Flask, superuser: StaffClient) -> None:
    helper = staff_client(app, is_staff=True, permissions=["view_session", "delete_session"])
    make_user(app, email="ada@example.com")
    (session,) = begin(app, "ada@example.com")
    root = begin(app, superuser.email)[0]
    before = active(app)

    assert helper.post(MANY, session=[session, root]).status_code == 403
    assert active(app) == before
    assert helper.post(MANY, session=[session]).status_code == 303
    assert session not in active(app)


def test_viewing_sessions_is_not_enough_to_end_them(app: Flask) -> None:
    viewer = staff_client(app, is_staff=True, permissions=["view_session"])
    make_user(app, email="ada@example.com")
    (session,) = begin(app, "ada@example.com")

    assert viewer.post(MANY, session=session).status_code == 403
    assert session in active(app)
    assert 'name="session"' not in viewer.get("/admin/sessions/").text


@pytest.mark.parametrize("count", [0, 101])
def test_none_or_too_many_sessions_are_explained_and_none_ends(app: Flask, superuser: StaffClient, count: int) -> None:
    (session,) = begin(app, superuser.email, times=0)
    chosen = [session, *(str(uuid.uuid4()) for _number in range(count - 1))][:count]

    response = superuser.post(MANY, session=chosen)

    assert response.status_code == 303
    assert "Select between 1 and 100 sessions." in superuser.get("/admin/sessions/").text
    assert session in active(app)


def test_from_the_page_of_a_user_the_form_leads_back_to_it(app: Flask, superuser: StaffClient) -> None:
    user_id = make_user(app, email="ada@example.com")
    (session,) = begin(app, "ada@example.com")
    assert f'value="{session}"' in superuser.get(f"/admin/users/{user_id}/sessions/").text

    response = superuser.post(MANY, session=session, of_user=user_id)

    assert response.headers["Location"] == f"/admin/users/{user_id}/sessions/"


def test_sessions_are_found_by_the_email_or_the_id_of_the_user(app: Flask, superuser: StaffClient) -> None:
    user_id = make_user(app, email="ada@example.com")
    (session,) = begin(app, "ada@example.com")

    for text in ("ada@example.com", "ADA@example.com", str(user_id)):
        page = superuser.get("/admin/sessions/", query_string={"user": text}).text
        assert session in page
        assert superuser.email not in page.partition("<tbody>")[2].partition("</tbody>")[0]
    assert session not in superuser.get("/admin/sessions/?user=0").text
