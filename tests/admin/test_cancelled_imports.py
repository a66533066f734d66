"""A cancelled import says how much of the file was imported, and how much was not."""

import json
from typing import Any

import pytest
from flask import Flask

from tests.support.sql import fetch_number
from tests.support.staff_client import StaffClient, staff_client
from tests.support.staff_imports import USERS_CSV, newest_import, run_import_jobs, upload_import
from userapi.transfer import import_pipeline

pytestmark = pytest.mark.both


@pytest.fixture
def boss(app: Flask) -> StaffClient:
    return staff_client(app, is_staff=True, is_superuser=True)


def cancelled_after(boss: StaffClient, sent: Any, batches: int) -> str:
    """The page of an import that is cancelled after so many batches."""
    left = [batches]

    def stop() -> bool:
        left[0] -= 1
        if not left[0]:
            boss.post(f"{sent.headers['Location']}cancel/")
        return False

    run_import_jobs(boss.app, stop=stop)
    assert newest_import(boss.app).state == "cancelled"
    return boss.get(sent.headers["Location"]).text


def test_users_who_wait_for_an_id_are_not_counted_as_imported(
    boss: StaffClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_pipeline, "BATCH_SIZE", 2)
    people = [{"id": boss.id, "email": f"ada{n}@example.com"} for n in range(6)]  # an id that is not free
    sent = upload_import(boss, "".join(f"{json.dumps(person)}\n" for person in people), "users.jsonl", dry_run="")

    page = cancelled_after(boss, sent, 4)

    assert fetch_number(boss.app, "SELECT count(*) FROM users WHERE email LIKE 'ada%'") == 2
    for text in (page, boss.get("/admin/imports/").text):
        assert "2 of 6" in text
        assert "6 of 6" not in text
    assert "<dt>Not imported</dt><dd>4</dd>" in page


def test_what_a_cancelled_import_did_not_reach_is_counted(boss: StaffClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_pipeline, "BATCH_SIZE", 1)
    page = cancelled_after(boss, upload_import(boss, USERS_CSV, dry_run=""), 1)

    assert "1 of 2" in page
    assert "<dt>Not imported</dt><dd>1</dd>" in page


def test_an_import_that_is_done_says_nothing_of_a_rest(boss: StaffClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_pipeline, "BATCH_SIZE", 2)
    people = [{"id": boss.id, "email": f"ada{n}@example.com"} for n in range(6)]
    sent = upload_import(boss, "".join(f"{json.dumps(person)}\n" for person in people), "users.jsonl", dry_run="")
    run_import_jobs(boss.app)
    page = boss.get(sent.headers["Location"]).text

    assert "6 of 6" in page
    assert "Not imported" not in page
