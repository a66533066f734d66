"""Emails on the staff site: their headers and next attempt, and test emails."""

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from tests.support.factories import make_user
from tests.support.staff_client import StaffClient, staff_client
from userapi.core import clock
from userapi.core.db import db
from userapi.mail.models import EmailMessage

pytestmark = pytest.mark.both


@pytest.fixture
def boss(app: Flask) -> StaffClient:
    return staff_client(app, is_staff=True, is_superuser=True)


def stored(app: Flask, statement: str) -> list[dict[str, Any]]:
    with app.app_context():
        return [dict(row) for row in db.session.execute(sa.text(statement)).mappings()]


def queued_tests(app: Flask) -> list[dict[str, Any]]:
    return stored(app, "SELECT id, recipient, user_id FROM messages WHERE kind = 'test_email' ORDER BY id")


def test_the_page_of_an_email_shows_headers_next_attempt_and_the_last_error(make_app: Any) -> None:
    app = make_app(MAIL_SERVER="mail.example.com", MAIL_DELIVERY="none", MAIL_DEFAULT_SENDER="Büro <post@example.com>")
    boss = staff_client(app, is_staff=True, is_superuser=True)
    due = clock.now().replace(microsecond=0) + timedelta(minutes=7)
    with app.app_context():
        email = EmailMessage(
            created_at=clock.now(), kind="invitation", recipient="ada@bücher.example", subject="Grüße, ada",
            text="Hello s3cret", html="<p>Hello s3cret</p>", secret="s3cret", attempts=2, due_at=due,
            last_error="451 Try later",
        )  # fmt: skip
        db.session.add(email)
        db.session.commit()
        email_id, message_id = email.id, email.message_id

    text = boss.get(f"/admin/emails/{email_id}/").text

    for part in (
        "From: Büro &lt;post@example.com&gt;", "To: ada@xn--bcher-kva.example", "Subject: Grüße, ada",
        f"Message-ID: &lt;{message_id}@example.com&gt;", "Auto-Submitted: auto-generated",
        f"{due:%Y-%m-%d %H:%M:%S} UTC", "451 Try later", f"2 of {app.config['MAIL_MAX_ATTEMPTS']}",
    ):  # fmt: skip
        assert part in text, part
    assert "s3cret" not in text


def test_a_test_email_is_queued_recorded_and_shown(boss: StaffClient) -> None:
    form = boss.form("/admin/emails/test/")
    assert form["email"] == boss.email

    answer = boss.post("/admin/emails/test/", **form)

    (email,) = queued_tests(boss.app)
    assert (email["recipient"], email["user_id"]) == (boss.email, boss.id)
    assert answer.headers["Location"] == f"/admin/emails/{email['id']}/"
    assert f"A test email to {boss.email} was queued." in boss.get(answer.headers["Location"]).text
    (event,) = stored(boss.app, "SELECT actor_id, target_id, changes FROM audit_events WHERE action LIKE '%test_sent'")
    assert event == {"actor_id": boss.id, "target_id": str(email["id"]), "changes": None}


def test_a_second_click_sends_no_second_test_email(boss: StaffClient) -> None:
    form = boss.form("/admin/emails/test/")

    answers = [boss.post("/admin/emails/test/", **form) for _click in range(2)]

    assert [answer.status_code for answer in answers] == [303, 303]
    assert len(queued_tests(boss.app)) == 1


def test_a_test_email_to_a_user_is_deleted_with_the_user(boss: StaffClient) -> None:
    user_id = make_user(boss.app, email="ada@example.com")
    boss.post("/admin/emails/test/", email="Ada@Example.com")
    assert [email["user_id"] for email in queued_tests(boss.app)] == [user_id]

    assert boss.post(f"/admin/users/{user_id}/delete/").status_code == 303

    assert queued_tests(boss.app) == []


@pytest.mark.parametrize("recipient", ["", "ada", "a@b@c", "ada@example.com\nBcc: eve@example.com"])
def test_an_invalid_recipient_is_explained_beside_the_field(boss: StaffClient, recipient: str) -> None:
    answer = boss.post("/admin/emails/test/", email=recipient)

    assert answer.status_code == 400
    assert 'id="email-error"' in answer.text or "aria-invalid" in answer.text
    assert queued_tests(boss.app) == []


def test_a_test_email_needs_the_permission_to_add_emails(app: Flask) -> None:
    reader = staff_client(app, is_staff=True, permissions=["view_email", "change_email"])
    sender = staff_client(app, is_staff=True, permissions=["add_email"])

    assert reader.get("/admin/emails/test/").status_code == 403
    assert reader.post("/admin/emails/test/", email=reader.email).status_code == 403
    assert "/admin/emails/test/" not in reader.get("/admin/emails/").text
    assert sender.get("/admin/emails/test/").status_code == 200
    assert sender.post("/admin/emails/test/", email=sender.email).headers["Location"] == "/admin/emails/test/"
    assert len(queued_tests(app)) == 1
