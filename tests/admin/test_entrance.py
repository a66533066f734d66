"""Who comes into the staff site: every address of it, from the URL map, refuses whoever may not."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from tests.support.api_client import ApiUser
from tests.support.staff_client import StaffClient, grant_permissions, sign_in_with_cookies, staff_client, stored_value
from userapi.admin.users import UserView
from userapi.core import clock
from userapi.core.db import db
from userapi.users.permissions import EVERYTHING

#: Flask-Admin's own files, which hold nothing of ours.
OPEN = {"admin.static"}

ATTACKS = [
    "abc", "-1", "0", "01", "+1", "1.0", "99999999999999999999", "9" * 400, "%00", "%27", "1%00", "١", "..%2F1",
    "'; DROP TABLE users --", "%E2%80%8B", "\ud7ff",
]  # fmt: skip


def addresses(app: Flask, method: str) -> list[tuple[str, str]]:
    """Every endpoint under /admin/ that takes a method, and an address of it."""
    found = []
    urls = app.url_map.bind("localhost")
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith("/admin/") and method in (rule.methods or ()) and rule.endpoint not in OPEN:
            values: dict[str, Any] = dict.fromkeys(rule.arguments, 1)
            values |= {name: uuid.uuid4() for name in rule.arguments if name == "session_id"}
            found.append((rule.endpoint, urls.build(rule.endpoint, values, method=method)))
    return found


@pytest.fixture
def boss(app: Flask) -> StaffClient:
    return staff_client(app, is_staff=True, is_superuser=True)


def test_the_map_is_what_these_tests_believe(app: Flask) -> None:
    assert len(addresses(app, "GET")) >= 14
    assert {endpoint for endpoint, _path in addresses(app, "POST")} == {
        "staff_users.add",
        "staff_users.edit",
        "staff_users.invite",
        "staff_users.set_password",
        "staff_users.delete",
        "staff_users.act",
        "staff_groups.add",
        "staff_groups.edit",
        "staff_groups.delete",
        "staff_sessions.end",
        "staff_emails.retry",
        "staff_emails.send_test",
        "staff_emails.open_link",
        "staff_imports.add",
        "staff_imports.start_import",
        "staff_imports.cancel",
        "staff_bulk.cancel",
        "staff_audit.export",
    }
    assert not [path for method in ("PUT", "PATCH", "DELETE") for path in addresses(app, method)]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_A01_every_address_sends_a_stranger_to_sign_in(app: Flask, client: FlaskClient, method: str) -> None:
    for endpoint, path in addresses(app, method):
        answer = client.open(path, method=method)

        assert answer.status_code == 303, endpoint
        assert answer.headers["Location"].startswith("/login/?next=/admin/"), endpoint


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_A01_every_address_refuses_a_user_who_is_no_staff(app: Flask, method: str) -> None:
    visitor = staff_client(app)
    grant_permissions(app, visitor.id, *EVERYTHING)

    for endpoint, path in addresses(app, method):
        answer = visitor.get(path) if method == "GET" else visitor.post(path)

        assert answer.status_code == 403, endpoint
        assert "staff account" in answer.text
        assert "/admin/users/" not in answer.text


def test_A01_every_address_refuses_staff_without_the_permission(app: Flask) -> None:
    nobody = staff_client(app, is_staff=True)

    for method in ("GET", "POST"):
        for endpoint, path in addresses(app, method):
            answer = nobody.get(path) if method == "GET" else nobody.post(path)

            if endpoint != "admin.index":
                assert answer.status_code == 403, endpoint
                assert "You need the permission" in answer.text or "Only superusers" in answer.text, endpoint


def test_A01_staff_with_the_permission_pass(boss: StaffClient) -> None:
    for endpoint, path in addresses(boss.app, "GET"):
        if not endpoint.startswith(
            (
                "staff_groups",
                "staff_emails",
                "staff_outbox",
                "staff_imports.show",
                "staff_bulk.show",
                "staff_audit.show",
            )
        ) or (endpoint.endswith("list") and endpoint != "staff_outbox.show_list"):
            assert boss.get(path.replace("/1/", f"/{boss.id}/")).status_code == 200, endpoint


def test_A01_a_bearer_token_is_no_way_in(app: Flask, superuser: ApiUser) -> None:
    assert superuser.get(superuser.url).status_code == 200

    assert superuser.get("/admin/").status_code == 303
    assert superuser.post("/admin/users/act/").status_code == 303


def test_H09_the_cookie_of_the_staff_site_is_no_bearer_token(boss: StaffClient) -> None:
    cookie = boss.client.get_cookie("access_token")
    assert cookie is not None
    bare = boss.app.test_client()

    answer = bare.get("/userapi/auth/user/", headers={"Authorization": f"Bearer {cookie.value}"})

    assert answer.status_code == 401


def test_Z01_an_address_that_does_not_say_what_it_needs_is_open_to_nobody(
    boss: StaffClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert boss.get("/admin/users/").status_code == 200

    monkeypatch.delattr(UserView.show_list, "needs")

    assert boss.get("/admin/users/").status_code == 403


@pytest.mark.parametrize("token", [None, "", "x", "0" * 32])
def test_A02_every_write_refuses_without_its_csrf_token(boss: StaffClient, token: str | None) -> None:
    fields = {} if token is None else {"csrf_token": token}

    for endpoint, path in addresses(boss.app, "POST"):
        assert boss.post(path, csrf=False, **fields).status_code == 403, endpoint
        assert boss.post(path).status_code != 403, endpoint


def test_A02_another_sessions_csrf_token_is_none(boss: StaffClient) -> None:
    mine, other = boss, sign_in_with_cookies(boss.app, boss.id)
    victim = staff_client(boss.app)

    forged = mine.post(f"/admin/users/{victim.id}/delete/", csrf=False, csrf_token=other.csrf)

    assert forged.status_code == 403
    assert stored_value(boss.app, victim.id, "id") == victim.id
    assert mine.post(f"/admin/users/{victim.id}/delete/").status_code == 303
    assert stored_value(boss.app, victim.id, "id") is None


def test_A02_a_token_in_the_query_string_is_none(boss: StaffClient) -> None:
    assert boss.post(f"/admin/users/act/?csrf_token={boss.csrf}", csrf=False).status_code == 403


@pytest.mark.both
def test_A03_reading_changes_nothing(boss: StaffClient) -> None:
    victim = staff_client(boss.app)
    before = _everything(boss.app)

    for _endpoint, path in addresses(boss.app, "GET"):
        boss.get(
            path.replace("/1/", f"/{victim.id}/"), query_string={"action": "delete", "user": victim.id, "all": "1"}
        )
    for path in ("/admin/users/act/", "/admin/emails/1/retry/"):
        assert boss.get(path).status_code == 405

    assert _everything(boss.app) == before


def test_A06_a_stolen_copy_of_the_cookie_is_dead_after_signing_out(boss: StaffClient) -> None:
    stolen = boss.client.get_cookie("access_token")
    assert stolen is not None
    thief = boss.app.test_client()
    thief.set_cookie("access_token", stolen.value)
    assert thief.get("/admin/").status_code == 200

    assert boss.post("/logout/").status_code == 303

    assert thief.get("/admin/").status_code == 303


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ("UPDATE users SET is_active = false WHERE id = :id", 303),
        ("UPDATE users SET is_staff = false, is_superuser = false WHERE id = :id", 403),
        ("UPDATE users SET session_version = session_version + 1 WHERE id = :id", 303),
        ("UPDATE login_sessions SET ended_at = created_at WHERE user_id = :id", 303),
        ("DELETE FROM users WHERE id = :id", 303),
    ],
)
def test_A07_the_next_request_knows_what_became_of_the_account(boss: StaffClient, change: str, status: int) -> None:
    assert boss.get("/admin/users/").status_code == 200

    with boss.app.app_context():
        db.session.execute(sa.text(change), {"id": boss.id})
        db.session.commit()

    assert boss.get("/admin/users/").status_code == status


@pytest.mark.parametrize(
    ("passed", "status"),
    [(timedelta(minutes=29), 200), (timedelta(minutes=31), 303)],
)
def test_A07_staff_who_stay_away_sign_in_again(
    boss: StaffClient, monkeypatch: pytest.MonkeyPatch, passed: timedelta, status: int
) -> None:
    copy = boss.app.test_client()
    cookie = boss.client.get_cookie("access_token")
    assert cookie is not None
    copy.set_cookie("access_token", cookie.value)
    _wait(monkeypatch, passed)

    assert boss.get("/admin/").status_code == status
    assert copy.get("/admin/").status_code == status


def test_A07_a_working_day_ends(boss: StaffClient, monkeypatch: pytest.MonkeyPatch) -> None:
    for _half_hour in range(16):
        _wait(monkeypatch, timedelta(minutes=29))
        assert boss.get("/admin/").status_code == 200
    _wait(monkeypatch, timedelta(minutes=29))

    assert boss.get("/admin/").status_code == 303


@pytest.mark.both
def test_A09_odd_values_in_addresses_are_no_errors(boss: StaffClient) -> None:
    lists = ("users", "sessions", "emails", "audit")
    names = (
        "search", "is_staff", "group", "country", "joined_from", "joined_to", "ordering", "cursor", "before", "user",
        "address", "state", "recipient", "kind", "actor", "target", "action", "since", "until",
    )  # fmt: skip

    for text in ATTACKS:
        for part in lists:
            answer = boss.get(f"/admin/{part}/?" + "&".join(f"{name}={text}" for name in names))
            assert answer.status_code == 200, (part, text)
        for path in (f"/admin/users/{text}/", f"/admin/groups/{text}/", f"/admin/emails/{text}/"):
            assert boss.get(path).status_code in (200, 404), path
        chosen = {"action": text, "user": text, "query": f"cursor={text}&search={text}", "all": text}
        assert boss.post("/admin/users/act/", **chosen).status_code in (303, 404), text
        rights = boss.post("/admin/groups/new/", name="g", permissions=text)
        assert rights.status_code in (303, 400), text


@pytest.mark.both
def test_A09_lone_cursors_and_controls_are_no_errors(boss: StaffClient) -> None:
    for text, status in (("%00", 200), ("%0A", 200), ("a%00b", 200), ("%ED%A0%80", 400), ("%FF", 400)):
        assert boss.get(f"/admin/users/?search={text}&country={text}&cursor={text}").status_code == status
        assert boss.get(f"/admin/audit/?actor={text}&target={text}&action={text}").status_code == status


def test_A10_no_parameter_leads_away(boss: StaffClient, client: FlaskClient) -> None:
    for name in ("next", "url", "return_url", "query"):
        for wanted in ("https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)"):
            asked = client.get("/admin/users/", query_string={name: wanted})
            assert asked.headers["Location"].startswith("/login/?next=/admin/users/")
            done = boss.post("/admin/users/act/", action="activate", user=boss.id, confirmed="1", **{name: wanted})
            assert done.headers["Location"].startswith("/admin/users/")


def test_C04_the_message_cookie_is_sealed_and_hidden_and_its_message_shown_once(boss: StaffClient) -> None:
    boss.post("/admin/users/act/", action="send_reset", user=boss.id, confirmed="1")
    cookie = boss.client.get_cookie("notice")

    assert cookie is not None
    assert (cookie.http_only, cookie.same_site, cookie.path, cookie.secure) == (True, "Lax", "/", False)
    assert "reset" not in cookie.value
    assert "1 reset link sent." in boss.get("/admin/").text
    assert "1 reset link sent." not in boss.get("/admin/").text


def test_C04_requests_of_programs_never_touch_the_message_cookie(boss: StaffClient) -> None:
    boss.post("/admin/users/act/", action="send_reset", user=boss.id, confirmed="1")

    answer = boss.get("/userapi/auth/user/")

    assert "notice" not in str(answer.headers)
    assert "1 reset link sent." in boss.get("/admin/").text


def test_H06_over_https_the_message_cookie_is_secure(make_app: Callable[..., Flask]) -> None:
    app = make_app(SITE_URL="https://accounts.example.com")
    client = app.test_client()
    client.set_cookie("__Host-access_token", "expired", domain="accounts.example.com", secure=True)

    answer = client.get("/admin/", base_url="https://accounts.example.com")

    (cookie,) = [line for line in answer.headers.getlist("Set-Cookie") if line.startswith("notice=")]
    assert "Secure" in cookie


def test_H02_pages_allow_nothing_inline_and_nothing_from_elsewhere(boss: StaffClient) -> None:
    for _endpoint, path in addresses(boss.app, "GET"):
        answer = boss.get(path.replace("/1/", f"/{boss.id}/"))
        policy = answer.headers["Content-Security-Policy"]

        assert "unsafe-inline" not in policy
        assert "frame-ancestors 'none'" in policy
        assert "http" not in policy
        for inline in (" style=", " onclick=", " onchange=", "javascript:"):
            assert inline not in answer.text


def _wait(monkeypatch: pytest.MonkeyPatch, passed: timedelta) -> None:
    later = clock.now() + passed
    monkeypatch.setattr("userapi.core.clock.now", lambda: later)


def _everything(app: Flask) -> list[Any]:
    with app.app_context():
        return [
            db.session.execute(sa.text(f"SELECT * FROM {table} ORDER BY 1")).all()
            for table in ("users", "user_profiles", "groups", "login_sessions", "messages", "audit_events")
        ]
