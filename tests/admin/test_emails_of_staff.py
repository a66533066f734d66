"""Emails on the staff site: their headers and next attempt, and test emails."""

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from tests.support.factories import make_user
from tests.support.mailed_codes import code_in, newest_email, request_code, token_in
from tests.support.sql import fetch_number
from tests.support.staff_client import StaffClient, staff_client
from userapi.core import clock
from userapi.core.db import db
from userapi.mail.models import EmailMessage

pytestmark = pytest.mark.both


@pytest.fixture
def superuser(app: Flask) -> StaffClient:
    return staff_client(app, is_staff=True, is_superuser=True)


def stored(app: Flask, statement: str) -> list[dict[str, Any]]:
    with app.app_context():
        return [dict(row) for row in db.session.execute(sa.text(statement)).mappings()]


def queued_tests(app: Flask) -> list[dict[str, Any]]:
    return stored(app, "SELECT id, recipient, user_id FROM messages WHERE kind = 'test_email' ORDER BY id")


def test_the_page_of_an_email_shows_headers_next_attempt_and_the_last_error(make_app: Any) -> None:
    app = make_app(MAIL_SERVER="mail.example.com", MAIL_DELIVERY="none", MAIL_DEFAULT_SENDER="Büro <post@example.com>")
    superuser = staff_client(app, is_staff=True, is_superuser=True)
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

    text = superuser.get(f"/admin/emails/{email_id}/").text

    for part in (
        "From: Büro &lt;post@example.com&gt;", "To: ada@xn--bcher-kva.example", "Subject: Grüße, ada",
        f"Message-ID: &lt;{message_id}@example.com&gt;", "Auto-Submitted: auto-generated",
        f"{due:%Y-%m-%d %H:%M:%S} UTC", "451 Try later", f"2 of {app.config['MAIL_MAX_ATTEMPTS']}",
    ):  # fmt: skip
        assert part in text, part
    assert "s3cret" not in text


def test_a_test_email_is_queued_recorded_and_shown(superuser: StaffClient) -> None:
    form = superuser.form("/admin/emails/test/")
    assert form["email"] == superuser.email

    response = superuser.post("/admin/emails/test/", **form)

    (email,) = queued_tests(superuser.app)
    assert (email["recipient"], email["user_id"]) == (superuser.email, superuser.id)
    assert response.headers["Location"] == f"/admin/emails/{email['id']}/"
    assert f"A test email to {superuser.email} was queued." in superuser.get(response.headers["Location"]).text
    (event,) = stored(
        superuser.app, "SELECT actor_id, target_id, changes FROM audit_events WHERE action LIKE '%test_sent'"
    )
    assert event == {"actor_id": superuser.id, "target_id": str(email["id"]), "changes": None}


def test_a_second_click_sends_no_second_test_email(superuser: StaffClient) -> None:
    form = superuser.form("/admin/emails/test/")

    responses = [superuser.post("/admin/emails/test/", **form) for _click in range(2)]

    assert [response.status_code for response in responses] == [303, 303]
    assert len(queued_tests(superuser.app)) == 1


def test_a_test_email_to_a_user_is_deleted_with_the_user(superuser: StaffClient) -> None:
    user_id = make_user(superuser.app, email="ada@example.com")
    superuser.post("/admin/emails/test/", email="Ada@Example.com")
    assert [email["user_id"] for email in queued_tests(superuser.app)] == [user_id]

    assert superuser.post(f"/admin/users/{user_id}/delete/").status_code == 303

    assert queued_tests(superuser.app) == []


@pytest.mark.parametrize("recipient", ["", "ada", "a@b@c", "ada@example.com\nBcc: eve@example.com"])
def test_an_invalid_recipient_is_explained_beside_the_field(superuser: StaffClient, recipient: str) -> None:
    response = superuser.post("/admin/emails/test/", email=recipient)

    assert response.status_code == 400
    assert 'id="email-error"' in response.text or "aria-invalid" in response.text
    assert queued_tests(superuser.app) == []


def test_a_test_email_needs_the_permission_to_add_emails(app: Flask) -> None:
    reader = staff_client(app, is_staff=True, permissions=["view_email", "change_email"])
    sender = staff_client(app, is_staff=True, permissions=["add_email"])

    assert reader.get("/admin/emails/test/").status_code == 403
    assert reader.post("/admin/emails/test/", email=reader.email).status_code == 403
    assert "/admin/emails/test/" not in reader.get("/admin/emails/").text
    assert sender.get("/admin/emails/test/").status_code == 200
    assert sender.post("/admin/emails/test/", email=sender.email).headers["Location"] == "/admin/emails/test/"
    assert len(queued_tests(app)) == 1


def test_only_emails_with_a_token_say_that_it_is_hidden(superuser: StaffClient) -> None:
    """The token of a sent email is no longer stored, and replaced in the link."""
    app, note = superuser.app, "The secret token in the link is hidden here."
    link, facts = "http://accounts.example.com/reset/1/{}/", {"created_at": clock.now(), "recipient": "a@example.com"}

    def page(text: str, **more: Any) -> str:
        with app.app_context():
            email = EmailMessage(kind="reset_password", subject="Hello", text=text, html="<p></p>", **facts, **more)
            db.session.add(email)
            db.session.commit()
            email_id = email.id
        return superuser.get(f"/admin/emails/{email_id}/").text

    assert note in page(f"Open {link.format('s3cret')} now.", secret="s3cret")
    assert note in page(f"Open {link.format('…')} now.")
    assert note not in page("Your password was changed at http://accounts.example.com. More…")
    superuser.post("/admin/emails/test/", email="ada@example.com")
    assert note not in superuser.get(f"/admin/emails/{queued_tests(app)[-1]['id']}/").text


def test_E14_staff_do_not_see_the_code_in_an_email(superuser: StaffClient) -> None:
    superuser.app.config["SIGN_IN_BY_MAIL"] = "link"
    make_user(superuser.app, email="wren@example.com", email_verified=True)
    request_code(superuser.app, "wren@example.com")
    email = newest_email(superuser.app, "wren@example.com")
    code, token = code_in(email), token_in(email)
    path = f"/admin/emails/{fetch_number(superuser.app, 'SELECT max(id) FROM messages')}/"

    for page in (superuser.get(path), superuser.get(f"{path}html/")):
        assert page.status_code == 200
        assert code not in page.text
        assert token not in page.text
    assert "The code is hidden here" in superuser.get(path).text
