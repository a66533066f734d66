"""After an account is deleted, no page, response or database column contains its email address."""

import json
import re
from collections.abc import Callable
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask_migrate import downgrade, upgrade

from tests.support.api_client import sign_in as bearer
from tests.support.bulk_actions import run_bulk_jobs
from tests.support.factories import new_user
from tests.support.sql import execute_sql, fetch_rows
from tests.support.staff_client import StaffClient, staff_client
from tests.support.traces import EMAIL, MARK, leave_traces
from userapi.auth import pruning
from userapi.core import clock
from userapi.core.db import Model, db

pytestmark = [pytest.mark.both, pytest.mark.unmeasured]


def mentions(app: Flask) -> list[str]:
    """The text columns that contain the email address. Uploaded files, deleted after a day, are not searched."""
    found = []
    with app.app_context():
        for table in Model.metadata.sorted_tables:
            for column in table.c:
                if isinstance(column.type, sa.String | sa.Text | sa.JSON):
                    text = sa.func.lower(sa.cast(column, sa.Text))
                    if db.session.execute(sa.select(column).where(text.contains(MARK))).first():
                        found.append(f"{table.name}.{column.name}")
    return found


def over_api(app: Flask, superuser: StaffClient, user_id: int) -> None:
    headers = {"Authorization": f"Bearer {bearer(app, superuser.email)['access_token']}"}
    assert app.test_client().delete(f"/userapi/users/{user_id}/", headers=headers).status_code == 204


def on_staff_site(app: Flask, superuser: StaffClient, user_id: int) -> None:
    assert superuser.post(f"/admin/users/{user_id}/delete/").status_code == 303
    superuser.get("/admin/")  # shows and clears the notice that names the deleted user


def in_bulk(app: Flask, superuser: StaffClient, user_id: int) -> None:
    newest = fetch_rows(app, "SELECT max(id) AS id FROM users")[0].id
    superuser.post("/admin/users/act/", action="delete", all="1", query=f"search={EMAIL}", newest=newest, confirmed="1")
    run_bulk_jobs(app)


def by_command(app: Flask, superuser: StaffClient, user_id: int) -> None:
    assert app.test_cli_runner().invoke(args=["users", "delete", EMAIL, "--yes"]).exit_code == 0


DELETIONS: dict[str, Callable[[Flask, StaffClient, int], None]] = {
    "API": over_api,
    "staff site": on_staff_site,
    "bulk action": in_bulk,
    "command line": by_command,
}


def pages_naming_the_email(superuser: StaffClient) -> list[str]:
    """The pages reachable from the overview that contain the email address."""
    waiting, seen, found = ["/admin/", "/userapi/users/?search=zq7"], set(), []
    while waiting:
        path = waiting.pop()
        if path in seen or len(seen) > 300:
            continue
        seen.add(path)
        response = superuser.get(path)
        text = unescape(response.text) if response.mimetype in ("text/html", "application/json") else ""
        if MARK in text.lower().replace("/userapi/users/?search=zq7", ""):
            found.append(path)
        links = re.findall(r'href="(/admin/[^"#]*)"', response.text)
        waiting += [unescape(link) for link in links if "logout" not in link and "static" not in link]
    assert len(seen) > 15
    return found


@pytest.mark.parametrize("way", DELETIONS)
def test_nothing_names_a_deleted_account(app: Flask, tmp_path: Path, way: str) -> None:
    superuser = staff_client(app, is_staff=True, is_superuser=True)
    user_id = leave_traces(app, superuser, tmp_path)
    assert {"messages.recipient", "messages.text", "users.email"} <= set(mentions(app))

    DELETIONS[way](app, superuser, user_id)

    assert fetch_rows(app, f"SELECT id FROM users WHERE id = {user_id}") == []
    assert mentions(app) == []
    assert pages_naming_the_email(superuser) == []
    headers = {"Authorization": f"Bearer {bearer(app, superuser.email)['access_token']}"}
    assert MARK not in app.test_client().get("/userapi/users/", headers=headers).text


def test_the_event_of_an_export_says_that_a_search_was_used_but_not_which(app: Flask) -> None:
    superuser = staff_client(app, is_staff=True, is_superuser=True)

    superuser.post("/admin/users/act/", action="export_csv", all="1", query=f"search={EMAIL}", confirmed="1")

    (event,) = fetch_rows(app, "SELECT changes FROM audit_events WHERE action = 'users.exported'")
    changes: Any = json.loads(event.changes) if isinstance(event.changes, str) else event.changes
    assert [pair for name, pair in changes.items() if name.endswith("search")] == [["…", "…"]]


def test_an_invitation_no_longer_names_a_deleted_member_of_staff(app: Flask) -> None:
    superuser = staff_client(app, is_staff=True, is_superuser=True)
    inviter = staff_client(app, is_staff=True, is_superuser=True, first_name="Zora", last_name="Quill")
    inviter.post("/admin/invitations/new/", email="guest@example.com", language="en")
    invitation = "SELECT id, text, html FROM messages WHERE kind = 'invitation'"
    assert "Zora Quill" in fetch_rows(app, invitation)[0].text

    over_api(app, superuser, inviter.id)

    (stored,) = fetch_rows(app, invitation)
    assert "Zora" not in stored.text + stored.html + superuser.get(f"/admin/emails/{stored.id}/").text


def test_submitted_forms_are_deleted_after_a_day_even_if_sessions_are_kept_longer(app: Flask) -> None:
    app.test_client().post(
        "/userapi/users/", json=new_user(), headers={"Idempotency-Key": "0d9f6a52-3b7e-4c1d-a8f0-6e5b4c3d2a19"}
    )
    execute_sql(app, "UPDATE form_submissions SET created_at = '2026-01-01 00:00:00'")

    with app.app_context():
        pruning.prune(clock.now() - timedelta(days=3650))

    assert fetch_rows(app, "SELECT * FROM form_submissions") == []


def test_the_migration_blanks_what_earlier_versions_stored(bare_app: Flask) -> None:
    with bare_app.app_context():
        upgrade()
        moment = clock.now()
        event = Model.metadata.tables["audit_events"]
        job = Model.metadata.tables["import_jobs"]
        db.session.execute(
            sa.insert(event).values(
                occurred_at=moment, action="users.exported", changes={"search": [None, EMAIL], "count": [None, 1]}
            )
        )
        db.session.execute(
            sa.insert(job).values(
                created_at=moment, file_name="users.csv", kind="csv", size=1, total=1, dry_run=False,
                on_conflict="skip", state="done", attempts=1, counts={}, left_out={}, told={},
                report=[["there already", "line 1", f"{EMAIL} is there already, as user 7."]],
                error=f"Nothing was imported: line 1: {EMAIL} is there already.",
                **({"on_bad_profile": "refuse-user"} if "on_bad_profile" in job.c else {}),
            )
        )  # fmt: skip
        db.session.commit()
        assert len(mentions(bare_app)) == 3
        downgrade(revision="0014")

        upgrade()

        assert mentions(bare_app) == []
        (report,) = db.session.execute(sa.select(job.c.report)).scalars()
        assert report == [["there already", "line 1", "… is there already, as user 7."]]
