"""An account whose email address is stored in every place that can contain one."""

import json
import re
from pathlib import Path

from flask import Flask

from tests.support.bulk_actions import run_bulk_jobs
from tests.support.factories import PASSWORD, new_user, to_form_fields
from tests.support.sql import execute_sql, fetch_rows
from tests.support.staff_client import StaffClient, sign_in_with_cookies
from tests.support.staff_imports import run_import_jobs, upload_import

MARK = "zq7mark"
EMAIL = f"{MARK}@example.com"


def leave_traces(app: Flask, superuser: StaffClient, folder: Path) -> int:
    """Create an account whose email address is stored in every place that can contain one; return its id."""
    visitor = app.test_client()
    page = visitor.get("/register/").text
    fields = dict(re.findall(r'<input[^>]*name="(form_id|csrf_token)"[^>]*value="([^"]*)"', page))
    sent = {
        **to_form_fields(new_user(email=EMAIL)),
        **fields,
        "password_again": PASSWORD,
        "password2": PASSWORD,
    }
    visitor.post("/register/", data=sent)
    if not fetch_rows(app, f"SELECT id FROM users WHERE email = '{EMAIL}'"):
        assert visitor.post("/userapi/users/", json=new_user(email=EMAIL)).status_code == 201
    execute_sql(app, "UPDATE users SET first_name = '', last_name = '' WHERE email = :email", email=EMAIL)
    user_id = int(fetch_rows(app, f"SELECT id FROM users WHERE email = '{EMAIL}'")[0].id)
    visitor.post("/api-token-auth/", json={"email": EMAIL, "password": "wrong"})
    visitor.post("/userapi/auth/password/reset/", json={"email": EMAIL})
    path = f"/admin/users/{user_id}/access/"
    superuser.post(path, **{**superuser.form(path), "is_staff": "true"})
    inviter = sign_in_with_cookies(app, user_id)
    inviter.post("/admin/invitations/new/", email="guest@example.com", language="en")
    superuser.post("/admin/users/act/", action="export_csv", all="1", query=f"search={EMAIL}", confirmed="1")
    app.test_cli_runner().invoke(args=["users", "export", str(folder / "users.csv"), "--search", EMAIL])
    twice = f"email,first_name\n{EMAIL},A\n{EMAIL.upper()},B\nother@example.com,C\n"
    for dry_run in ("true", ""):
        upload_import(superuser, twice, f"{EMAIL}.csv", dry_run=dry_run)
        upload_import(superuser, twice, "users.csv", dry_run=dry_run, on_conflict="fail")
    dump = [
        {"model": "auth.user", "pk": EMAIL, "fields": {"email": EMAIL, "password": "!", "last_login": None}},
        {"model": "auth.user", "pk": 88, "fields": {"email": "x", "password": "!", "last_login": None}},
    ]
    upload_import(superuser, json.dumps(dump), "dump.json")
    run_import_jobs(app, 6)
    superuser.post("/admin/users/filters/", name=f"Like {EMAIL.upper()}", query="is_active=true")
    superuser.post("/admin/users/filters/", name="Saved by an earlier version", query="is_active=true")
    execute_sql(
        app, "UPDATE saved_filters SET query = :query WHERE name LIKE 'Saved%'", query="search=ZQ7mark%40example.com"
    )
    superuser.get(f"/admin/audit/?actor={EMAIL}&target={EMAIL}")
    newest = fetch_rows(app, "SELECT max(id) AS id FROM users")[0].id
    superuser.post(
        "/admin/users/act/", action="end_sessions", all="1", query=f"search={EMAIL}", newest=newest, confirmed="1"
    )
    run_bulk_jobs(app)
    assert [row.state for row in fetch_rows(app, "SELECT state FROM bulk_jobs")] == ["done"]
    assert len(fetch_rows(app, "SELECT id FROM audit_events WHERE action = 'users.exported'")) == 2
    assert len(fetch_rows(app, "SELECT id FROM import_jobs WHERE state IN ('done', 'failed')")) == 5
    assert len(fetch_rows(app, "SELECT outcome FROM form_submissions")) == 1
    return user_id
