"""What staff can do while they act as a user, and when that ends."""

import re
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.support.email_delivery import clock_mover
from tests.support.factories import PASSWORD
from tests.support.impersonation import RunningImpersonation, actions, begin, own_id, sign_in_again, start, stop
from tests.support.sql import execute_sql, fetch_number, fetch_rows
from tests.support.staff_client import staff_client, stored_value
from tests.support.statement_counter import record_statements
from userapi.http.impersonating import Impersonating

PLACEHOLDER = re.compile(r"<(?:(\w+):)?\w+>")
VALUES = {"row_id": "1", "uuid": str(uuid.uuid4()), None: "google", "string": "google", "path": "x"}

#: What a member of staff can change as a user with IMPERSONATION_WRITES: names, language and profile.
WRITES = {
    "auth.replace_me", "auth.edit_me", "users.replace_user", "users.edit_user",
    "pages.edit_account", "pages.save_first_profile", "pages.complete_profile",
}  # fmt: skip
ENDS = {"auth.logout", "pages.sign_out_user", "impersonation.stop"}


def list_writes(app: Flask) -> list[tuple[str, str, str]]:
    """The endpoint, method and path of everything with an unsafe method."""
    return [
        (rule.endpoint, method, PLACEHOLDER.sub(lambda found: VALUES[found[1]], rule.rule))
        for rule in app.url_map.iter_rules()
        for method in sorted((rule.methods or set()) - {"GET", "HEAD", "OPTIONS"})
    ]


def read_code(response: TestResponse) -> Any:
    """The code of a problem; below `/oauth/` it is the description of the error."""
    body = response.get_json()
    return body.get("code", body.get("error_description"))


def count_rows(app: Flask) -> dict[str, int]:
    """The number of rows that a write could add."""
    tables = (
        "users",
        "api_keys",
        "totp_devices",
        "passkeys",
        "identities",
        "messages",
        "audit_events",
        "sign_in_codes",
    )
    return {table: fetch_number(app, f"SELECT count(*) FROM {table}") for table in tables}


def test_W70_only_marked_views_are_open_to_writes(app: Flask) -> None:
    marked = {name: getattr(view, "open_to_impersonation", None) for name, view in app.view_functions.items()}

    assert {name for name, mark in marked.items() if mark is Impersonating.WRITES} == WRITES
    assert {name for name, mark in marked.items() if mark is Impersonating.ENDS_IT} == ENDS


@pytest.mark.parametrize("may_write", [False, True])
def test_W70_everything_else_that_writes_is_rejected(make_app: Callable[..., Flask], may_write: bool) -> None:
    app = make_app(IMPERSONATION="true", IMPERSONATION_WRITES=str(may_write).lower())
    running, tried = begin(app), 0
    app.config["PROPAGATE_EXCEPTIONS"] = False
    before = count_rows(app)
    for endpoint, method, path in list_writes(app):
        view = app.view_functions[endpoint]
        is_open = endpoint in ENDS or (may_write and endpoint in WRITES)
        visitors = (
            hasattr(view, "open_to_visitors") or getattr(getattr(view, "access", None), "name", "") == "UNCHECKED"
        )
        is_for_clients = endpoint.startswith("openid.")  # they authenticate themselves, and no cookie is read
        if is_open or visitors or is_for_clients or endpoint.startswith("staff_"):
            continue
        response = running.act(method, path.replace("/1/", f"/{running.user.id}/"))
        assert (response.status_code, read_code(response)) == (403, "read_only_session"), (endpoint, path)
        tried += 1
    assert tried > 50
    assert count_rows(app) == before
    assert own_id(running.support) == running.user.id


def test_W70_the_staff_site_is_closed(app: Flask) -> None:
    running = begin(app, "change_user", "view_session", "view_event")

    for path in ("/admin/", "/admin/users/", f"/admin/users/{running.user.id}/", "/admin/audit/"):
        page = running.support.get(path)
        assert page.status_code == 403
        assert "The staff site is closed while you are signed in as a user." in page.text
        assert 'class="impersonation"' in page.text
    assert running.support.post("/admin/users/new/", email="x@example.com").status_code == 403
    assert running.act("GET", "/userapi/users/").status_code == 403


def test_W70_a_refused_form_gets_a_page_that_says_so(running: RunningImpersonation) -> None:
    page = running.support.post("/account/", first_name="Eve")

    assert page.status_code == 403
    assert "you can only look" in page.text
    assert 'class="impersonation"' in page.text
    assert stored_value(running.app, running.user.id, "first_name") == "Ada"


def test_W70_with_writes_the_profile_can_change_and_the_email_cannot(make_app: Callable[..., Flask]) -> None:
    app = make_app(IMPERSONATION="true", IMPERSONATION_WRITES="true")
    running = begin(app)

    renamed = running.act("PATCH", "/userapi/auth/user/", first_name="Eve")
    moved = running.act("PATCH", "/userapi/auth/user/", email="eve@example.com", current_password=PASSWORD)
    keys = running.act("POST", "/userapi/auth/keys/", name="Mine", scopes=["profile"])

    assert renamed.status_code == 200
    assert stored_value(app, running.user.id, "first_name") == "Eve"
    assert (moved.status_code, moved.get_json()["code"]) == (403, "read_only_session")
    assert stored_value(app, running.user.id, "pending_email") is None
    assert (keys.status_code, keys.get_json()["detail"]) == (
        403, "Only the user can do this. Stop to return to your own account.",
    )  # fmt: skip


def test_W70_downloads_and_pages_for_recent_proofs_are_closed(running: RunningImpersonation) -> None:
    app, user_id = running.app, running.user.id
    closed = [
        PLACEHOLDER.sub(lambda found: VALUES[found[1]], rule.rule)
        for rule in app.url_map.iter_rules()
        if "GET" in (rule.methods or ()) and getattr(app.view_functions[rule.endpoint], "fresh", False)
    ]

    assert "/userapi/auth/data/" in closed
    for path in closed:
        assert running.act("GET", path).status_code == 403, path
    assert fetch_number(app, "SELECT count(*) FROM audit_events WHERE action = 'user.data_exported'") == 0
    assert own_id(running.support) == user_id


def test_W70_the_token_is_no_bearer_token_and_has_no_refresh_token(running: RunningImpersonation) -> None:
    client = running.support.client
    cookie = client.get_cookie("access_token")
    assert cookie is not None

    response = running.app.test_client().get("/userapi/auth/user/", headers={"Authorization": f"Bearer {cookie.value}"})
    verified = client.post("/api-token-verify/", json={"token": cookie.value})

    assert (response.status_code, verified.status_code) == (401, 401)
    assert client.get_cookie("refresh_token") is None
    assert client.post("/api-token-refresh/", headers={"X-CSRF-TOKEN": running.support.csrf}).status_code == 401


@pytest.mark.both
def test_W70_a_request_costs_one_more_statement(running: RunningImpersonation) -> None:
    for client, most in ((running.user, 1), (running.support, 2)):
        client.client.get("/userapi/auth/user/")
        with record_statements(running.app) as seen:
            assert client.client.get("/userapi/auth/user/").status_code == 200
        assert len(seen) == most, seen


def test_W70_it_ends_after_thirty_minutes_and_the_own_session_comes_back(
    running: RunningImpersonation, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = clock_mover(monkeypatch)
    later(timedelta(minutes=29))
    assert own_id(running.support) == running.user.id
    later(timedelta(minutes=30, seconds=1))
    assert own_id(running.support) is None

    page = running.support.get("/account/")

    assert (page.status_code, page.headers["Location"]) == (303, "/admin/")
    assert own_id(running.support) == running.support.id


@pytest.mark.both
@pytest.mark.parametrize("change", ["is_staff = false", "is_active = false", "session_version = session_version + 1"])
def test_W70_it_ends_when_the_member_of_staff_is_demoted_or_deactivated(
    running: RunningImpersonation, change: str
) -> None:
    execute_sql(running.app, f"UPDATE users SET {change} WHERE id = :id", id=running.support.id)

    assert own_id(running.support) is None
    assert [event.action for event in actions(running.app)] == ["impersonation.started", "impersonation.ended"]
    execute_sql(running.app, "UPDATE users SET is_staff = true, is_active = true WHERE id = :id", id=running.support.id)
    assert own_id(running.support) is None  # it does not begin again


@pytest.mark.both
def test_W70_it_ends_when_the_permission_is_removed(running: RunningImpersonation) -> None:
    execute_sql(running.app, "DELETE FROM user_permissions WHERE user_id = :id", id=running.support.id)

    assert own_id(running.support) is None
    assert running.support.get("/account/").headers["Location"] == "/admin/"  # the own session is active
    assert own_id(running.support) == running.support.id


@pytest.mark.both
def test_W70_it_ends_with_the_session_of_the_member_of_staff(running: RunningImpersonation) -> None:
    other = sign_in_again(running.app, running.support)
    headers = {"X-CSRF-TOKEN": other.csrf}
    (own,) = [
        session["id"]
        for session in other.client.get("/userapi/auth/sessions/").get_json()["results"]
        if not session["current"]
    ]

    assert other.client.delete(f"/userapi/auth/sessions/{own}/", headers=headers).status_code == 204

    assert own_id(running.support) is None
    assert "/login/" in running.support.get("/account/").headers["Location"]


@pytest.mark.parametrize("path", ["/logout/", "/userapi/auth/logout/"])
def test_W70_signing_out_ends_both_sessions_and_none_of_the_user(running: RunningImpersonation, path: str) -> None:
    if path == "/logout/":
        assert running.support.post(path).status_code == 303
    else:
        assert running.act("POST", path, all=True).status_code == 200

    assert own_id(running.support) is None
    assert own_id(running.user) == running.user.id
    active = fetch_rows(running.app, "SELECT user_id FROM login_sessions WHERE ended_at IS NULL")
    assert [row.user_id for row in active] == [running.user.id]
    ended = actions(running.app, "session.ended")
    assert {(event.actor_id, event.target_id) for event in ended} == {(running.support.id, str(running.support.id))}


def test_W70_stopping_gives_the_own_session_back(running: RunningImpersonation) -> None:
    response = stop(running.support)

    assert (response.status_code, response.headers["Location"]) == (303, f"/admin/users/{running.user.id}/")
    assert running.support.get(response.headers["Location"]).status_code == 200
    assert own_id(running.support) == running.support.id
    assert stop(running.support).headers["Location"] == "/account/"  # a second click


def test_W70_only_the_browser_that_began_it_gets_the_session_of_the_member_of_staff(
    running: RunningImpersonation,
) -> None:
    running.support.client.delete_cookie("own_session")

    assert stop(running.support).headers["Location"] == "/login/"

    assert own_id(running.support) is None


@pytest.mark.parametrize("prefix", ["", "/userapi"])
def test_W70_a_refresh_without_a_refresh_token_does_not_sign_the_browser_out(
    running: RunningImpersonation, prefix: str
) -> None:
    assert running.act("POST", f"{prefix}/api-token-refresh/").status_code == 401

    assert own_id(running.support) == running.user.id
    assert stop(running.support).headers["Location"] == f"/admin/users/{running.user.id}/"


def test_W70_signing_out_by_the_api_after_the_end_does_not_lead_back_to_the_staff_site(
    running: RunningImpersonation, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock_mover(monkeypatch)(timedelta(minutes=31))
    running.support.client.delete_cookie("access_token")  # as browsers do after half an hour

    assert running.act("POST", "/userapi/auth/logout/").status_code == 401

    assert "/login/" in running.support.get("/account/").headers["Location"]
    assert own_id(running.support) is None


def test_W70_a_member_of_staff_acts_as_one_user_at_a_time(running: RunningImpersonation) -> None:
    app, second = running.app, staff_client(running.app)
    other = sign_in_again(app, running.support)

    assert start(other, second.id).status_code == 303

    assert own_id(running.support) is None
    assert own_id(other) == second.id


def test_W70_turned_off_it_has_no_route_and_no_button(make_app: Callable[..., Flask]) -> None:
    app = make_app()
    boss, user = staff_client(app, is_staff=True, is_superuser=True), staff_client(app)

    assert not [rule for rule in app.url_map.iter_rules() if "impersonat" in rule.rule]
    assert start(boss, user.id).status_code == 404
    assert "Sign in as" not in boss.get(f"/admin/users/{user.id}/").text
    assert "impersonate_user" not in boss.get("/admin/groups/new/").text


def test_W70_turning_it_off_ends_what_runs(running: RunningImpersonation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(running.app.config, "IMPERSONATION", False)

    assert own_id(running.support) is None
