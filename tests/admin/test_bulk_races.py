"""Bulk actions when several workers, or a worker and a member of staff, meet (point 9)."""

import threading
from typing import Any

import pytest
from flask import Flask

from tests.support.bulk_actions import confirm_action, insert_users, newest_bulk_job, run_bulk_jobs
from tests.support.race import run_simultaneously
from tests.support.sql import fetch_number
from tests.support.staff_client import StaffClient, staff_client
from userapi.admin import user_actions
from userapi.bulk import job_worker, rules

pytestmark = pytest.mark.both

SENT = "SELECT count(*) FROM messages WHERE kind = 'reset_password'"


@pytest.fixture
def boss(app: Flask, monkeypatch: pytest.MonkeyPatch) -> StaffClient:
    monkeypatch.setattr(user_actions, "MAX_USERS", 3)
    monkeypatch.setattr(job_worker, "BATCH_SIZE", 2)
    return staff_client(app, is_staff=True, is_superuser=True)


def test_of_workers_who_come_at_the_same_time_one_acts_on_each_account(boss: StaffClient) -> None:
    insert_users(boss.app, 9)
    confirm_action(boss, "send_reset")

    run_simultaneously([lambda: run_bulk_jobs(boss.app)] * 4)
    run_bulk_jobs(boss.app)

    assert (newest_bulk_job(boss.app).state, newest_bulk_job(boss.app).done) == ("done", 9)
    assert fetch_number(boss.app, SENT) == 9


def test_a_cancellation_in_the_middle_of_a_batch_is_answered_and_leaves_true_numbers(
    boss: StaffClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert_users(boss.app, 9)
    confirm_action(boss, "send_reset")
    in_batch, act = threading.Event(), rules.act_on_account

    def act_slowly(*arguments: Any, **options: Any) -> bool:
        is_done = act(*arguments, **options)
        if not in_batch.is_set():
            in_batch.set()
            cancelling.join(1)  # longer than a cancellation takes that need not wait for the batch
        return is_done

    def cancel() -> None:
        in_batch.wait(10)
        answers.append(boss.post(f"/admin/bulk/{newest_bulk_job(boss.app).id}/cancel/").status_code)

    answers: list[int] = []
    cancelling = threading.Thread(target=cancel)
    monkeypatch.setattr(job_worker.rules, "act_on_account", act_slowly)
    cancelling.start()
    run_bulk_jobs(boss.app)
    cancelling.join()
    run_bulk_jobs(boss.app)

    assert answers == [303]
    assert newest_bulk_job(boss.app).state == "cancelled"
    assert fetch_number(boss.app, SENT) == newest_bulk_job(boss.app).done < 9
    assert fetch_number(boss.app, "SELECT count(*) FROM bulk_targets WHERE reason IS NULL") == 0
