"""Bulk actions when several workers, or a worker and a member of staff, meet (point 9)."""

import threading
from typing import Any

import pytest
from bulk_desk import confirm, job, make_crowd, number, work
from desk import Clerk, clerk
from flask import Flask
from together import at_once

from userapi.admin import user_actions
from userapi.bulk import job_worker, rules

SENT = "SELECT count(*) FROM messages WHERE kind = 'reset_password'"


@pytest.fixture
def boss(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Clerk:
    monkeypatch.setattr(user_actions, "MOST", 3)
    monkeypatch.setattr(job_worker, "BATCH", 2)
    return clerk(app, is_staff=True, is_superuser=True)


def test_of_workers_who_come_at_the_same_time_one_acts_on_each_account(boss: Clerk) -> None:
    make_crowd(boss.app, 9)
    confirm(boss, "send_reset")

    at_once([lambda: work(boss.app)] * 4)
    work(boss.app)

    assert (job(boss.app).state, job(boss.app).done) == ("done", 9)
    assert number(boss.app, SENT) == 9


def test_a_cancellation_in_the_middle_of_a_batch_is_answered_and_leaves_true_numbers(
    boss: Clerk, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_crowd(boss.app, 9)
    confirm(boss, "send_reset")
    in_batch, act = threading.Event(), rules.act

    def act_slowly(*arguments: Any, **options: Any) -> bool:
        is_done = act(*arguments, **options)
        if not in_batch.is_set():
            in_batch.set()
            cancelling.join(1)  # longer than a cancellation takes that need not wait for the batch
        return is_done

    def cancel() -> None:
        in_batch.wait(10)
        answers.append(boss.post(f"/admin/bulk/{job(boss.app).id}/cancel/").status_code)

    answers: list[int] = []
    cancelling = threading.Thread(target=cancel)
    monkeypatch.setattr(job_worker.rules, "act", act_slowly)
    cancelling.start()
    work(boss.app)
    cancelling.join()
    work(boss.app)

    assert answers == [303]
    assert job(boss.app).state == "cancelled"
    assert number(boss.app, SENT) == job(boss.app).done < 9
    assert number(boss.app, "SELECT count(*) FROM bulk_targets WHERE reason IS NULL") == 0
