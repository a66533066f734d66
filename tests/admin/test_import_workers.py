"""Who does the imports that staff start: each once, one at a time, whichever of the workers die."""

import json
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from desk import Clerk, clerk
from factories import make_user
from flask import Flask
from import_desk import TABLE, counts, files, imported, job, later, plain, rows, upload, work

from userapi.core import job_runner, leases
from userapi.transfer import import_pipeline, job_worker

#: An import is woken for at once; what is left to a look waits longer than a test does.
NEVER = 3600.0


@pytest.fixture
def boss(app: Flask) -> Clerk:
    return clerk(app, is_staff=True, is_superuser=True, email="boss@example.com")


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
    boss: Clerk, monkeypatch: pytest.MonkeyPatch, dry_run: str
) -> None:
    monkeypatch.setattr(import_pipeline, "BATCH", 2)
    make_user(boss.app, email="u1@example.com")
    ids = [{"id": 900}, {"id": 901}, {}, {"id": 900}, {"id": 902}, {"email": "u0@example.com"}, {"email": "no"}, {}]
    text = "".join(json.dumps({"email": f"u{n}@example.com", **told}) + "\n" for n, told in enumerate(ids))
    upload(boss, text, "users.jsonl", dry_run=dry_run)

    with pytest.raises(KeyboardInterrupt):
        work(boss.app, stop=die_after(2))
    at_death = (job(boss.app).state, len(imported(boss.app)))
    work(boss.app)
    meanwhile = job(boss.app).state
    later(monkeypatch, timedelta(minutes=11))
    work(boss.app)

    assert at_death == ("running", 1 if dry_run else 3)
    assert meanwhile == "running"
    assert job(boss.app).state == "done"
    assert counts(boss.app) == {"read": 8, "made": 5, "there_already": 1, "refused": 2, "altered": 1}
    told = [(kind, place) for kind, place, _reason in plain(job(boss.app).report)]
    assert sorted(told) == [
        ("altered", "line 4"), ("refused", "line 6"), ("refused", "line 7"), ("there already", "line 2"),
    ]  # fmt: skip
    if not dry_run:
        assert imported(boss.app).count("u3@example.com") == 1
        assert len(imported(boss.app)) == 6
        found = rows(boss.app, "SELECT changes FROM audit_events WHERE action = 'users.imported'")
        assert [plain(row.changes)["made"] for row in found] == [[None, 5]]


def test_a_worker_that_is_to_stop_lets_the_next_go_on_at_once(boss: Clerk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_pipeline, "BATCH", 2)
    upload(boss, lines(7), "users.jsonl", dry_run="")

    seen = []
    for _ in range(4):
        work(boss.app, stop=lambda: True)
        seen.append(len(imported(boss.app)))
    work(boss.app)

    assert seen == [2, 4, 6, 7]
    assert (job(boss.app).state, counts(boss.app)) == ("done", {"read": 7, "made": 7})


def test_a_worker_that_overslept_its_lease_writes_nothing_more(boss: Clerk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_pipeline, "BATCH", 2)
    upload(boss, lines(6), "users.jsonl", dry_run="")
    turns: list[int] = []

    def oversleep() -> bool:
        """After the first batch another worker takes over, and does the next."""
        if not turns:
            turns.append(1)
            later(monkeypatch, timedelta(minutes=2))
            work(boss.app, stop=lambda: True)
        return False

    work(boss.app, stop=oversleep)
    meanwhile = (job(boss.app).state, len(imported(boss.app)))
    work(boss.app)

    assert meanwhile == ("running", 4)
    assert (job(boss.app).state, counts(boss.app)) == ("done", {"read": 6, "made": 6})
    assert len(imported(boss.app)) == 6


def test_an_import_that_ends_every_worker_is_given_up(boss: Clerk, monkeypatch: pytest.MonkeyPatch) -> None:
    upload(boss, TABLE, dry_run="")

    def crash(*_arguments: Any, **_options: Any) -> None:
        raise MemoryError

    monkeypatch.setattr(job_worker.importing, "bring_in", crash)
    for _ in range(leases.MOST_ATTEMPTS):
        with pytest.raises(MemoryError):
            work(boss.app)
    work(boss.app)

    assert job(boss.app).state == "failed"
    assert "interrupted several times" in boss.get(f"/admin/imports/{job(boss.app).id}/").text
    assert files(boss.app) == 0


def test_one_import_is_done_at_a_time_the_oldest_first(boss: Clerk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_pipeline, "BATCH", 1)
    upload(boss, TABLE, dry_run="")
    upload(boss, "email\nmary@example.com\n", dry_run="")
    seen: list[list[str]] = []

    def look() -> bool:
        with boss.app.app_context():
            job_worker.do_due()
        seen.append(imported(boss.app))
        return False

    work(boss.app, stop=look)
    work(boss.app)

    assert seen[:2] == [["ada@example.com"], ["ada@example.com", "grace@example.com"]]
    assert imported(boss.app)[-1] == "mary@example.com"


def test_a_server_imports_by_itself_unless_the_settings_leave_it_to_others(make_app: Callable[..., Flask]) -> None:
    threads = {
        label: "userapi-jobs" in make_app(**overrides).extensions
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
    monkeypatch.setattr(job_runner, "POLL", NEVER)
    app = make_app(MAIL_DELIVERY="thread")
    boss = clerk(app, is_staff=True, is_superuser=True, email="boss@example.com")
    try:
        for content in (TABLE, "email\nmary@example.com\n"):
            upload(boss, content, dry_run="")
            deadline = time.monotonic() + 15
            while job(app).state != "done" and time.monotonic() < deadline:
                time.sleep(0.02)
    finally:
        app.extensions["userapi-jobs"].stop()

    assert imported(app) == ["ada@example.com", "grace@example.com", "mary@example.com"]
