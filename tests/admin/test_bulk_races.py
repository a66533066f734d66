"""Bulk actions when several workers, or a worker and a member of staff, act at the same time."""

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
def superuser(app: Flask, monkeypatch: pytest.MonkeyPatch) -> StaffClient:
    monkeypatch.setattr(user_actions, "MAX_USERS", 3)
    monkeypatch.setattr(job_worker, "BATCH_SIZE", 2)
    return staff_client(app, is_staff=True, is_superuser=True)


def test_only_one_of_several_workers_acts_on_each_account(superuser: StaffClient) -> None:
    insert_users(superuser.app, 9)
    confirm_action(superuser, "send_reset")

    run_simultaneously([lambda: run_bulk_jobs(superuser.app)] * 4)
    run_bulk_jobs(superuser.app)

    assert (newest_bulk_job(superuser.app).state, newest_bulk_job(superuser.app).done) == ("done", 9)
    assert fetch_number(superuser.app, SENT) == 9


def test_cancelling_during_a_batch_responds_and_keeps_the_counts_correct(
    superuser: StaffClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert_users(superuser.app, 9)
    confirm_action(superuser, "send_reset")
    in_batch, act = threading.Event(), rules.act_on_account

    def act_slowly(*arguments: Any, **options: Any) -> bool:
        is_done = act(*arguments, **options)
        if not in_batch.is_set():
            in_batch.set()
            cancelling.join(1)  # a cancellation takes less time if it does not wait for the batch
        return is_done

    def cancel() -> None:
        in_batch.wait(10)
        responses.append(superuser.post(f"/admin/bulk/{newest_bulk_job(superuser.app).id}/cancel/").status_code)

    responses: list[int] = []
    cancelling = threading.Thread(target=cancel)
    monkeypatch.setattr(job_worker.rules, "act_on_account", act_slowly)
    cancelling.start()
    run_bulk_jobs(superuser.app)
    cancelling.join()
    run_bulk_jobs(superuser.app)

    assert responses == [303]
    assert newest_bulk_job(superuser.app).state == "cancelled"
    assert fetch_number(superuser.app, SENT) == newest_bulk_job(superuser.app).done < 9
    assert fetch_number(superuser.app, "SELECT count(*) FROM bulk_targets WHERE reason IS NULL") == 0
