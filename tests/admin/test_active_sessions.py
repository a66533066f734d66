"""One definition of an active session: wherever sessions are accepted, shown or counted, however they end."""

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

#: Where the session that ends was begun, and no other.
ADDRESS = "192.0.2.99"


@dataclass
class Case:
    """A user with one session, and a superuser at the staff site."""

    app: Flask
    boss: StaffClient
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

    def owner(self) -> FormBrowser | None:
        """The user, signed in again at the pages; None when that is no longer possible."""
        browser = FormBrowser(self.app)
        return browser if browser.sign_in(self.email, self.password).status_code == 303 else None

    def rows(self, state: str) -> list[str]:
        """The sessions of the user in the staff site's list."""
        page = self.boss.get("/admin/sessions/", query_string={"user": self.email, "state": state}).text
        return re.findall(r"<tr><th scope=\"row\">.*?</tr>", page, re.DOTALL)


@pytest.fixture
def case(app: Flask) -> Case:
    boss = staff_client(app, is_staff=True, is_superuser=True)
    email = str(new_user()["email"])
    user_id = make_user(app, email=email)
    answer = app.test_client().post(
        "/api-token-auth/",
        json={"email": email, "password": PASSWORD},
        environ_overrides={"REMOTE_ADDR": ADDRESS},
    )
    return Case(app, boss, user_id, email, answer.get_json())


# --- How sessions end -----------------------------------------------------------------------------------------


def logout(case: Case) -> None:
    assert case.app.test_client().post("/userapi/auth/logout/", headers=case.headers).status_code == 200


def ended_elsewhere(case: Case) -> None:
    other = {"Authorization": f"Bearer {sign_in(case.app, case.email)['access_token']}"}
    assert case.app.test_client().delete("/userapi/auth/sessions/", headers=other).status_code == 204


def ended_by_staff(case: Case) -> None:
    (row,) = case.rows("active")
    found = re.search(r'action="(/admin/sessions/[^"]+/end/)"', row)
    assert found is not None
    assert case.boss.post(found[1]).status_code == 303


def password_set_by_staff(case: Case) -> None:
    passwords = {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD}
    answer = case.boss.post(f"/admin/users/{case.id}/password/", **passwords, own_password=PASSWORD)
    assert answer.status_code == 303, answer.text
    case.password = NEW_PASSWORD


def password_set_at_the_shell(case: Case) -> None:
    case.command("users", "set-password", case.email, "--password-stdin")
    case.password = NEW_PASSWORD


def password_reset_by_its_link(case: Case) -> None:
    client = case.app.test_client()
    client.post("/userapi/auth/password/reset/", json={"email": case.email})
    letter = emails_to(case.app, case.email, "reset_password")[-1]
    link = {"uid": letter.uid, "token": letter.token}
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
    form = case.boss.form(f"/admin/users/{case.id}/")
    del form["is_active"]
    assert case.boss.post(f"/admin/users/{case.id}/", **form).status_code == 303


def ended_for_everybody(case: Case) -> None:
    case.command("sessions", "end-all", "--yes")
    case.boss = staff_client(case.app, is_staff=True, is_superuser=True)


def deletion(case: Case) -> None:
    assert case.boss.post(f"/admin/users/{case.id}/delete/", own_password=PASSWORD).status_code == 303


ENDS = (
    logout, ended_elsewhere, ended_by_staff, password_set_by_staff, password_set_at_the_shell,
    password_reset_by_its_link, idle, expired, surplus, reused_refresh_token, account_version, deactivation,
    ended_for_everybody, deletion,
)  # fmt: skip


def _update(app: Flask, **values: Any) -> None:
    """Change the session that ends, past the front door."""
    with app.app_context():
        db.session.execute(sa.update(Session).where(Session.address == ADDRESS).values(values))
        db.session.commit()


# --- Where they are accepted, shown and counted -----------------------------------------------------------------


def opinions(case: Case) -> dict[str, bool]:
    """Whether each of the places takes the session for active; those that can only be seen signed in, if possible."""
    client, found = case.app.test_client(), {}
    listed = {state: [row for row in case.rows(state) if ADDRESS in row] for state in ("", "active", "ended")}
    found["staff list of active ones"] = bool(listed["active"])
    found["staff list of ended ones"] = bool(listed[""]) and not listed["ended"]
    found["staff list, button"] = any("/end/" in row for row in listed[""])
    others = len(case.rows("active")) - len(listed["active"])
    counted = re.search(r"<strong>(\d+)</strong> active sessions", case.boss.get("/admin/").text)
    assert counted is not None
    found["overview"] = int(counted[1]) - others == 2  # the other is of the superuser
    going = re.search(r"Active sessions: <strong>(\d+)</strong>", case.boss.get(f"/admin/users/{case.id}/delete/").text)
    found["page that deletes"] = going is not None and int(going[1]) - others == 1
    owner = case.owner()
    if owner is not None:
        found["account page"] = ADDRESS in owner.get("/account/").text
        found["list of the API"] = ADDRESS in owner.client.get("/userapi/auth/sessions/").text
    everywhere = {"refresh_token": case.tokens["refresh_token"], "all": True}
    found["gate"] = client.get("/userapi/auth/user/", headers=case.headers).status_code == 200
    token = {"token": case.tokens["access_token"]}
    found["verification"] = client.post("/api-token-verify/", json=token).status_code == 200
    refresh = {"refresh_token": case.tokens["refresh_token"]}
    found["refresh"] = client.post("/api-token-refresh/", json=refresh).status_code == 200
    found["logout of all"] = client.post("/userapi/auth/logout/", json=everywhere).status_code == 200
    return found


def test_every_place_takes_a_session_that_has_not_ended_for_active(case: Case) -> None:
    found = opinions(case)

    assert len(found) == 11, found
    assert [place for place, is_active in found.items() if not is_active] == []


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.__name__)
def test_no_place_takes_an_ended_session_for_active(case: Case, end: Callable[[Case], None]) -> None:
    end(case)

    assert [place for place, is_active in opinions(case).items() if is_active] == []


def test_sessions_that_are_not_active_do_not_count_as_surplus(case: Case) -> None:
    account_version(case)
    case.app.config["SESSIONS_PER_USER"] = 2
    kept = [sign_in(case.app, case.email) for _ in range(2)]
    execute_sql(
        case.app, "UPDATE login_sessions SET last_used_at = expires_at WHERE address = :address", address=ADDRESS
    )

    kept.append(sign_in(case.app, case.email))

    client = case.app.test_client()
    statuses = [
        client.get("/userapi/auth/user/", headers={"Authorization": f"Bearer {pair['access_token']}"}).status_code
        for pair in kept
    ]
    assert statuses == [401, 200, 200]
