"""Imports that are cancelled, and the deletion of their files and rows."""

from datetime import timedelta

import pytest
from flask import Flask

from tests.support.sql import fetch_rows
from tests.support.staff_client import StaffClient, staff_client
from tests.support.staff_imports import (
    USERS_CSV,
    count_import_files,
    follow_redirect,
    import_counts,
    imported_emails,
    move_clock,
    newest_import,
    run_import_jobs,
    upload_import,
)
from userapi.transfer import import_pipeline

pytestmark = pytest.mark.both


@pytest.fixture
def superuser(app: Flask) -> StaffClient:
    return staff_client(app, is_staff=True, is_superuser=True, email="superuser@example.com")


def test_a_queued_import_can_be_cancelled(superuser: StaffClient) -> None:
    sent = upload_import(superuser, USERS_CSV, dry_run="")

    response = superuser.post(f"{sent.headers['Location']}cancel/")
    run_import_jobs(superuser.app)

    assert "cancelled" in follow_redirect(superuser, response)
    assert (newest_import(superuser.app).state, imported_emails(superuser.app), count_import_files(superuser.app)) == (
        "cancelled",
        [],
        0,
    )
    assert superuser.post(f"{sent.headers['Location']}cancel/").status_code == 404
    assert superuser.post(f"{sent.headers['Location']}import/").status_code == 404


def test_a_worker_stops_when_its_import_is_cancelled_and_keeps_what_is_already_imported(
    superuser: StaffClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_pipeline, "BATCH_SIZE", 1)
    sent = upload_import(superuser, USERS_CSV, dry_run="")

    def cancel() -> bool:
        superuser.post(f"{sent.headers['Location']}cancel/")
        return False

    run_import_jobs(superuser.app, stop=cancel)

    assert (newest_import(superuser.app).state, imported_emails(superuser.app)) == ("cancelled", ["ada@example.com"])
    assert import_counts(superuser.app) == {"read": 1, "made": 1}


def test_the_file_of_a_dry_run_can_be_deleted(superuser: StaffClient) -> None:
    sent = upload_import(superuser, USERS_CSV)
    run_import_jobs(superuser.app)

    page = follow_redirect(superuser, superuser.post(f"{sent.headers['Location']}cancel/"))

    assert "The file was deleted." in page
    assert (newest_import(superuser.app).state, count_import_files(superuser.app)) == ("done", 0)
    assert superuser.post(f"{sent.headers['Location']}import/").status_code == 404


def test_a_file_is_imported_once_however_often_the_button_is_clicked(superuser: StaffClient) -> None:
    sent = upload_import(superuser, USERS_CSV)
    run_import_jobs(superuser.app)

    first, second = [superuser.post(f"{sent.headers['Location']}import/") for _ in range(2)]

    assert first.status_code == 303
    assert second.headers["Location"] == first.headers["Location"]
    assert len(fetch_rows(superuser.app, "SELECT * FROM import_jobs")) == 2


def test_an_unused_file_is_deleted_after_a_day_and_its_row_after_a_month(
    superuser: StaffClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload_import(superuser, USERS_CSV)
    run_import_jobs(superuser.app)
    upload_import(superuser, USERS_CSV, dry_run="")
    move_clock(monkeypatch, timedelta(hours=23))
    files_before = count_import_files(superuser.app)
    move_clock(monkeypatch, timedelta(hours=2))
    run_import_jobs(superuser.app)
    states = [row.state for row in fetch_rows(superuser.app, "SELECT state FROM import_jobs ORDER BY id")]
    left = count_import_files(superuser.app)
    move_clock(monkeypatch, timedelta(days=31))
    run_import_jobs(superuser.app)

    assert (files_before, left) == (2, 0)
    assert states == ["done", "failed"]
    assert fetch_rows(superuser.app, "SELECT * FROM import_jobs") == []
    assert imported_emails(superuser.app) == []
