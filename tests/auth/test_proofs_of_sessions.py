"""What a session stores about its beginning: the way, the proofs of identity and their time."""

from typing import Any

import sqlalchemy as sa
from flask import Flask

from tests.support.api_client import sign_in
from tests.support.email_inbox import emails_to
from tests.support.factories import PASSWORD, make_account, new_user
from tests.support.form_browser import FormBrowser
from tests.support.sql import fetch_rows
from userapi.audit.models import AuditEvent
from userapi.auth import invitations
from userapi.core.db import db
from userapi.users import accounts


def begin_in_every_way(app: Flask) -> None:
    """Sign in at each door; set a first password by registering and by accepting an invitation."""
    email = make_account(app)
    sign_in(app, email)
    login = app.test_client().post("/userapi/auth/login/", json={"email": email, "password": PASSWORD})
    assert login.status_code == 200
    assert FormBrowser(app).sign_in(email).status_code == 303
    newcomer = {"email": str(new_user()["email"]), "password": PASSWORD}
    assert FormBrowser(app).send("/register/", newcomer).status_code == 303
    with app.app_context():
        user = accounts.create("invited@example.com", None)
        invitations.send_invitation(user)
        db.session.commit()
    link = emails_to(app, "invited@example.com", "invitation")[-1].link.partition("example.com")[2]
    browser = FormBrowser(app)
    form = browser.get(link).headers["Location"]
    passwords = {"new_password1": PASSWORD, "new_password2": PASSWORD}
    assert browser.send(form, passwords).status_code == 303


def changes_of_starts(app: Flask) -> list[dict[str, Any]]:
    """The changes of the events of sign-ins, oldest first."""
    with app.app_context():
        statement = sa.select(AuditEvent.changes).where(AuditEvent.action == "session.started").order_by(AuditEvent.id)
        return [dict(changes or {}) for changes in db.session.scalars(statement)]


def test_a_session_stores_how_it_began_and_when_the_identity_was_proved(app: Flask) -> None:
    begin_in_every_way(app)

    ways = [row.way for row in fetch_rows(app, "SELECT way FROM login_sessions ORDER BY created_at")]
    assert ways == ["password", "password", "password", "registration", "invitation"]
    rows = fetch_rows(app, "SELECT DISTINCT amr, for_set_up, proved_at = created_at AS alike FROM login_sessions")
    assert [(row.amr, bool(row.for_set_up), bool(row.alike)) for row in rows] == [("pwd", False, True)]


def test_the_event_of_a_sign_in_says_how_it_was_done(app: Flask) -> None:
    begin_in_every_way(app)

    assert [changes["way"] for changes in changes_of_starts(app)] == [
        [None, "password"], [None, "password"], [None, "password"], [None, "registration"], [None, "invitation"],
    ]  # fmt: skip
    assert {tuple(changes["amr"]) for changes in changes_of_starts(app)} == {(None, "pwd")}
