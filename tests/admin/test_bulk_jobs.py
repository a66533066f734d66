"""Bulk actions on all matching users: they run in the background and have a page with their progress (F13)."""

from datetime import timedelta

import pytest
from flask import Flask

from tests.support.bulk_actions import (
    ACTION_PATH,
    confirm_action,
    fact,
    insert_users,
    newest_bulk_job,
    newest_job_page,
    run_bulk_jobs,
    skipped_targets,
)
from tests.support.factories import PASSWORD, make_user
from tests.support.proofs import prove_and_continue
from tests.support.sql import fetch_number, fetch_rows
from tests.support.staff_client import StaffClient, grant_permissions, staff_client, stored_value
from tests.support.staff_imports import from_json, move_clock
from userapi.admin import user_actions
from userapi.bulk import job_worker
from userapi.core import leased_jobs

pytestmark = pytest.mark.both


INACTIVE = "SELECT count(*) FROM users WHERE NOT is_active"


@pytest.fixture
def superuser(app: Flask) -> StaffClient:
    return staff_client(app, is_staff=True, is_superuser=True)


@pytest.fixture(autouse=True)
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(user_actions, "MAX_USERS", 3)
    monkeypatch.setattr(job_worker, "BATCH_SIZE", 2)


@pytest.mark.slow
@pytest.mark.unmeasured
def test_five_thousand_users_are_deactivated_in_the_background(
    superuser: StaffClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(leased_jobs, "BATCH_PAUSE", 0)
    insert_users(superuser.app, 5000)
    other = make_user(superuser.app)

    confirmation = superuser.post(ACTION_PATH, action="deactivate", all="true", query="search=crowd")
    started = superuser.post(ACTION_PATH, **superuser.fields(confirmation.text))
    before = superuser.get(started.headers["Location"]).text
    nothing_yet = fetch_number(superuser.app, INACTIVE)
    run_bulk_jobs(superuser.app)

    assert "Deactivate 5,000 users?" in confirmation.text
    assert started.status_code == 303
    assert "0 of 5,000" in before
    assert nothing_yet == 0
    assert fetch_number(superuser.app, INACTIVE) == 5000
    assert stored_value(superuser.app, other, "is_active")
    assert "5,000 of 5,000" in newest_job_page(superuser)
    assert (
        newest_bulk_job(superuser.app).state,
        newest_bulk_job(superuser.app).done,
        newest_bulk_job(superuser.app).left_out,
    ) == (
        "done",
        5000,
        0,
    )
    assert fetch_number(superuser.app, "SELECT count(*) FROM bulk_targets") == 0


@pytest.mark.parametrize("action", ["activate", "deactivate", "end_sessions", "send_reset", "delete"])
def test_every_action_of_the_list_works_on_any_number_of_users(superuser: StaffClient, action: str) -> None:
    ids = insert_users(superuser.app, 5, is_active=action != "activate")

    assert confirm_action(superuser, action).status_code == 303
    run_bulk_jobs(superuser.app)

    done = {
        "activate": "SELECT count(*) FROM users WHERE is_active AND email LIKE 'crowd%'",
        "deactivate": INACTIVE,
        "end_sessions": "SELECT count(*) FROM users WHERE session_version = 1 AND email LIKE 'crowd%'",
        "send_reset": "SELECT count(DISTINCT recipient) FROM messages WHERE kind = 'reset_password'",
        "delete": "SELECT 5 - count(*) FROM users WHERE email LIKE 'crowd%'",
    }
    assert (newest_bulk_job(superuser.app).state, newest_bulk_job(superuser.app).done) == ("done", 5)
    assert fetch_number(superuser.app, done[action]) == 5
    events = fetch_rows(superuser.app, "SELECT actor_id, target_id FROM audit_events WHERE target_kind = 'user'")
    assert {(superuser.id, str(user_id)) for user_id in ids} <= {(row.actor_id, row.target_id) for row in events}


def test_the_confirmation_counts_the_users_that_will_change(superuser: StaffClient) -> None:
    helper = staff_client(superuser.app, is_staff=True, permissions=("view_user", "change_user"), last_name="Tidewater")
    ids = [make_user(superuser.app, password=None, last_name="Tidewater") for _ in range(6)]
    make_user(superuser.app, last_name="Tidewater", is_staff=True, is_superuser=True)
    superuser.post(ACTION_PATH, action="deactivate", user=ids[:2], confirmed="1")

    confirmation = helper.post(ACTION_PATH, action="deactivate", all="true", query="search=tidewater").text

    assert "Deactivate 4 users?" in confirmation
    assert fact(confirmation, "Matching users") == "8"
    assert fact(confirmation, "Already inactive") == "2"
    assert fact(confirmation, "Your own account") == "1"
    assert fact(confirmation, "Superusers (only a superuser can change them)") == "1"
    assert fact(confirmation, "Users affected") == "<strong>4</strong>"


def test_the_rules_of_each_account_apply_and_the_report_names_skipped_users_and_reasons(superuser: StaffClient) -> None:
    permissions = ("view_user", "change_user")
    helper = staff_client(superuser.app, is_staff=True, permissions=permissions, last_name="Tidewater")
    plain_ids = [make_user(superuser.app, password=None, last_name="Tidewater") for _ in range(3)]
    other_superuser = make_user(superuser.app, is_staff=True, is_superuser=True, last_name="Tidewater")
    more_permitted = make_user(superuser.app, is_staff=True, last_name="Tidewater")
    grant_permissions(superuser.app, more_permitted, *permissions, "delete_user")

    confirm_action(helper, "deactivate", "search=tidewater")
    deactivated, deleted = plain_ids[:2]
    superuser.post(ACTION_PATH, action="deactivate", user=deactivated, confirmed="1")
    superuser.post(ACTION_PATH, action="delete", user=deleted, confirmed="1", own_password=PASSWORD)
    run_bulk_jobs(superuser.app)

    assert skipped_targets(superuser.app) == {
        helper.id: "own_account",
        other_superuser: "permission_denied",
        more_permitted: "permission_denied",
        deactivated: "unconcerned",
        deleted: "not_found",
    }
    assert (newest_bulk_job(superuser.app).done, newest_bulk_job(superuser.app).left_out) == (1, 5)
    assert not stored_value(superuser.app, plain_ids[2], "is_active")
    report = newest_job_page(helper)
    assert fact(report, "Skipped: Has permissions that you do not have") == "2"
    assert fact(report, "Skipped: Already inactive") == "1"
    assert f"user {deleted}" in report


@pytest.mark.parametrize("action", ["deactivate", "delete"])
def test_the_last_superuser_is_not_changed(superuser: StaffClient, action: str) -> None:
    second = staff_client(superuser.app, is_staff=True, is_superuser=True, last_name="Tidewater")
    third = make_user(superuser.app, is_staff=True, is_superuser=True, last_name="Tidewater")
    for _ in range(2):
        make_user(superuser.app, last_name="Tidewater")

    confirm_action(second, action, "search=tidewater")
    superuser.post("/admin/users/act/", action="deactivate", user=superuser.id, confirmed="1")
    run_bulk_jobs(superuser.app)

    assert stored_value(superuser.app, second.id, "is_active")
    assert not stored_value(superuser.app, third, "is_active")
    assert skipped_targets(superuser.app) == {second.id: "own_account"}


def test_users_who_join_after_the_confirmation_page_are_not_changed(superuser: StaffClient) -> None:
    insert_users(superuser.app, 4)
    confirmation = superuser.post(ACTION_PATH, action="delete", all="true", query="search=crowd").text
    newcomer = make_user(superuser.app, email="crowd.newcomer@example.com")

    superuser.post(ACTION_PATH, **superuser.fields(confirmation))
    another = make_user(superuser.app, email="crowd.another@example.com")
    run_bulk_jobs(superuser.app)

    assert newest_bulk_job(superuser.app).total == 4
    assert stored_value(superuser.app, newcomer, "is_active")
    assert stored_value(superuser.app, another, "is_active")


def test_the_audit_log_shows_who_started_a_job_and_how_it_ended(superuser: StaffClient) -> None:
    insert_users(superuser.app, 4)
    confirm_action(superuser, "deactivate", "search=crowd&is_active=true")
    run_bulk_jobs(superuser.app)

    found = fetch_rows(
        superuser.app, "SELECT action, actor_id, changes FROM audit_events WHERE target_kind = 'bulk' ORDER BY id"
    )
    assert [(row.action, row.actor_id) for row in found] == [
        ("bulk.started", superuser.id),
        ("bulk.finished", superuser.id),
    ]
    assert from_json(found[0].changes)["staff_search"] == ["…", "…"]
    assert from_json(found[1].changes)["done"] == [None, 4]


def test_a_sensitive_action_requires_a_recent_proof(superuser: StaffClient, monkeypatch: pytest.MonkeyPatch) -> None:
    insert_users(superuser.app, 4)
    move_clock(monkeypatch, timedelta(minutes=16))

    question = confirm_action(superuser, "delete")
    assert fetch_rows(superuser.app, "SELECT * FROM bulk_jobs") == []
    started = prove_and_continue(superuser.client, question)

    assert started.status_code == 303
    assert started.headers["Location"].startswith("/admin/bulk/")


def test_viewing_and_cancelling_jobs_requires_the_permissions_of_the_action(superuser: StaffClient) -> None:
    insert_users(superuser.app, 4)
    confirm_action(superuser, "delete")
    reader = staff_client(superuser.app, is_staff=True, permissions=("view_user", "change_user"))
    group_viewer = staff_client(superuser.app, is_staff=True, permissions=("view_group",))
    path = f"/admin/bulk/{newest_bulk_job(superuser.app).id}/"

    assert "Delete" in reader.get("/admin/bulk/").text
    assert "Cancel action" not in reader.get(path).text
    assert reader.post(f"{path}cancel/").status_code == 403
    assert group_viewer.get(path).status_code == 403
    assert (
        "/admin/bulk/" not in staff_client(superuser.app, is_staff=True, permissions=("view_user",)).get("/admin/").text
    )
    assert "/admin/bulk/" not in group_viewer.get("/admin/").text
    assert superuser.get("/admin/bulk/999999/").status_code == 404


def test_a_second_click_starts_no_second_job(superuser: StaffClient) -> None:
    insert_users(superuser.app, 4)
    sent = superuser.fields(superuser.post(ACTION_PATH, action="deactivate", all="true", query="search=crowd").text)

    first, second = superuser.post(ACTION_PATH, **sent), superuser.post(ACTION_PATH, **sent)

    assert first.headers["Location"] == second.headers["Location"]
    assert fetch_number(superuser.app, "SELECT count(*) FROM bulk_jobs") == 1


def test_jobs_are_deleted_a_month_after_their_end(superuser: StaffClient, monkeypatch: pytest.MonkeyPatch) -> None:
    insert_users(superuser.app, 4)
    confirm_action(superuser, "deactivate")
    run_bulk_jobs(superuser.app)
    move_clock(monkeypatch, timedelta(days=31))
    run_bulk_jobs(superuser.app)

    assert fetch_number(superuser.app, "SELECT count(*) FROM bulk_jobs") == 0
