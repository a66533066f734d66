"""Superusers can open the link of an unsent email, but only in development."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa
from flask import Flask

from tests.support.email_inbox import all_emails
from tests.support.factories import make_user
from tests.support.staff_client import StaffClient, staff_client
from userapi.core.db import db

LOCAL = {"SITE_URL": "http://127.0.0.1:8000"}


def request_reset(app: Flask) -> tuple[str, str]:
    """Request a password reset; return the path of the email on the staff site and its link."""
    make_user(app, email="ada@example.com")
    app.test_client().post("/userapi/auth/password/reset/", json={"email": "ada@example.com"})
    (email,) = all_emails(app, "reset_password")
    with app.app_context():
        message_id = db.session.scalar(sa.text("SELECT max(id) FROM messages WHERE kind = 'reset_password'"))
    site = app.config["FRONTEND_URL"] or app.config["SITE_URL"]
    return f"/admin/emails/{message_id}/", f"{site}/reset/{email.uid}/{email.token}/"


def sign_in_superuser(app: Flask) -> StaffClient:
    return staff_client(app, email="root@example.com", is_staff=True, is_superuser=True)


def opened(app: Flask) -> list[int]:
    """The ids of the users who opened a link, from the audit log."""
    with app.app_context():
        statement = sa.text("SELECT actor_id FROM audit_events WHERE action = 'message.link_opened'")
        return list(db.session.scalars(statement))


@pytest.mark.parametrize("front_end", ["", "http://localhost:5173"])
def test_a_superuser_opens_the_link_and_the_audit_log_shows_it(make_app: Callable[..., Flask], front_end: str) -> None:
    app = make_app(**LOCAL, FRONTEND_URL=front_end)
    page, link = request_reset(app)
    root = sign_in_superuser(app)

    shown = root.get(page)
    response = root.post(f"{page}link/")

    assert "Open link" in shown.text
    assert link not in shown.text
    origin = "/".join(link.split("/")[:3])
    assert f"form-action 'self' {origin};" in shown.headers["Content-Security-Policy"]
    assert (response.status_code, response.headers["Location"]) == (303, link)
    assert opened(app) == [root.id]


@pytest.mark.parametrize(
    "settings",
    [
        {"SITE_URL": "https://accounts.example.com"},
        {"SITE_URL": "http://192.0.2.7:8000"},
        {"MAIL_SERVER": "127.0.0.1"},
    ],
)
def test_no_one_can_open_the_link_outside_development(make_app: Callable[..., Flask], settings: dict[str, str]) -> None:
    app = make_app(**LOCAL)
    page, _link = request_reset(app)
    root = sign_in_superuser(app)
    app.config |= settings

    assert "Open link" not in root.get(page).text
    assert root.post(f"{page}link/").status_code == 404
    assert opened(app) == []


def test_other_staff_can_neither_see_nor_open_the_link(make_app: Callable[..., Flask]) -> None:
    app = make_app(**LOCAL)
    page, _link = request_reset(app)
    helper = staff_client(app, is_staff=True, permissions=("view_email", "change_email"))

    assert "Open link" not in helper.get(page).text
    assert helper.post(f"{page}link/").status_code == 403
    assert opened(app) == []


def test_opening_the_link_requires_a_csrf_token(make_app: Callable[..., Flask]) -> None:
    app = make_app(**LOCAL)
    page, _link = request_reset(app)
    root = sign_in_superuser(app)

    assert root.post(f"{page}link/", csrf=False).status_code == 403
    assert root.get(f"{page}link/").status_code == 303
    assert opened(app) == []
