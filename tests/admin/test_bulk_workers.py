"""Workers of bulk actions: they continue after crashes, stop when cancelled, and fail without permission."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from tests.support.bulk_actions import (
    confirm_action,
    fact,
    insert_users,
    newest_bulk_job,
    newest_job_page,
    run_bulk_jobs,
)
from tests.support.sql import fetch_number, fetch_rows
from tests.support.staff_client import StaffClient, staff_client
from tests.support.staff_imports import move_clock
from userapi.admin import user_actions
from userapi.bulk import job_worker
from userapi.core import leased_jobs
from userapi.core.db import db

pytestmark = pytest.mark.both


INACTIVE = "SELECT count(*) FROM users WHERE NOT is_active"


@pytest.fixture
def superuser(app: Flask) -> StaffClient:
    return staff_client(app, is_staff=True, is_superuser=True)


@pytest.fixture(autouse=True)
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(user_actions, "MAX_USERS", 3)
    monkeypatch.setattr(job_worker, "BATCH_SIZE", 2)


def killed_after(batches: int) -> Callable[[], bool]:
    """A `stop` callback that kills the worker during the batch after this number of batches."""
    left = [batches]

    def stop() -> bool:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return False

    return stop


def test_the_next_worker_continues_after_a_killed_one_and_acts_on_no_account_twice(
    superuser: StaffClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert_users(superuser.app, 7)
    confirm_action(superuser, "send_reset")

    with pytest.raises(KeyboardInterrupt):
        run_bulk_jobs(superuser.app, stop=killed_after(2))
    at_death = (newest_bulk_job(superuser.app).state, newest_bulk_job(superuser.app).done)
    run_bulk_jobs(superuser.app)
    too_early = (newest_bulk_job(superuser.app).state, newest_bulk_job(superuser.app).done)
    move_clock(monkeypatch, timedelta(minutes=2))
    run_bulk_jobs(superuser.app)

    assert at_death == too_early == ("running", 4) or at_death == too_early == ("running", 6)
    assert (newest_bulk_job(superuser.app).state, newest_bulk_job(superuser.app).done) == ("done", 7)
    sent = fetch_rows(superuser.app, "SELECT recipient FROM messages WHERE kind = 'reset_password'")
    assert len(sent) == len({row.recipient for row in sent}) == 7


def test_a_worker_whose_lease_has_expired_rolls_back_its_batch(
    superuser: StaffClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert_users(superuser.app, 6)
    confirm_action(superuser, "send_reset")
    turns: list[int] = []

    def let_lease_expire() -> bool:
        """Let another worker take over the job after the first batch and run the next batch."""
        if not turns:
            turns.append(1)
            move_clock(monkeypatch, timedelta(minutes=2))
            run_bulk_jobs(superuser.app, stop=lambda: True)
        return False

    run_bulk_jobs(superuser.app, stop=let_lease_expire)
    run_bulk_jobs(superuser.app)

    assert (newest_bulk_job(superuser.app).state, newest_bulk_job(superuser.app).done) == ("done", 6)
    assert fetch_number(superuser.app, "SELECT count(*) FROM messages WHERE kind = 'reset_password'") == 6


def test_a_job_can_be_cancelled_and_what_was_done_stays(superuser: StaffClient) -> None:
    insert_users(superuser.app, 6)
    confirm_action(superuser, "deactivate")
    run_bulk_jobs(superuser.app, stop=lambda: True)

    cancelled = superuser.post(f"/admin/bulk/{newest_bulk_job(superuser.app).id}/cancel/")
    run_bulk_jobs(superuser.app)

    assert cancelled.status_code == 303
    assert fetch_number(superuser.app, INACTIVE) == 2
    assert newest_bulk_job(superuser.app).state == "cancelled"
    assert fact(newest_job_page(superuser), "Not processed") == "4"
    assert superuser.post(f"/admin/bulk/{newest_bulk_job(superuser.app).id}/cancel/").status_code == 404
    assert fetch_number(superuser.app, "SELECT count(*) FROM bulk_targets") == 0


def test_a_worker_stops_when_its_job_is_cancelled(superuser: StaffClient) -> None:
    insert_users(superuser.app, 6)
    confirm_action(superuser, "deactivate")

    def cancel() -> bool:
        superuser.post(f"/admin/bulk/{newest_bulk_job(superuser.app).id}/cancel/")
        return False

    run_bulk_jobs(superuser.app, stop=cancel)

    assert fetch_number(superuser.app, INACTIVE) == 2
    assert newest_bulk_job(superuser.app).state == "cancelled"


@pytest.mark.parametrize("lost", ["is_active", "is_staff", "permission"])
def test_a_job_fails_when_the_user_who_started_it_loses_the_permission(superuser: StaffClient, lost: str) -> None:
    helper = staff_client(superuser.app, is_staff=True, permissions=("view_user", "change_user"))
    insert_users(superuser.app, 6)
    confirm_action(helper, "deactivate")
    run_bulk_jobs(superuser.app, stop=lambda: True)

    if lost == "permission":
        with superuser.app.app_context():
            db.session.execute(sa.text("DELETE FROM user_permissions WHERE user_id = :id"), {"id": helper.id})
            db.session.commit()
    else:
        form = superuser.form(f"/admin/users/{helper.id}/access/")
        del form[lost]
        assert superuser.post(f"/admin/users/{helper.id}/access/", **form).status_code == 303
    run_bulk_jobs(superuser.app)

    assert newest_bulk_job(superuser.app).state == "failed"
    assert "no longer has the permission" in newest_job_page(superuser)
    assert fetch_number(superuser.app, f"{INACTIVE} AND email LIKE 'crowd%'") == 2


def test_a_job_that_crashes_every_worker_fails(superuser: StaffClient, monkeypatch: pytest.MonkeyPatch) -> None:
    insert_users(superuser.app, 4)
    confirm_action(superuser, "deactivate")

    def crash(*_arguments: Any, **_options: Any) -> None:
        raise MemoryError

    monkeypatch.setattr(job_worker.rules, "act_on_account", crash)
    for _ in range(leased_jobs.MAX_ATTEMPTS):
        with pytest.raises(MemoryError):
            run_bulk_jobs(superuser.app)
    run_bulk_jobs(superuser.app)

    assert newest_bulk_job(superuser.app).state == "failed"
    assert "interrupted several times" in newest_job_page(superuser)
