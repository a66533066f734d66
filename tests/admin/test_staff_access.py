"""Access to the staff site: every path in the URL map checks the session, permissions and the CSRF token."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from tests.support.api_client import ApiUser
from tests.support.staff_client import StaffClient, grant_permissions, sign_in_with_cookies, staff_client, stored_value
from userapi.admin.users import UserView
from userapi.core.db import db
from userapi.users.permission_names import EVERYTHING

#: Static files of Flask-Admin, which contain no data of the service.
OPEN = {"admin.static"}


ATTACKS = [
    "abc", "-1", "0", "01", "+1", "1.0", "99999999999999999999", "9" * 400, "%00", "%27", "1%00", "١", "..%2F1",
    "'; DROP TABLE users --", "%E2%80%8B", "\ud7ff",
]  # fmt: skip


def endpoints(app: Flask, method: str) -> list[tuple[str, str]]:
    """Every endpoint under /admin/ that accepts a method, with a path for it."""
    found = []
    urls = app.url_map.bind("localhost")
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith("/admin/") and method in (rule.methods or ()) and rule.endpoint not in OPEN:
            values: dict[str, Any] = dict.fromkeys(rule.arguments, 1)
            values |= {name: uuid.uuid4() for name in rule.arguments if name in ("session_id", "webhook_id", "key_id")}
            found.append((rule.endpoint, urls.build(rule.endpoint, values, method=method)))
    return found


@pytest.fixture
def superuser(app: Flask) -> StaffClient:
    return staff_client(app, is_staff=True, is_superuser=True)


def test_the_url_map_has_the_expected_endpoints(app: Flask) -> None:
    assert len(endpoints(app, "GET")) >= 14
    assert {endpoint for endpoint, _path in endpoints(app, "POST")} == {
        "staff_users.add",
        "staff_users.choose_columns",
        "staff_filters.save",
        "staff_filters.delete",
        "staff_users.edit",
        "staff_users.edit_access",
        "staff_invitations.send",
        "staff_invitations.resend",
        "staff_invitations.revoke",
        "staff_users.set_password",
        "staff_users.reset_factors",
        "staff_users.unlock_factors",
        "staff_users.unlink_identity",
        "staff_users.revoke_key",
        "staff_users.revoke_keys",
        "staff_users.hold",
        "staff_users.release",
        "staff_users.withdraw_restore_link",
        "staff_users.send_restore_link",
        "staff_users.delete",
        "staff_users.act",
        "staff_groups.add",
        "staff_groups.edit",
        "staff_groups.delete",
        "staff_groups.add_member",
        "staff_groups.remove_members",
        "staff_sessions.end",
        "staff_sessions.end_many",
        "staff_emails.retry",
        "staff_emails.send_test",
        "staff_emails.open_link",
        "staff_imports.add",
        "staff_imports.start_import",
        "staff_imports.cancel",
        "staff_bulk.cancel",
        "staff_audit.export",
        "staff_webhooks.add",
        "staff_webhooks.edit",
        "staff_webhooks.send_test",
        "staff_webhooks.enable",
        "staff_webhooks.disable",
        "staff_webhooks.rotate",
        "staff_webhooks.replay",
        "staff_webhooks.replay_many",
        "staff_webhooks.delete",
        "staff_clients.add",
        "staff_clients.edit",
        "staff_clients.rotate",
        "staff_clients.disable",
        "staff_clients.enable",
        "staff_clients.delete",
        "staff_clients.retry_notice",
        "staff_clients.retry_notices",
        "staff_service-accounts.add",
        "staff_service-accounts.create_key",
        "staff_service-accounts.rotate_key",
        "staff_service-accounts.revoke_key",
    }
    assert not [path for method in ("PUT", "PATCH", "DELETE") for path in endpoints(app, method)]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_A01_every_path_redirects_anonymous_visitors_to_the_sign_in_form(
    app: Flask, client: FlaskClient, method: str
) -> None:
    for endpoint, path in endpoints(app, method):
        response = client.open(path, method=method)

        assert response.status_code == 303, endpoint
        assert response.headers["Location"].startswith("/login/?next=/admin/"), endpoint


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_A01_every_path_denies_users_who_are_not_staff(app: Flask, method: str) -> None:
    visitor = staff_client(app)
    grant_permissions(app, visitor.id, *EVERYTHING)

    for endpoint, path in endpoints(app, method):
        response = visitor.get(path) if method == "GET" else visitor.post(path)

        assert response.status_code == 403, endpoint
        assert "staff account" in response.text
        assert 'href="/admin/users/"' not in response.text


def test_A01_every_path_denies_staff_without_the_permission(app: Flask) -> None:
    without_permissions = staff_client(app, is_staff=True)

    for method in ("GET", "POST"):
        for endpoint, path in endpoints(app, method):
            response = without_permissions.get(path) if method == "GET" else without_permissions.post(path)

            if endpoint != "admin.index":
                assert response.status_code == 403, endpoint
                assert "You need the permission" in response.text or "Only superusers" in response.text, endpoint


def test_A01_staff_with_the_permission_see_the_pages(superuser: StaffClient) -> None:
    for endpoint, path in endpoints(superuser.app, "GET"):
        if not endpoint.startswith(
            (
                "staff_groups",
                "staff_service-accounts.show",
                "staff_emails",
                "staff_outbox",
                "staff_imports.show",
                "staff_imports.download_report",
                "staff_bulk.show",
                "staff_audit.show",
                "staff_webhooks.show",
                "staff_clients.show",
            )
        ) or (endpoint.endswith("list") and endpoint != "staff_outbox.show_list"):
            assert superuser.get(path.replace("/1/", f"/{superuser.id}/")).status_code == 200, endpoint


def test_A01_a_bearer_token_does_not_open_the_staff_site(make_api_user: Callable[..., ApiUser]) -> None:
    caller = make_api_user(is_staff=True, is_superuser=True)

    assert caller.get(caller.url).status_code == 200

    assert caller.get("/admin/").status_code == 303
    assert caller.post("/admin/users/act/").status_code == 303


def test_H09_the_cookie_of_the_staff_site_is_no_bearer_token(superuser: StaffClient) -> None:
    cookie = superuser.client.get_cookie("access_token")
    assert cookie is not None
    bare = superuser.app.test_client()

    response = bare.get("/userapi/auth/user/", headers={"Authorization": f"Bearer {cookie.value}"})

    assert response.status_code == 401


def test_Z01_a_path_without_a_declared_permission_is_denied_to_everyone(
    superuser: StaffClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert superuser.get("/admin/users/").status_code == 200

    monkeypatch.delattr(UserView.show_list, "needs")

    assert superuser.get("/admin/users/").status_code == 403


@pytest.mark.parametrize("token", [None, "", "x", "0" * 32])
def test_A02_every_write_is_rejected_without_its_csrf_token(superuser: StaffClient, token: str | None) -> None:
    fields = {} if token is None else {"csrf_token": token}

    for endpoint, path in endpoints(superuser.app, "POST"):
        assert superuser.post(path, csrf=False, **fields).status_code == 403, endpoint
        assert superuser.post(path).status_code != 403, endpoint


def test_A02_the_csrf_token_of_another_session_is_rejected(superuser: StaffClient) -> None:
    mine, other = superuser, sign_in_with_cookies(superuser.app, superuser.id)
    victim = staff_client(superuser.app)

    forged = mine.post(f"/admin/users/{victim.id}/delete/", csrf=False, csrf_token=other.csrf)

    assert forged.status_code == 403
    assert stored_value(superuser.app, victim.id, "id") == victim.id
    assert mine.post(f"/admin/users/{victim.id}/delete/").status_code == 303
    assert stored_value(superuser.app, victim.id, "id") is None


def test_A02_a_csrf_token_in_the_query_string_is_ignored(superuser: StaffClient) -> None:
    assert superuser.post(f"/admin/users/act/?csrf_token={superuser.csrf}", csrf=False).status_code == 403


@pytest.mark.both
def test_A03_reading_changes_nothing(superuser: StaffClient) -> None:
    victim = staff_client(superuser.app)
    before = _everything(superuser.app)

    for _endpoint, path in endpoints(superuser.app, "GET"):
        superuser.get(
            path.replace("/1/", f"/{victim.id}/"), query_string={"action": "delete", "user": victim.id, "all": "1"}
        )
    for path in ("/admin/users/act/", "/admin/emails/1/retry/"):
        assert superuser.get(path).status_code == 303

    assert _everything(superuser.app) == before


@pytest.mark.both
def test_A09_unusual_values_in_URLs_cause_no_server_error(superuser: StaffClient) -> None:
    lists = ("users", "sessions", "emails", "audit")
    names = (
        "search", "is_staff", "group", "country", "joined_from", "joined_to", "ordering", "cursor", "before", "user",
        "address", "state", "recipient", "kind", "actor", "target", "action", "since", "until",
    )  # fmt: skip

    for text in ATTACKS:
        for part in lists:
            response = superuser.get(f"/admin/{part}/?" + "&".join(f"{name}={text}" for name in names))
            assert response.status_code == 200, (part, text)
        for path in (f"/admin/users/{text}/", f"/admin/groups/{text}/", f"/admin/emails/{text}/"):
            assert superuser.get(path).status_code in (200, 404), path
        chosen = {"action": text, "user": text, "query": f"cursor={text}&search={text}", "all": text}
        assert superuser.post("/admin/users/act/", **chosen).status_code in (303, 404), text
        group = superuser.post("/admin/groups/new/", name="g", permissions=text)
        assert group.status_code in (303, 400), text


@pytest.mark.both
def test_A09_lone_cursors_and_control_characters_cause_no_server_error(superuser: StaffClient) -> None:
    for text, status in (("%00", 200), ("%0A", 200), ("a%00b", 200), ("%ED%A0%80", 400), ("%FF", 400)):
        assert superuser.get(f"/admin/users/?search={text}&country={text}&cursor={text}").status_code == status
        assert superuser.get(f"/admin/audit/?actor={text}&target={text}&action={text}").status_code == status


def test_A10_no_parameter_redirects_to_another_site(superuser: StaffClient, client: FlaskClient) -> None:
    for name in ("next", "url", "return_url", "query"):
        for wanted in ("https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)"):
            redirect = client.get("/admin/users/", query_string={name: wanted})
            assert redirect.headers["Location"].startswith("/login/?next=/admin/users/")
            done = superuser.post(
                "/admin/users/act/", action="activate", user=superuser.id, confirmed="1", **{name: wanted}
            )
            assert done.headers["Location"].startswith("/admin/users/")


def test_H02_pages_allow_nothing_inline_and_nothing_from_other_sites(superuser: StaffClient) -> None:
    for _endpoint, path in endpoints(superuser.app, "GET"):
        response = superuser.get(path.replace("/1/", f"/{superuser.id}/"))
        policy = response.headers["Content-Security-Policy"]

        assert "unsafe-inline" not in policy
        assert "frame-ancestors 'none'" in policy
        assert "http" not in policy
        for inline in (" style=", " onclick=", " onchange=", "javascript:"):
            assert inline not in response.text


def _everything(app: Flask) -> list[Any]:
    with app.app_context():
        return [
            db.session.execute(sa.text(f"SELECT * FROM {table} ORDER BY 1")).all()
            for table in ("users", "user_profiles", "groups", "login_sessions", "messages", "audit_events")
        ]
