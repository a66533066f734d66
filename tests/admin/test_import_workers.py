"""Workers run each import once and one at a time, even if some of them crash."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from tests.support.factories import make_user
from tests.support.sql import fetch_rows
from tests.support.staff_client import StaffClient, staff_client
from tests.support.staff_imports import (
    USERS_CSV,
    count_import_files,
    from_json,
    import_counts,
    imported_emails,
    move_clock,
    newest_import,
    run_import_jobs,
    upload_import,
)
from tests.support.waiting import wait_until
from userapi.core import job_runner, leased_jobs, loop
from userapi.transfer import import_pipeline, job_worker

pytestmark = pytest.mark.both

#: An interval so long that a test fails if a worker waits for the next poll, in seconds.
NEVER = 3600.0


@pytest.fixture
def superuser(app: Flask) -> StaffClient:
    return staff_client(app, is_staff=True, is_superuser=True, email="superuser@example.com")


def lines(number: int, **fields: Any) -> str:
    return "".join(json.dumps({"email": f"u{n}@example.com", **fields}) + "\n" for n in range(number))


def killed_after(batches: int) -> Callable[[], bool]:
    """A `stop` callback that kills the worker during the batch after this number of batches."""
    left = [batches]

    def stop() -> bool:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return False

    return stop


@pytest.mark.parametrize("dry_run", ["", "true"])
def test_another_worker_continues_an_import_after_the_lease_and_no_user_is_lost_or_reported_twice(
    superuser: StaffClient, monkeypatch: pytest.MonkeyPatch, dry_run: str
) -> None:
    monkeypatch.setattr(import_pipeline, "BATCH_SIZE", 2)
    make_user(superuser.app, email="u1@example.com")
    ids = [{"id": 900}, {"id": 901}, {}, {"id": 900}, {"id": 902}, {"email": "u0@example.com"}, {"email": "no"}, {}]
    text = "".join(json.dumps({"email": f"u{n}@example.com", **fields}) + "\n" for n, fields in enumerate(ids))
    upload_import(superuser, text, "users.jsonl", dry_run=dry_run)

    with pytest.raises(KeyboardInterrupt):
        run_import_jobs(superuser.app, stop=killed_after(2))
    at_death = (newest_import(superuser.app).state, len(imported_emails(superuser.app)))
    run_import_jobs(superuser.app)
    before_expiry = newest_import(superuser.app).state
    move_clock(monkeypatch, timedelta(minutes=11))
    run_import_jobs(superuser.app)

    assert at_death == ("running", 1 if dry_run else 3)
    assert before_expiry == "running"
    assert newest_import(superuser.app).state == "done"
    assert import_counts(superuser.app) == {"read": 8, "made": 5, "there_already": 1, "refused": 2, "altered": 1}
    reported = [(kind, place) for kind, place, _reason in from_json(newest_import(superuser.app).report)]
    assert sorted(reported) == [
        ("altered", "line 4"), ("refused", "line 6"), ("refused", "line 7"), ("there already", "line 2"),
    ]  # fmt: skip
    if not dry_run:
        assert imported_emails(superuser.app).count("u3@example.com") == 1
        assert len(imported_emails(superuser.app)) == 6
        found = fetch_rows(superuser.app, "SELECT changes FROM audit_events WHERE action = 'users.imported'")
        assert [from_json(row.changes)["made"] for row in found] == [[None, 5]]


def test_the_next_worker_continues_immediately_when_one_is_stopped(
    superuser: StaffClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_pipeline, "BATCH_SIZE", 2)
    upload_import(superuser, lines(7), "users.jsonl", dry_run="")

    seen = []
    for _ in range(4):
        run_import_jobs(superuser.app, stop=lambda: True)
        seen.append(len(imported_emails(superuser.app)))
    run_import_jobs(superuser.app)

    assert seen == [2, 4, 6, 7]
    assert (newest_import(superuser.app).state, import_counts(superuser.app)) == ("done", {"read": 7, "made": 7})


def test_a_worker_whose_lease_has_expired_writes_nothing(
    superuser: StaffClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_pipeline, "BATCH_SIZE", 2)
    upload_import(superuser, lines(6), "users.jsonl", dry_run="")
    turns: list[int] = []

    def let_lease_expire() -> bool:
        """Let another worker take over the job after the first batch and run the next batch."""
        if not turns:
            turns.append(1)
            move_clock(monkeypatch, timedelta(minutes=2))
            run_import_jobs(superuser.app, stop=lambda: True)
        return False

    run_import_jobs(superuser.app, stop=let_lease_expire)
    before_expiry = (newest_import(superuser.app).state, len(imported_emails(superuser.app)))
    run_import_jobs(superuser.app)

    assert before_expiry == ("running", 4)
    assert (newest_import(superuser.app).state, import_counts(superuser.app)) == ("done", {"read": 6, "made": 6})
    assert len(imported_emails(superuser.app)) == 6


def test_an_import_that_crashes_every_worker_fails(superuser: StaffClient, monkeypatch: pytest.MonkeyPatch) -> None:
    upload_import(superuser, USERS_CSV, dry_run="")

    def crash(*_arguments: Any, **_options: Any) -> None:
        raise MemoryError

    monkeypatch.setattr(job_worker.import_pipeline, "import_records", crash)
    for _ in range(leased_jobs.MAX_ATTEMPTS):
        with pytest.raises(MemoryError):
            run_import_jobs(superuser.app)
    run_import_jobs(superuser.app)

    assert newest_import(superuser.app).state == "failed"
    assert "interrupted several times" in superuser.get(f"/admin/imports/{newest_import(superuser.app).id}/").text
    assert count_import_files(superuser.app) == 0


def test_imports_run_one_at_a_time_oldest_first(superuser: StaffClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_pipeline, "BATCH_SIZE", 1)
    upload_import(superuser, USERS_CSV, dry_run="")
    upload_import(superuser, "email\nmary@example.com\n", dry_run="")
    seen: list[list[str]] = []

    def look() -> bool:
        with superuser.app.app_context():
            job_worker.run_next_job()
        seen.append(imported_emails(superuser.app))
        return False

    run_import_jobs(superuser.app, stop=look)
    run_import_jobs(superuser.app)

    assert seen[:2] == [["ada@example.com"], ["ada@example.com", "grace@example.com"]]
    assert imported_emails(superuser.app)[-1] == "mary@example.com"


def test_a_server_runs_imports_unless_the_settings_leave_them_to_workers(make_app: Callable[..., Flask]) -> None:
    threads = {
        label: job_runner.KINDS in make_app(**overrides).extensions
        for label, overrides in {
            "by itself": {"MAIL_DELIVERY": "thread"},
            "left to commands": {"MAIL_DELIVERY": "none"},
            "left to Celery": {"MAIL_DELIVERY": "thread", "CELERY_BROKER_URL": "redis://127.0.0.1:1/0"},
        }.items()
    }

    assert threads == {"by itself": True, "left to commands": False, "left to Celery": False}


def test_a_server_starts_an_import_immediately(make_app: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_runner, "POLL_INTERVAL", NEVER)
    app = make_app(MAIL_DELIVERY="thread")
    superuser = staff_client(app, is_staff=True, is_superuser=True, email="superuser@example.com")
    try:
        for content in (USERS_CSV, "email\nmary@example.com\n"):
            upload_import(superuser, content, dry_run="")
            wait_until(lambda: newest_import(app).state == "done", timeout=15)
    finally:
        app.extensions[loop.LOOPS][job_runner.NAME].stop()

    assert imported_emails(app) == ["ada@example.com", "grace@example.com", "mary@example.com"]
