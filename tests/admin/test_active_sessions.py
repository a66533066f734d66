"""A session counts as active or ended in the same way wherever sessions are accepted, shown or counted."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from tests.support.api_client import sign_in
from tests.support.email_inbox import emails_to
from tests.support.factories import PASSWORD, make_user, new_user
from tests.support.form_browser import FormBrowser
from tests.support.sql import execute_sql
from tests.support.staff_client import NEW_PASSWORD, StaffClient, staff_client
from userapi.auth.models import Session
from userapi.core import clock
from userapi.core.db import db

pytestmark = pytest.mark.both

#: The IP address of the session under test and of no other session.
IP_ADDRESS = "192.0.2.99"


@dataclass
class Case:
    """A user with one session, and a superuser at the staff site."""

    app: Flask
    superuser: StaffClient
    id: int
    email: str
    tokens: dict[str, Any]
    password: str = PASSWORD

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens['access_token']}"}

    def command(self, *arguments: str) -> None:
        result = self.app.test_cli_runner().invoke(args=list(arguments), input=f"{NEW_PASSWORD}\n")
        assert result.exit_code == 0, result.output

    def sign_in_owner(self) -> FormBrowser | None:
        """Sign the user in again on the pages. Returns None if that is no longer possible."""
        browser = FormBrowser(self.app)
        return browser if browser.sign_in(self.email, self.password).status_code == 303 else None

    def rows(self, state: str) -> list[str]:
        """The sessions of the user in the staff site's list."""
        page = self.superuser.get("/admin/sessions/", query_string={"user": self.email, "state": state}).text
        return re.findall(r"<tr>(?:(?!</tr>).)*<th scope=\"row\">.*?</tr>", page, re.DOTALL)


@pytest.fixture
def case(app: Flask) -> Case:
    superuser = staff_client(app, is_staff=True, is_superuser=True)
    email = str(new_user()["email"])
    user_id = make_user(app, email=email)
    response = app.test_client().post(
        "/api-token-auth/",
        json={"email": email, "password": PASSWORD},
        environ_overrides={"REMOTE_ADDR": IP_ADDRESS},
    )
    return Case(app, superuser, user_id, email, response.get_json())


# --- How sessions end -----------------------------------------------------------------------------------------


def sign_out(case: Case) -> None:
    assert case.app.test_client().post("/userapi/auth/logout/", headers=case.headers).status_code == 200


def ended_elsewhere(case: Case) -> None:
    other = {"Authorization": f"Bearer {sign_in(case.app, case.email)['access_token']}"}
    assert case.app.test_client().delete("/userapi/auth/sessions/", headers=other).status_code == 204


def ended_by_staff(case: Case) -> None:
    (row,) = case.rows("active")
    found = re.search(r'action="(/admin/sessions/[^"]+/end/)"', row)
    assert found is not None
    assert case.superuser.post(found[1]).status_code == 303


def password_set_by_staff(case: Case) -> None:
    passwords = {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD}
    response = case.superuser.post(f"/admin/users/{case.id}/password/", **passwords, own_password=PASSWORD)
    assert response.status_code == 303, response.text
    case.password = NEW_PASSWORD


def password_set_by_command(case: Case) -> None:
    case.command("users", "set-password", case.email, "--password-stdin")
    case.password = NEW_PASSWORD


def password_reset_by_link(case: Case) -> None:
    client = case.app.test_client()
    client.post("/userapi/auth/password/reset/", json={"email": case.email})
    email = emails_to(case.app, case.email, "reset_password")[-1]
    link = {"uid": email.uid, "token": email.token}
    body = {**link, "new_password1": NEW_PASSWORD, "new_password2": NEW_PASSWORD}
    assert client.post("/userapi/auth/password/reset/confirm/", json=body).status_code == 200
    case.password = NEW_PASSWORD


def idle(case: Case) -> None:
    moment = clock.now() - timedelta(seconds=case.app.config["SESSION_IDLE_LIFETIME"] + 1)
    _update(case.app, last_used_at=moment)


def expired(case: Case) -> None:
    _update(case.app, expires_at=clock.now() - timedelta(seconds=1))


def surplus(case: Case) -> None:
    case.app.config["SESSIONS_PER_USER"] = 1
    sign_in(case.app, case.email)


def reused_refresh_token(case: Case) -> None:
    case.app.config["REFRESH_REUSE_WINDOW"] = 0
    client, body = case.app.test_client(), {"refresh_token": case.tokens["refresh_token"]}
    assert [client.post("/api-token-refresh/", json=body).status_code for _ in range(2)] == [200, 401]


def account_version(case: Case) -> None:
    execute_sql(case.app, "UPDATE users SET session_version = session_version + 1 WHERE id = :id", id=case.id)


def deactivation(case: Case) -> None:
    form = case.superuser.form(f"/admin/users/{case.id}/access/")
    del form["is_active"]
    assert case.superuser.post(f"/admin/users/{case.id}/access/", **form).status_code == 303


def ended_for_all_users(case: Case) -> None:
    case.command("sessions", "end-all", "--yes")
    case.superuser = staff_client(case.app, is_staff=True, is_superuser=True)


def deletion(case: Case) -> None:
    assert case.superuser.post(f"/admin/users/{case.id}/delete/", own_password=PASSWORD).status_code == 303


ENDS = (
    sign_out, ended_elsewhere, ended_by_staff, password_set_by_staff, password_set_by_command,
    password_reset_by_link, idle, expired, surplus, reused_refresh_token, account_version, deactivation,
    ended_for_all_users, deletion,
)  # fmt: skip


def _update(app: Flask, **values: Any) -> None:
    """Change the session under test directly in the database."""
    with app.app_context():
        db.session.execute(sa.update(Session).where(Session.address == IP_ADDRESS).values(values))
        db.session.commit()


# --- Where they are accepted, shown and counted -----------------------------------------------------------------


def places_showing_as_active(case: Case) -> dict[str, bool]:
    """Whether each place treats the session as active. Pages that require a sign-in are left out if it fails."""
    client, found = case.app.test_client(), {}
    listed = {state: [row for row in case.rows(state) if IP_ADDRESS in row] for state in ("", "active", "ended")}
    found["staff list of active ones"] = bool(listed["active"])
    found["staff list of ended ones"] = bool(listed[""]) and not listed["ended"]
    found["staff list, button"] = any("/end/" in row for row in listed[""])
    others = len(case.rows("active")) - len(listed["active"])
    counted = re.search(r"<strong>(\d+)</strong> active sessions?", case.superuser.get("/admin/").text)
    assert counted is not None
    found["overview"] = int(counted[1]) - others == 2  # the superuser has the other one
    deleted_with_user = re.search(
        r"Active sessions: <strong>(\d+)</strong>", case.superuser.get(f"/admin/users/{case.id}/delete/").text
    )
    found["page that deletes"] = deleted_with_user is not None and int(deleted_with_user[1]) - others == 1
    owner = case.sign_in_owner()
    if owner is not None:
        found["account page"] = IP_ADDRESS in owner.get("/account/devices/").text
        found["list of the API"] = IP_ADDRESS in owner.client.get("/userapi/auth/sessions/").text
    body = {"refresh_token": case.tokens["refresh_token"], "all": True}
    found["request to the API"] = client.get("/userapi/auth/user/", headers=case.headers).status_code == 200
    token = {"token": case.tokens["access_token"]}
    found["verification"] = client.post("/api-token-verify/", json=token).status_code == 200
    refresh = {"refresh_token": case.tokens["refresh_token"]}
    found["refresh"] = client.post("/api-token-refresh/", json=refresh).status_code == 200
    found["logout of all"] = client.post("/userapi/auth/logout/", json=body).status_code == 200
    return found


def test_an_active_session_counts_as_active_everywhere(case: Case) -> None:
    found = places_showing_as_active(case)

    assert len(found) == 11, found
    assert [place for place, is_active in found.items() if not is_active] == []


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.__name__)
def test_an_ended_session_counts_as_active_nowhere(case: Case, end: Callable[[Case], None]) -> None:
    end(case)

    assert [place for place, is_active in places_showing_as_active(case).items() if is_active] == []


def test_only_active_sessions_count_towards_the_limit_per_user(case: Case) -> None:
    account_version(case)
    case.app.config["SESSIONS_PER_USER"] = 2
    sessions = [sign_in(case.app, case.email) for _ in range(2)]
    execute_sql(
        case.app, "UPDATE login_sessions SET last_used_at = expires_at WHERE address = :address", address=IP_ADDRESS
    )

    sessions.append(sign_in(case.app, case.email))

    client = case.app.test_client()
    statuses = [
        client.get("/userapi/auth/user/", headers={"Authorization": f"Bearer {pair['access_token']}"}).status_code
        for pair in sessions
    ]
    assert statuses == [401, 200, 200]
