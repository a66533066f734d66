"""What staff may not import: files that are none, and who may not at all."""

import gzip
from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask

from tests.support.factories import PASSWORD
from tests.support.sql import fetch_rows
from tests.support.staff_client import StaffClient, grant_permissions, staff_client
from tests.support.staff_imports import (
    NEW_IMPORT_PATH,
    USERS_CSV,
    count_import_files,
    imported_emails,
    move_clock,
    newest_import,
    run_import_jobs,
    upload_import,
)
from userapi.core.db import db
from userapi.transfer import jobs
from userapi.users.permissions import EVERYTHING


@pytest.fixture
def boss(app: Flask) -> StaffClient:
    return staff_client(app, is_staff=True, is_superuser=True, email="boss@example.com")


@pytest.mark.parametrize(
    ("name", "content", "status", "said"),
    [
        ("users.csv", b"", 400, "The file is empty."),
        ("users.csv", b"\n  \n", 400, "The file is empty."),
        ("users.csv", b"email\n", 400, "The file contains no users."),
        ("users.json", b"[]", 400, "The file contains no users."),
        ("users.csv", b"email\nada@example.com,caf\xe9\n", 400, "The file is not valid UTF-8."),
        ("users.csv", "email\nada@example.com\n".encode("utf-16"), 400, "The file is UTF-16."),
        ("users.csv", b"email,shoe\nada@example.com,9\n", 400, "Unknown columns: shoe."),
        ("users.xlsx", b"PK", 400, "must end in .csv, .jsonl or .json"),
        ("users.csv.gz", gzip.compress(USERS_CSV.encode()), 400, "The file is compressed. Extract it first"),
        ("users.json", gzip.compress(b"[]"), 400, "The file is compressed. Extract it first"),
        ("users", b"email\n", 400, "must end in .csv, .jsonl or .json"),
        ("users.json", b'[{"model": "auth.user"', 400, "damaged or incomplete after entry 0."),
        ("users.json", b'{"a": 1}', 400, "Entry 1 is not in the format of"),
        ("users.jsonl", b"hello\nthere\n", 400, "line 1: Not valid JSON."),
        ("users.csv", b"email\n" + b"a" * (10 * 2**20), 413, "larger than 10 MiB"),
        ("users.csv", b"email\n" + b"a" * (11 * 2**20), 413, "larger than 10 MiB"),
    ],
    ids=lambda part: str(part)[:30] if not isinstance(part, bytes) else f"{len(part)} bytes",
)
def test_a_wrong_file_is_refused_in_a_sentence(
    boss: StaffClient, name: str, content: bytes, status: int, said: str
) -> None:
    answer = upload_import(boss, content, name)

    assert answer.status_code == status
    assert said in answer.text.replace("&#39;", "'")
    assert fetch_rows(boss.app, "SELECT * FROM import_jobs") == []
    assert count_import_files(boss.app) == 0


def test_a_file_may_be_larger_than_what_any_other_address_takes(boss: StaffClient) -> None:
    longer = "x" * 2 * 2**20

    assert upload_import(boss, f'{USERS_CSV}mary@example.com,"{longer[:900_000]}"\n{longer}').status_code == 303
    assert boss.post("/admin/users/new/", email=longer).status_code == 413


def test_a_file_of_more_users_than_a_worker_does_is_refused(boss: StaffClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "MAX_RECORDS", 2)

    assert upload_import(boss, USERS_CSV).status_code == 303
    refused = upload_import(boss, f"{USERS_CSV}mary@example.com,Mary\n")

    assert refused.status_code == 400
    assert "more than 2 users" in refused.text


@pytest.mark.parametrize("fields", [{"on_conflict": "drop"}, {"on_conflict": ""}, {"on_bad_profile": "x"}])
def test_a_form_that_is_not_ours_is_refused(boss: StaffClient, fields: dict[str, str]) -> None:
    assert upload_import(boss, USERS_CSV, **fields).status_code == 400
    assert boss.post(NEW_IMPORT_PATH, dry_run="true", on_conflict="skip").status_code == 400
    assert boss.post(NEW_IMPORT_PATH, dry_run="true", on_conflict="skip", file="users.csv").status_code == 400
    assert fetch_rows(boss.app, "SELECT * FROM import_jobs") == []


def test_A01_staff_with_every_permission_but_no_superusers_may_not(app: Flask, boss: StaffClient) -> None:
    helper = staff_client(app, is_staff=True)
    grant_permissions(app, helper.id, *EVERYTHING)
    upload_import(boss, USERS_CSV)

    for path in ("/admin/imports/", NEW_IMPORT_PATH, f"/admin/imports/{newest_import(app).id}/"):
        assert helper.get(path).status_code == 403
    for path in (
        NEW_IMPORT_PATH,
        f"/admin/imports/{newest_import(app).id}/import/",
        f"/admin/imports/{newest_import(app).id}/cancel/",
    ):
        assert helper.post(path).status_code == 403
    assert "/admin/imports/" not in helper.get("/admin/users/").text
    assert "/admin/imports/" in boss.get("/admin/users/").text
    assert newest_import(app).state == "waiting"


def test_after_a_while_the_own_password_is_asked_for_before_a_file_goes_in_and_before_it_is_imported(
    boss: StaffClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = upload_import(boss, USERS_CSV)
    run_import_jobs(boss.app)
    move_clock(monkeypatch, timedelta(minutes=16))

    refused = (upload_import(boss, USERS_CSV), boss.post(f"{sent.headers['Location']}import/"))
    wrong = boss.post(f"{sent.headers['Location']}import/", own_password="not mine")

    assert [answer.status_code for answer in refused] == [400, 400]
    assert all("Enter your password to continue" in answer.text for answer in refused)
    assert wrong.status_code == 400
    assert len(fetch_rows(boss.app, "SELECT * FROM import_jobs")) == 1
    assert boss.post(f"{sent.headers['Location']}import/", own_password=PASSWORD).status_code == 303


def test_what_a_superuser_asked_for_who_is_none_any_more_is_not_done(boss: StaffClient) -> None:
    upload_import(boss, USERS_CSV, dry_run="")
    with boss.app.app_context():
        db.session.execute(sa.text("UPDATE users SET is_superuser = false WHERE id = :id"), {"id": boss.id})
        db.session.commit()

    run_import_jobs(boss.app)

    assert (newest_import(boss.app).state, newest_import(boss.app).error) == (
        "failed",
        "The user who started this import is no longer a superuser.",
    )
    assert (imported_emails(boss.app), count_import_files(boss.app)) == ([], 0)
