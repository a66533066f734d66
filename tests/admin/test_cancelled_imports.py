"""A cancelled import shows how many records were imported and how many were not."""

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
def superuser(app: Flask) -> StaffClient:
    return staff_client(app, is_staff=True, is_superuser=True)


def cancelled_after(superuser: StaffClient, sent: Any, batches: int) -> str:
    """Cancel an import after this number of batches; return its page."""
    left = [batches]

    def stop() -> bool:
        left[0] -= 1
        if not left[0]:
            superuser.post(f"{sent.headers['Location']}cancel/")
        return False

    run_import_jobs(superuser.app, stop=stop)
    assert newest_import(superuser.app).state == "cancelled"
    return superuser.get(sent.headers["Location"]).text


def test_users_queued_for_a_new_id_are_not_counted_as_imported(
    superuser: StaffClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_pipeline, "BATCH_SIZE", 2)
    users = [{"id": superuser.id, "email": f"ada{n}@example.com"} for n in range(6)]  # an id that is not free
    sent = upload_import(superuser, "".join(f"{json.dumps(user)}\n" for user in users), "users.jsonl", dry_run="")

    page = cancelled_after(superuser, sent, 4)

    assert fetch_number(superuser.app, "SELECT count(*) FROM users WHERE email LIKE 'ada%'") == 2
    for text in (page, superuser.get("/admin/imports/").text):
        assert "2 of 6" in text
        assert "6 of 6" not in text
    assert "<dt>Not imported</dt><dd>4</dd>" in page


def test_records_that_a_cancelled_import_did_not_reach_are_counted(
    superuser: StaffClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_pipeline, "BATCH_SIZE", 1)
    page = cancelled_after(superuser, upload_import(superuser, USERS_CSV, dry_run=""), 1)

    assert "1 of 2" in page
    assert "<dt>Not imported</dt><dd>1</dd>" in page


def test_a_finished_import_reports_nothing_as_not_imported(
    superuser: StaffClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_pipeline, "BATCH_SIZE", 2)
    users = [{"id": superuser.id, "email": f"ada{n}@example.com"} for n in range(6)]
    sent = upload_import(superuser, "".join(f"{json.dumps(user)}\n" for user in users), "users.jsonl", dry_run="")
    run_import_jobs(superuser.app)
    page = superuser.get(sent.headers["Location"]).text

    assert "6 of 6" in page
    assert "Not imported" not in page
