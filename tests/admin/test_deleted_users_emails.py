"""Emails belong to an account and are deleted only with that account."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask_migrate import downgrade, upgrade

from tests.support.api_client import ApiUser, sign_in
from tests.support.email_inbox import all_emails, emails_to
from tests.support.factories import PASSWORD, make_user, new_user
from tests.support.sql import execute_sql, fetch_rows
from tests.support.staff_client import StaffClient, staff_client
from userapi.core.db import db
from userapi.mail import emails as written
from userapi.mail.emails import Recipient

pytestmark = pytest.mark.both

EMAIL = "wanted@example.com"


def over_api(app: Flask, superuser: StaffClient, user_id: int) -> None:
    tokens = sign_in(app, superuser.email)
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    assert app.test_client().delete(f"/userapi/users/{user_id}/", headers=headers).status_code == 204


def on_staff_site(app: Flask, superuser: StaffClient, user_id: int) -> None:
    assert superuser.post(f"/admin/users/{user_id}/delete/").status_code == 303


def by_command(app: Flask, superuser: StaffClient, user_id: int) -> None:
    email = fetch_rows(app, f"SELECT email FROM users WHERE id = {user_id}")[0].email
    assert app.test_cli_runner().invoke(args=["users", "delete", email, "--yes"]).exit_code == 0


DELETIONS: dict[str, Callable[[Flask, StaffClient, int], None]] = {
    "API": over_api,
    "staff site": on_staff_site,
    "command line": by_command,
}


@pytest.mark.parametrize("way", DELETIONS)
def test_deleting_a_user_keeps_the_emails_of_another_user_with_that_email_address(
    app: Flask, user: ApiUser, way: str
) -> None:
    superuser = staff_client(app, is_staff=True, is_superuser=True)
    requested = user.post("/userapi/auth/email/change/", json={"email": EMAIL, "password": PASSWORD})
    assert requested.status_code == 202
    other = app.test_client()
    assert other.post("/userapi/users/", json=new_user(email=EMAIL)).status_code == 201
    assert other.post("/userapi/auth/password/reset/", json={"email": EMAIL}).status_code == 200
    kinds = [email.kind for email in all_emails(app) if email.recipient == EMAIL]
    assert kinds == ["confirm_new_email", "verify_email", "reset_password"]

    DELETIONS[way](app, superuser, user.id)

    kinds_left = [email.kind for email in all_emails(app) if email.recipient == EMAIL]
    assert kinds_left == ["verify_email", "reset_password"]


def test_deleting_a_user_deletes_all_their_emails_whatever_the_recipient(
    app: Flask, user: ApiUser, staff: ApiUser
) -> None:
    for email in ("second@example.com", "third@example.com"):
        assert staff.patch(user.url, json={"email": email}).status_code == 200
    assert {sent_email.recipient for sent_email in all_emails(app)} >= {
        user.email,
        "second@example.com",
        "third@example.com",
    }

    assert staff.delete(user.url).status_code == 204

    assert [sent_email.recipient for sent_email in all_emails(app)] == []


KINDS = {
    "verify_email", "confirm_new_email", "email_changed", "reset_password", "invitation", "password_changed",
    "new_sign_in", "token_reused", "rights_granted",
}  # fmt: skip


def test_every_kind_of_email_is_stored_with_its_account(app: Flask, superuser: ApiUser) -> None:
    first_superuser, client = staff_client(app, is_staff=True, is_superuser=True), app.test_client()
    client.post("/userapi/users/", json=new_user(email="eve@example.com"))
    tokens = sign_in(app, "eve@example.com")
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    change: dict[str, Any] = {"email": EMAIL, "password": PASSWORD}
    client.post("/userapi/auth/email/change/", json=change, headers=bearer)
    (link,) = [email for email in all_emails(app) if email.kind == "confirm_new_email"]
    client.post("/userapi/auth/email/verify/", json={"token": link.token})
    client.post("/userapi/auth/password/reset/", json={"email": EMAIL})
    new = "harbour lantern 42 quiet"
    body = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
    client.post("/userapi/auth/password/change/", json=body, headers=bearer)
    client.post(
        "/api-token-auth/", json={"email": EMAIL, "password": new}, headers={"User-Agent": "Other/1"},
        environ_overrides={"REMOTE_ADDR": "203.0.113.9"},
    )  # fmt: skip
    app.config["REFRESH_REUSE_WINDOW"] = 0
    for _time in range(3):
        client.post("/api-token-refresh/", json={"refresh_token": tokens["refresh_token"]})
    first_superuser.post("/admin/invitations/new/", email="guest@example.com", language="en")
    invitation = emails_to(app, "guest@example.com", "invitation")[0].token
    accepted = client.post("/userapi/auth/invitations/accept/", json={"token": invitation, "password": PASSWORD})
    guest = accepted.get_json()["id"]
    superuser.patch(f"/userapi/users/{guest}/", json={"is_staff": True})

    stored = fetch_rows(app, "SELECT kind, user_id FROM messages")

    assert {row.kind for row in stored} == KINDS
    assert [row.kind for row in stored if row.user_id is None] == []


def test_the_migration_assigns_stored_emails_where_the_account_is_certain(bare_app: Flask) -> None:
    with bare_app.app_context():
        upgrade()
    holder = make_user(bare_app, email=EMAIL)
    waiting = [make_user(bare_app, email=f"waiting{number}@example.com") for number in range(3)]
    execute_sql(bare_app, "UPDATE users SET pending_email = :email WHERE id IN (:one)", email=EMAIL, one=waiting[0])
    for number in (1, 2):
        execute_sql(bare_app, "UPDATE users SET pending_email = 'two@example.com' WHERE id = :id", id=waiting[number])
    with bare_app.app_context():
        for recipient in (EMAIL, "two@example.com"):
            written.send_email_change_confirmation(Recipient(email=recipient), link="", secret="")
            written.send_password_reset(Recipient(email=recipient), link="", secret="", minutes=60)
        db.session.commit()
        downgrade(revision="0012")

        upgrade()

    found = {(row.kind, row.recipient): row.user_id for row in fetch_rows(bare_app, "SELECT * FROM messages")}
    assert found == {
        ("confirm_new_email", EMAIL): waiting[0],
        ("reset_password", EMAIL): holder,
        ("confirm_new_email", "two@example.com"): None,
        ("reset_password", "two@example.com"): None,
    }
