"""Who does the imports that staff start: each once, one at a time, whichever of the workers die."""

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

#: An import is woken for at once; what is left to a look waits longer than a test does.
NEVER = 3600.0


@pytest.fixture
def boss(app: Flask) -> StaffClient:
    return staff_client(app, is_staff=True, is_superuser=True, email="boss@example.com")


def lines(number: int, **fields: Any) -> str:
    return "".join(json.dumps({"email": f"u{n}@example.com", **fields}) + "\n" for n in range(number))


def die_after(batches: int) -> Callable[[], bool]:
    """Asked after each batch; a worker ends in the middle of the one that follows so many."""
    left = [batches]

    def stop() -> bool:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return False

    return stop


@pytest.mark.parametrize("dry_run", ["", "true"])
def test_the_work_of_a_worker_that_died_is_taken_over_when_its_lease_is_over_and_nobody_is_lost_or_told_twice(
    boss: StaffClient, monkeypatch: pytest.MonkeyPatch, dry_run: str
) -> None:
    monkeypatch.setattr(import_pipeline, "BATCH_SIZE", 2)
    make_user(boss.app, email="u1@example.com")
    ids = [{"id": 900}, {"id": 901}, {}, {"id": 900}, {"id": 902}, {"email": "u0@example.com"}, {"email": "no"}, {}]
    text = "".join(json.dumps({"email": f"u{n}@example.com", **told}) + "\n" for n, told in enumerate(ids))
    upload_import(boss, text, "users.jsonl", dry_run=dry_run)

    with pytest.raises(KeyboardInterrupt):
        run_import_jobs(boss.app, stop=die_after(2))
    at_death = (newest_import(boss.app).state, len(imported_emails(boss.app)))
    run_import_jobs(boss.app)
    meanwhile = newest_import(boss.app).state
    move_clock(monkeypatch, timedelta(minutes=11))
    run_import_jobs(boss.app)

    assert at_death == ("running", 1 if dry_run else 3)
    assert meanwhile == "running"
    assert newest_import(boss.app).state == "done"
    assert import_counts(boss.app) == {"read": 8, "made": 5, "there_already": 1, "refused": 2, "altered": 1}
    told = [(kind, place) for kind, place, _reason in from_json(newest_import(boss.app).report)]
    assert sorted(told) == [
        ("altered", "line 4"), ("refused", "line 6"), ("refused", "line 7"), ("there already", "line 2"),
    ]  # fmt: skip
    if not dry_run:
        assert imported_emails(boss.app).count("u3@example.com") == 1
        assert len(imported_emails(boss.app)) == 6
        found = fetch_rows(boss.app, "SELECT changes FROM audit_events WHERE action = 'users.imported'")
        assert [from_json(row.changes)["made"] for row in found] == [[None, 5]]


def test_a_worker_that_is_to_stop_lets_the_next_go_on_at_once(
    boss: StaffClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_pipeline, "BATCH_SIZE", 2)
    upload_import(boss, lines(7), "users.jsonl", dry_run="")

    seen = []
    for _ in range(4):
        run_import_jobs(boss.app, stop=lambda: True)
        seen.append(len(imported_emails(boss.app)))
    run_import_jobs(boss.app)

    assert seen == [2, 4, 6, 7]
    assert (newest_import(boss.app).state, import_counts(boss.app)) == ("done", {"read": 7, "made": 7})


def test_a_worker_that_overslept_its_lease_writes_nothing_more(
    boss: StaffClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_pipeline, "BATCH_SIZE", 2)
    upload_import(boss, lines(6), "users.jsonl", dry_run="")
    turns: list[int] = []

    def oversleep() -> bool:
        """After the first batch another worker takes over, and does the next."""
        if not turns:
            turns.append(1)
            move_clock(monkeypatch, timedelta(minutes=2))
            run_import_jobs(boss.app, stop=lambda: True)
        return False

    run_import_jobs(boss.app, stop=oversleep)
    meanwhile = (newest_import(boss.app).state, len(imported_emails(boss.app)))
    run_import_jobs(boss.app)

    assert meanwhile == ("running", 4)
    assert (newest_import(boss.app).state, import_counts(boss.app)) == ("done", {"read": 6, "made": 6})
    assert len(imported_emails(boss.app)) == 6


def test_an_import_that_ends_every_worker_is_given_up(boss: StaffClient, monkeypatch: pytest.MonkeyPatch) -> None:
    upload_import(boss, USERS_CSV, dry_run="")

    def crash(*_arguments: Any, **_options: Any) -> None:
        raise MemoryError

    monkeypatch.setattr(job_worker.import_pipeline, "import_records", crash)
    for _ in range(leased_jobs.MAX_ATTEMPTS):
        with pytest.raises(MemoryError):
            run_import_jobs(boss.app)
    run_import_jobs(boss.app)

    assert newest_import(boss.app).state == "failed"
    assert "interrupted several times" in boss.get(f"/admin/imports/{newest_import(boss.app).id}/").text
    assert count_import_files(boss.app) == 0


def test_one_import_is_done_at_a_time_the_oldest_first(boss: StaffClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_pipeline, "BATCH_SIZE", 1)
    upload_import(boss, USERS_CSV, dry_run="")
    upload_import(boss, "email\nmary@example.com\n", dry_run="")
    seen: list[list[str]] = []

    def look() -> bool:
        with boss.app.app_context():
            job_worker.run_next_job()
        seen.append(imported_emails(boss.app))
        return False

    run_import_jobs(boss.app, stop=look)
    run_import_jobs(boss.app)

    assert seen[:2] == [["ada@example.com"], ["ada@example.com", "grace@example.com"]]
    assert imported_emails(boss.app)[-1] == "mary@example.com"


def test_a_server_imports_by_itself_unless_the_settings_leave_it_to_others(make_app: Callable[..., Flask]) -> None:
    threads = {
        label: job_runner.KINDS in make_app(**overrides).extensions
        for label, overrides in {
            "by itself": {"MAIL_DELIVERY": "thread"},
            "left to commands": {"MAIL_DELIVERY": "none"},
            "left to Celery": {"MAIL_DELIVERY": "thread", "CELERY_BROKER_URL": "redis://127.0.0.1:1/0"},
        }.items()
    }

    assert threads == {"by itself": True, "left to commands": False, "left to Celery": False}


def test_a_server_begins_as_soon_as_it_is_asked(
    make_app: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_runner, "POLL_INTERVAL", NEVER)
    app = make_app(MAIL_DELIVERY="thread")
    boss = staff_client(app, is_staff=True, is_superuser=True, email="boss@example.com")
    try:
        for content in (USERS_CSV, "email\nmary@example.com\n"):
            upload_import(boss, content, dry_run="")
            wait_until(lambda: newest_import(app).state == "done", timeout=15)
    finally:
        app.extensions[loop.LOOPS][job_runner.NAME].stop()

    assert imported_emails(app) == ["ada@example.com", "grace@example.com", "mary@example.com"]
