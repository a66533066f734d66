"""Sessions, emails, the audit log and the overview on the staff site."""

import re
import uuid
from datetime import timedelta
from html import unescape

import pytest
import sqlalchemy as sa
from flask import Flask

from tests.support.factories import make_user
from tests.support.staff_client import StaffClient, staff_client
from userapi.audit.names import ACTIONS, TARGETS
from userapi.core import clock
from userapi.core.db import db

pytestmark = pytest.mark.both


@pytest.fixture
def superuser(app: Flask) -> StaffClient:
    return staff_client(app, is_staff=True, is_superuser=True)


def test_R19_staff_end_a_session_and_its_next_request_fails(superuser: StaffClient) -> None:
    victim, other = staff_client(superuser.app), staff_client(superuser.app)
    with superuser.app.app_context():
        found = db.session.scalar(sa.text("SELECT id FROM login_sessions WHERE user_id = :id"), {"id": victim.id})
    assert (
        victim.email in superuser.get("/admin/sessions/", query_string={"user": victim.email, "state": "active"}).text
    )

    response = superuser.post(f"/admin/sessions/{uuid.UUID(str(found))}/end/", query=f"user={victim.email}")

    assert response.headers["Location"] == f"/admin/sessions/?user={victim.email}"
    assert victim.get("/account/").status_code == 303
    assert other.get("/account/").status_code == 200
    assert (
        victim.email not in superuser.get(response.headers["Location"] + "&state=active").text.partition("<tbody>")[2]
    )


def test_only_superusers_end_sessions_of_superusers(superuser: StaffClient) -> None:
    watcher = staff_client(superuser.app, is_staff=True, permissions=("view_session", "delete_session"))
    with superuser.app.app_context():
        found = db.session.scalar(sa.text("SELECT id FROM login_sessions WHERE user_id = :id"), {"id": superuser.id})

    assert watcher.post(f"/admin/sessions/{uuid.UUID(str(found))}/end/").status_code == 403
    assert superuser.get("/admin/").status_code == 200


def test_the_list_of_sessions_is_paginated(superuser: StaffClient) -> None:
    with superuser.app.app_context():
        now = clock.now()
        one = db.session.execute(
            sa.text("SELECT session_version FROM users WHERE id = :id"), {"id": superuser.id}
        ).scalar()
        statement = sa.text(
            "INSERT INTO login_sessions (id, user_id, session_version, refresh_jti, refreshed_at, created_at,"
            " last_used_at, expires_at) VALUES (:id, :user, :version, :id, :now, :now, :now, :end)"
        ).bindparams(sa.bindparam("id", type_=sa.Uuid), sa.bindparam("now", type_=sa.DateTime(timezone=True)),
                     sa.bindparam("end", type_=sa.DateTime(timezone=True)))  # fmt: skip
        end = now + timedelta(days=1)
        rows = [{"id": uuid.uuid4(), "user": superuser.id, "version": one, "now": now, "end": end} for _n in range(70)]
        db.session.execute(statement, rows)
        db.session.commit()

    first = superuser.get("/admin/sessions/").text
    following = first.partition('rel="next" href="?')[2].partition('"')[0].replace("&amp;", "&")
    second = superuser.get(f"/admin/sessions/?{following}").text

    assert (first.count('<th scope="row">'), second.count('<th scope="row">')) == (50, 21)


def test_A08_an_email_is_shown_without_the_secret_of_its_link(superuser: StaffClient) -> None:
    user_id = make_user(superuser.app)
    superuser.post("/admin/users/act/", action="send_reset", user=user_id, confirmed="1")
    with superuser.app.app_context():
        message, secret = db.session.execute(sa.text("SELECT id, secret FROM messages WHERE secret IS NOT NULL")).one()

    page, email = superuser.get(f"/admin/emails/{message}/"), superuser.get(f"/admin/emails/{message}/html/")

    assert "/reset/" in page.text
    assert "/reset/" in email.text
    assert secret not in page.text + email.text + superuser.get("/admin/emails/").text
    assert 'sandbox=""' in page.text


def test_an_email_is_sandboxed_in_its_frame(superuser: StaffClient) -> None:
    superuser.post("/admin/users/act/", action="send_reset", user=make_user(superuser.app), confirmed="1")
    with superuser.app.app_context():
        message = db.session.scalar(sa.text("SELECT max(id) FROM messages"))
        db.session.execute(
            sa.text("UPDATE messages SET html = '<script>alert(1)</script>' WHERE id = :id"), {"id": message}
        )
        db.session.commit()

    response = superuser.get(f"/admin/emails/{message}/html/")
    policy = response.headers["Content-Security-Policy"]

    assert policy.startswith("sandbox; default-src 'none'")
    assert "script-src" not in policy
    assert "frame-ancestors 'self'" in policy
    assert response.headers["X-Frame-Options"] == "SAMEORIGIN"
    assert "frame-src 'self'" in superuser.get(f"/admin/emails/{message}/").headers["Content-Security-Policy"]


def test_a_failed_email_can_be_retried_and_a_sent_one_cannot(superuser: StaffClient) -> None:
    superuser.post("/admin/users/act/", action="send_reset", user=make_user(superuser.app), confirmed="1")

    def after(change: str) -> bool:
        with superuser.app.app_context():
            message = db.session.scalar(sa.text("SELECT max(id) FROM messages"))
            db.session.execute(sa.text(f"UPDATE messages SET due_at = NULL, {change}"))
            db.session.commit()
        assert superuser.post(f"/admin/emails/{message}/retry/").status_code == 303
        with superuser.app.app_context():
            return db.session.scalar(sa.text("SELECT due_at FROM messages WHERE id = :id"), {"id": message}) is not None

    assert after("given_up_at = created_at, attempts = 20")
    assert (
        "message.retried"
        in superuser.get("/admin/audit/?kind=message&target=1").text + superuser.get("/admin/audit/").text
    )
    assert not after("given_up_at = NULL, sent_at = created_at")


def test_emails_are_filtered_by_state_recipient_and_kind(superuser: StaffClient) -> None:
    user_id = make_user(superuser.app, email="reader@example.com")
    superuser.post("/admin/users/act/", action="send_reset", user=user_id, confirmed="1")

    def found(query: str) -> bool:
        return "reader@example.com" in superuser.get(f"/admin/emails/?{query}").text.partition("<tbody>")[2]

    assert found("state=due&recipient=reader&kind=reset_password")
    assert not found("state=sent")
    assert not found("recipient=other")
    assert not found("kind=verify_email")
    assert not found("recipient=%25")


def test_the_audit_log_is_filtered_by_actor_target_action_and_date(superuser: StaffClient) -> None:
    user_id = make_user(superuser.app, email="target@example.com")
    superuser.post("/admin/users/act/", action="deactivate", user=user_id, confirmed="1")
    day = clock.today()

    def found(query: str) -> bool:
        return "user.deactivated" in superuser.get(f"/admin/audit/?{query}").text.partition("<tbody>")[2]

    assert found(f"actor={superuser.email}&target=target@example.com&action=user.deactivated&since={day}&until={day}")
    assert found(f"actor={superuser.id}&target={user_id}")
    assert not found("actor=target@example.com")
    assert not found("actor=unknown@example.com")
    assert not found(f"target={superuser.id}")
    assert found("kind=user")
    assert not found("kind=group")
    assert not found(f"kind=group&target={user_id}")
    assert found("origin=web&action=user.deactivated")
    assert not found("origin=cli")
    assert not found("action=group.created")
    assert not found("action=user.")
    assert not found(f"since={day + timedelta(days=1)}")
    assert not found(f"until={day - timedelta(days=1)}")


def test_the_audit_log_cannot_be_changed(superuser: StaffClient) -> None:
    for path in ("/admin/audit/", "/admin/audit/1/", "/admin/audit/delete/"):
        assert superuser.post(path).status_code in (404, 405)


def test_the_overview_shows_each_chart_with_a_table_of_its_numbers(superuser: StaffClient) -> None:
    text = superuser.get("/admin/").text

    for title in ("New users", "Sign-ins", "Failed sign-ins", "Emails sent"):
        assert f'aria-label="{title}: ' in text
        assert f'<th scope="col" class="number">{title}</th>' in text
    assert f'<th scope="row">{clock.today()}</th><td class="number">1</td>' in text


def test_the_overview_counts_as_many_new_users_as_the_list_shows(app: Flask, superuser: StaffClient) -> None:
    seeded = app.test_cli_runner().invoke(args=["users", "seed", "300", "--locale", "en", "--random-seed", "1"])
    assert seeded.exit_code == 0, seeded.output
    page = superuser.get("/admin/").text

    drawn = int(re.search(r'aria-label="New users: ([\d,]+) in 30 days', page)[1].replace(",", ""))  # type: ignore[index]
    (link,) = re.findall(r'<a href="(/admin/users/[^"]*joined_from=[^"]*)"', page)

    listed, path = 0, unescape(link)
    while path:
        text = superuser.get(path).text
        listed += text.partition("<tbody>")[2].count("<tr")
        following = re.search(r'rel="next" href="([^"]*)"', text)
        path = f"/admin/users/{unescape(following[1])}" if following else ""
    assert drawn == listed
    assert drawn > 1  # the seeded accounts, not only the one that signed in
    assert "including imported and seeded users" in page


def test_the_overview_shows_only_what_the_permissions_allow(app: Flask) -> None:
    without_permissions = staff_client(app, is_staff=True)
    reader = staff_client(app, is_staff=True, permissions=("view_user",))

    assert "New users" in reader.get("/admin/").text
    for hidden in ("Sign-ins", "Emails sent", "Recent activity"):
        assert hidden not in reader.get("/admin/").text
    assert "New users" not in without_permissions.get("/admin/").text


def test_the_audit_log_filters_list_every_action_and_kind_of_target(superuser: StaffClient) -> None:
    page = superuser.get("/admin/audit/?kind=import&action=import.started").text

    actions = page.partition('id="action"')[2].partition("</select>")[0]
    kinds = page.partition('id="kind"')[2].partition("</select>")[0]
    assert set(re.findall(r'value="([a-z_.]+)"', actions)) == set(ACTIONS)
    assert re.findall(r'value="([a-z_.]+)" selected', actions) == ["import.started"]
    assert set(re.findall(r'value="([a-z]+)"', kinds)) == set(TARGETS)
    assert re.findall(r"selected>([^<]+)", kinds) == ["Import"]
