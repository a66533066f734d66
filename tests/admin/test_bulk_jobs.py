"""Bulk actions over all that match, at any size: in the background, with a page to follow (F13, point 9)."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from tests.support.bulk_actions import (
    ACTION_PATH,
    confirm_action,
    insert_users,
    newest_bulk_job,
    run_bulk_jobs,
    skipped_targets,
)
from tests.support.factories import PASSWORD, make_user
from tests.support.sql import fetch_number, fetch_rows
from tests.support.staff_client import StaffClient, grant_permissions, staff_client, stored_value
from tests.support.staff_imports import from_json, move_clock
from userapi.admin import user_actions
from userapi.bulk import job_worker
from userapi.core import leased_jobs
from userapi.core.db import db

pytestmark = pytest.mark.both

INACTIVE = "SELECT count(*) FROM users WHERE NOT is_active"


@pytest.fixture
def boss(app: Flask) -> StaffClient:
    return staff_client(app, is_staff=True, is_superuser=True)


@pytest.fixture(autouse=True)
def few_in_one_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(user_actions, "MAX_USERS", 3)
    monkeypatch.setattr(job_worker, "BATCH_SIZE", 2)


def page(boss: StaffClient) -> str:
    return " ".join(boss.get(f"/admin/bulk/{newest_bulk_job(boss.app).id}/").text.split())


def fact(text: str, name: str) -> str:
    """What a page says of one thing."""
    return text.partition(f"<dt>{name}</dt><dd>")[2].partition("</dd>")[0]


def killed_after(batches: int) -> Callable[[], bool]:
    """Called after each batch; the worker is killed in the middle of the one that follows so many."""
    left = [batches]

    def stop() -> bool:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return False

    return stop


@pytest.mark.slow
def test_five_thousand_users_are_deactivated_in_the_background(
    boss: StaffClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(leased_jobs, "BATCH_PAUSE", 0)
    insert_users(boss.app, 5000)
    other = make_user(boss.app)

    confirmation = boss.post(ACTION_PATH, action="deactivate", all="true", query="search=crowd")
    started = boss.post(ACTION_PATH, **boss.fields(confirmation.text))
    before = boss.get(started.headers["Location"]).text
    nothing_yet = fetch_number(boss.app, INACTIVE)
    run_bulk_jobs(boss.app)

    assert "Deactivate 5,000 users?" in confirmation.text
    assert started.status_code == 303
    assert "0 of 5,000" in before
    assert nothing_yet == 0
    assert fetch_number(boss.app, INACTIVE) == 5000
    assert stored_value(boss.app, other, "is_active")
    assert "5,000 of 5,000" in page(boss)
    assert (newest_bulk_job(boss.app).state, newest_bulk_job(boss.app).done, newest_bulk_job(boss.app).left_out) == (
        "done",
        5000,
        0,
    )
    assert fetch_number(boss.app, "SELECT count(*) FROM bulk_targets") == 0


@pytest.mark.parametrize("action", ["activate", "deactivate", "end_sessions", "send_reset", "delete"])
def test_every_action_of_the_list_works_on_any_number(boss: StaffClient, action: str) -> None:
    ids = insert_users(boss.app, 5, is_active=action != "activate")

    assert confirm_action(boss, action).status_code == 303
    run_bulk_jobs(boss.app)

    done = {
        "activate": "SELECT count(*) FROM users WHERE is_active AND email LIKE 'crowd%'",
        "deactivate": INACTIVE,
        "end_sessions": "SELECT count(*) FROM users WHERE session_version = 1 AND email LIKE 'crowd%'",
        "send_reset": "SELECT count(DISTINCT recipient) FROM messages WHERE kind = 'reset_password'",
        "delete": "SELECT 5 - count(*) FROM users WHERE email LIKE 'crowd%'",
    }
    assert (newest_bulk_job(boss.app).state, newest_bulk_job(boss.app).done) == ("done", 5)
    assert fetch_number(boss.app, done[action]) == 5
    events = fetch_rows(boss.app, "SELECT actor_id, target_id FROM audit_events WHERE target_kind = 'user'")
    assert {(boss.id, str(user_id)) for user_id in ids} <= {(row.actor_id, row.target_id) for row in events}


def test_the_confirmation_counts_what_will_happen(boss: StaffClient) -> None:
    helper = staff_client(boss.app, is_staff=True, permissions=("view_user", "change_user"), last_name="Tidewater")
    ids = [make_user(boss.app, password=None, last_name="Tidewater") for _ in range(6)]
    make_user(boss.app, last_name="Tidewater", is_staff=True, is_superuser=True)
    boss.post(ACTION_PATH, action="deactivate", user=ids[:2], confirmed="1")

    confirmation = helper.post(ACTION_PATH, action="deactivate", all="true", query="search=tidewater").text

    assert "Deactivate 4 users?" in confirmation
    assert fact(confirmation, "Matching users") == "8"
    assert fact(confirmation, "Already inactive") == "2"
    assert fact(confirmation, "Your own account") == "1"
    assert fact(confirmation, "Superusers (only a superuser can change them)") == "1"
    assert fact(confirmation, "Users affected") == "<strong>4</strong>"


def test_each_account_keeps_its_rules_and_the_report_names_who_was_left_out_and_why(boss: StaffClient) -> None:
    rights = ("view_user", "change_user")
    helper = staff_client(boss.app, is_staff=True, permissions=rights, last_name="Tidewater")
    plain_ids = [make_user(boss.app, password=None, last_name="Tidewater") for _ in range(3)]
    superuser = make_user(boss.app, is_staff=True, is_superuser=True, last_name="Tidewater")
    richer = make_user(boss.app, is_staff=True, last_name="Tidewater")
    grant_permissions(boss.app, richer, *rights, "delete_user")

    confirm_action(helper, "deactivate", "search=tidewater")
    deactivated, deleted = plain_ids[:2]
    boss.post(ACTION_PATH, action="deactivate", user=deactivated, confirmed="1")
    boss.post(ACTION_PATH, action="delete", user=deleted, confirmed="1", own_password=PASSWORD)
    run_bulk_jobs(boss.app)

    assert skipped_targets(boss.app) == {
        helper.id: "own_account",
        superuser: "permission_denied",
        richer: "permission_denied",
        deactivated: "unconcerned",
        deleted: "not_found",
    }
    assert (newest_bulk_job(boss.app).done, newest_bulk_job(boss.app).left_out) == (1, 5)
    assert not stored_value(boss.app, plain_ids[2], "is_active")
    report = page(helper)
    assert fact(report, "Skipped: Has permissions that you do not have") == "2"
    assert fact(report, "Skipped: Already inactive") == "1"
    assert f"user {deleted}" in report


@pytest.mark.parametrize("action", ["deactivate", "delete"])
def test_the_last_superuser_stays(boss: StaffClient, action: str) -> None:
    second = staff_client(boss.app, is_staff=True, is_superuser=True, last_name="Tidewater")
    third = make_user(boss.app, is_staff=True, is_superuser=True, last_name="Tidewater")
    for _ in range(2):
        make_user(boss.app, last_name="Tidewater")

    confirm_action(second, action, "search=tidewater")
    boss.post("/admin/users/act/", action="deactivate", user=boss.id, confirmed="1")
    run_bulk_jobs(boss.app)

    assert stored_value(boss.app, second.id, "is_active")
    assert not stored_value(boss.app, third, "is_active")
    assert skipped_targets(boss.app) == {second.id: "own_account"}


def test_users_who_join_after_the_confirmation_page_are_left_as_they_are(boss: StaffClient) -> None:
    insert_users(boss.app, 4)
    confirmation = boss.post(ACTION_PATH, action="delete", all="true", query="search=crowd").text
    newcomer = make_user(boss.app, email="crowd.newcomer@example.com")

    boss.post(ACTION_PATH, **boss.fields(confirmation))
    another = make_user(boss.app, email="crowd.another@example.com")
    run_bulk_jobs(boss.app)

    assert newest_bulk_job(boss.app).total == 4
    assert stored_value(boss.app, newcomer, "is_active")
    assert stored_value(boss.app, another, "is_active")


def test_the_next_worker_continues_where_a_killed_one_stopped_and_acts_on_no_account_twice(
    boss: StaffClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert_users(boss.app, 7)
    confirm_action(boss, "send_reset")

    with pytest.raises(KeyboardInterrupt):
        run_bulk_jobs(boss.app, stop=killed_after(2))
    at_death = (newest_bulk_job(boss.app).state, newest_bulk_job(boss.app).done)
    run_bulk_jobs(boss.app)
    too_early = (newest_bulk_job(boss.app).state, newest_bulk_job(boss.app).done)
    move_clock(monkeypatch, timedelta(minutes=2))
    run_bulk_jobs(boss.app)

    assert at_death == too_early == ("running", 4) or at_death == too_early == ("running", 6)
    assert (newest_bulk_job(boss.app).state, newest_bulk_job(boss.app).done) == ("done", 7)
    sent = fetch_rows(boss.app, "SELECT recipient FROM messages WHERE kind = 'reset_password'")
    assert len(sent) == len({row.recipient for row in sent}) == 7


def test_a_worker_that_overslept_its_lease_undoes_its_batch(boss: StaffClient, monkeypatch: pytest.MonkeyPatch) -> None:
    insert_users(boss.app, 6)
    confirm_action(boss, "send_reset")
    turns: list[int] = []

    def oversleep() -> bool:
        """After the first batch another worker takes over, and does the next."""
        if not turns:
            turns.append(1)
            move_clock(monkeypatch, timedelta(minutes=2))
            run_bulk_jobs(boss.app, stop=lambda: True)
        return False

    run_bulk_jobs(boss.app, stop=oversleep)
    run_bulk_jobs(boss.app)

    assert (newest_bulk_job(boss.app).state, newest_bulk_job(boss.app).done) == ("done", 6)
    assert fetch_number(boss.app, "SELECT count(*) FROM messages WHERE kind = 'reset_password'") == 6


def test_a_job_can_be_cancelled_and_what_was_done_stays(boss: StaffClient) -> None:
    insert_users(boss.app, 6)
    confirm_action(boss, "deactivate")
    run_bulk_jobs(boss.app, stop=lambda: True)

    cancelled = boss.post(f"/admin/bulk/{newest_bulk_job(boss.app).id}/cancel/")
    run_bulk_jobs(boss.app)

    assert cancelled.status_code == 303
    assert fetch_number(boss.app, INACTIVE) == 2
    assert newest_bulk_job(boss.app).state == "cancelled"
    assert fact(page(boss), "Not processed") == "4"
    assert boss.post(f"/admin/bulk/{newest_bulk_job(boss.app).id}/cancel/").status_code == 404
    assert fetch_number(boss.app, "SELECT count(*) FROM bulk_targets") == 0


def test_a_worker_finds_out_that_its_job_was_cancelled(boss: StaffClient) -> None:
    insert_users(boss.app, 6)
    confirm_action(boss, "deactivate")

    def cancel() -> bool:
        boss.post(f"/admin/bulk/{newest_bulk_job(boss.app).id}/cancel/")
        return False

    run_bulk_jobs(boss.app, stop=cancel)

    assert fetch_number(boss.app, INACTIVE) == 2
    assert newest_bulk_job(boss.app).state == "cancelled"


@pytest.mark.parametrize("lost", ["is_active", "is_staff", "permission"])
def test_a_job_ends_when_the_person_who_started_it_may_not_do_it_any_more(boss: StaffClient, lost: str) -> None:
    helper = staff_client(boss.app, is_staff=True, permissions=("view_user", "change_user"))
    insert_users(boss.app, 6)
    confirm_action(helper, "deactivate")
    run_bulk_jobs(boss.app, stop=lambda: True)

    if lost == "permission":
        with boss.app.app_context():
            db.session.execute(sa.text("DELETE FROM user_permissions WHERE user_id = :id"), {"id": helper.id})
            db.session.commit()
    else:
        form = boss.form(f"/admin/users/{helper.id}/")
        del form[lost]
        assert boss.post(f"/admin/users/{helper.id}/", **form).status_code == 303
    run_bulk_jobs(boss.app)

    assert newest_bulk_job(boss.app).state == "failed"
    assert "no longer has the permission" in page(boss)
    assert fetch_number(boss.app, f"{INACTIVE} AND email LIKE 'crowd%'") == 2


def test_a_job_that_ends_every_worker_fails(boss: StaffClient, monkeypatch: pytest.MonkeyPatch) -> None:
    insert_users(boss.app, 4)
    confirm_action(boss, "deactivate")

    def crash(*_arguments: Any, **_options: Any) -> None:
        raise MemoryError

    monkeypatch.setattr(job_worker.rules, "act_on_account", crash)
    for _ in range(leased_jobs.MAX_ATTEMPTS):
        with pytest.raises(MemoryError):
            run_bulk_jobs(boss.app)
    run_bulk_jobs(boss.app)

    assert newest_bulk_job(boss.app).state == "failed"
    assert "interrupted several times" in page(boss)


def test_the_trail_names_who_started_it_what_and_how_it_ended(boss: StaffClient) -> None:
    insert_users(boss.app, 4)
    confirm_action(boss, "deactivate", "search=crowd&is_active=true")
    run_bulk_jobs(boss.app)

    found = fetch_rows(
        boss.app, "SELECT action, actor_id, changes FROM audit_events WHERE target_kind = 'bulk' ORDER BY id"
    )
    assert [(row.action, row.actor_id) for row in found] == [("bulk.started", boss.id), ("bulk.finished", boss.id)]
    assert from_json(found[0].changes)["staff_search"] == ["…", "…"]
    assert from_json(found[1].changes)["done"] == [None, 4]


def test_a_grave_action_needs_a_fresh_password_before_it_is_started(
    boss: StaffClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert_users(boss.app, 4)
    move_clock(monkeypatch, timedelta(minutes=16))

    refused = confirm_action(boss, "delete")
    started = confirm_action(boss, "delete", own_password=PASSWORD)

    assert refused.status_code == 400
    assert 'href="#own_password"' in refused.text
    assert started.status_code == 303


def test_jobs_are_for_those_who_may_look_at_users_and_cancelled_by_those_who_may_act(boss: StaffClient) -> None:
    insert_users(boss.app, 4)
    confirm_action(boss, "delete")
    reader = staff_client(boss.app, is_staff=True, permissions=("view_user", "change_user"))
    stranger = staff_client(boss.app, is_staff=True, permissions=("view_group",))
    path = f"/admin/bulk/{newest_bulk_job(boss.app).id}/"

    assert "Delete" in reader.get("/admin/bulk/").text
    assert "Cancel action" not in reader.get(path).text
    assert reader.post(f"{path}cancel/").status_code == 403
    assert stranger.get(path).status_code == 403
    assert "/admin/bulk/" not in staff_client(boss.app, is_staff=True, permissions=("view_user",)).get("/admin/").text
    assert "/admin/bulk/" not in stranger.get("/admin/").text
    assert boss.get("/admin/bulk/999999/").status_code == 404


def test_a_second_click_starts_no_second_job(boss: StaffClient) -> None:
    insert_users(boss.app, 4)
    sent = boss.fields(boss.post(ACTION_PATH, action="deactivate", all="true", query="search=crowd").text)

    first, second = boss.post(ACTION_PATH, **sent), boss.post(ACTION_PATH, **sent)

    assert first.headers["Location"] == second.headers["Location"]
    assert fetch_number(boss.app, "SELECT count(*) FROM bulk_jobs") == 1


def test_jobs_are_deleted_a_month_after_their_end(boss: StaffClient, monkeypatch: pytest.MonkeyPatch) -> None:
    insert_users(boss.app, 4)
    confirm_action(boss, "deactivate")
    run_bulk_jobs(boss.app)
    move_clock(monkeypatch, timedelta(days=31))
    run_bulk_jobs(boss.app)

    assert fetch_number(boss.app, "SELECT count(*) FROM bulk_jobs") == 0
