"""What a session stores about its beginning: the way, the proofs of identity and their time."""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from tests.support.api_client import ApiUser, sign_in
from tests.support.email_inbox import emails_to
from tests.support.factories import PASSWORD, make_account, new_user
from tests.support.forged_tokens import accepted_tokens, forge_token, get_own_user, read_claims, refresh_session
from tests.support.form_browser import FormBrowser
from tests.support.sql import execute_sql, fetch_rows
from userapi.audit.models import AuditEvent
from userapi.core.db import db
from userapi.invitations import sending
from userapi.invitations.sending import NewInvitation


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
        sending.send(NewInvitation("invited@example.com"), by=None)
        db.session.commit()
    link = emails_to(app, "invited@example.com", "invitation")[-1].link.partition("example.com")[2]
    browser = FormBrowser(app)
    form = browser.get(link).headers["Location"]
    assert browser.send(form, {"password": PASSWORD}).status_code == 303


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


def test_access_tokens_state_level_proofs_and_time(app: Flask, user: ApiUser) -> None:
    (proved_at,) = fetch_rows(app, "SELECT proved_at FROM login_sessions")[0]
    seconds = int(datetime.fromisoformat(str(proved_at)).replace(tzinfo=UTC).timestamp())

    first = read_claims(user.tokens["access_token"])
    execute_sql(app, "UPDATE login_sessions SET amr = 'pwd otp mfa'")
    renewed = read_claims(refresh_session(user.client, user.tokens["refresh_token"]).get_json()["access_token"])

    assert (first["acr"], first["amr"], first["auth_time"]) == ("aal1", ["pwd"], seconds)
    assert (renewed["acr"], renewed["amr"], renewed["auth_time"]) == ("aal2", ["pwd", "otp", "mfa"], seconds)


def test_S35_claims_of_another_form_are_rejected_and_missing_ones_are_not(
    client: FlaskClient, user: ApiUser, key_folder: str
) -> None:
    claims = read_claims(user.tokens["access_token"])
    wrong = {"acr": ("aal3", "", None, 2, ["aal2"]), "auth_time": ("0", -1, 1.5, None, True, 10**15)}
    tokens = {
        f"{name} {value!r}": forge_token(key_folder, claims | {name: value})
        for name, values in wrong.items()
        for value in values
    }
    of_an_earlier_version = {name: value for name, value in claims.items() if name not in ("acr", "amr", "auth_time")}

    assert accepted_tokens(client, tokens) == {}
    assert get_own_user(client, forge_token(key_folder, of_an_earlier_version)).status_code == 200
