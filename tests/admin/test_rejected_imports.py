"""Imports that are rejected, because of the file or of missing permissions."""

import gzip
from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask

from tests.support.factories import PASSWORD
from tests.support.proofs import prove_and_continue, submit_shown_form
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
from userapi.users.permission_names import EVERYTHING


@pytest.fixture
def superuser(app: Flask) -> StaffClient:
    return staff_client(app, is_staff=True, is_superuser=True, email="superuser@example.com")


@pytest.mark.parametrize(
    ("name", "content", "status", "message"),
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
def test_an_invalid_file_is_rejected_with_a_reason(
    superuser: StaffClient, name: str, content: bytes, status: int, message: str
) -> None:
    response = upload_import(superuser, content, name)

    assert response.status_code == status
    assert message in response.text.replace("&#39;", "'")
    assert fetch_rows(superuser.app, "SELECT * FROM import_jobs") == []
    assert count_import_files(superuser.app) == 0


def test_a_file_may_be_larger_than_other_request_bodies(superuser: StaffClient) -> None:
    longer = "x" * 2 * 2**20

    assert upload_import(superuser, f'{USERS_CSV}mary@example.com,"{longer[:900_000]}"\n{longer}').status_code == 303
    assert superuser.post("/admin/users/new/", email=longer).status_code == 413


def test_a_file_with_too_many_users_is_rejected(superuser: StaffClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "MAX_RECORDS", 2)

    assert upload_import(superuser, USERS_CSV).status_code == 303
    rejected = upload_import(superuser, f"{USERS_CSV}mary@example.com,Mary\n")

    assert rejected.status_code == 400
    assert "more than 2 users" in rejected.text


@pytest.mark.parametrize("fields", [{"on_conflict": "drop"}, {"on_conflict": ""}, {"on_bad_profile": "x"}])
def test_an_altered_form_is_rejected(superuser: StaffClient, fields: dict[str, str]) -> None:
    assert upload_import(superuser, USERS_CSV, **fields).status_code == 400
    assert superuser.post(NEW_IMPORT_PATH, dry_run="true", on_conflict="skip").status_code == 400
    assert superuser.post(NEW_IMPORT_PATH, dry_run="true", on_conflict="skip", file="users.csv").status_code == 400
    assert fetch_rows(superuser.app, "SELECT * FROM import_jobs") == []


def test_A01_staff_with_every_permission_cannot_import_unless_superusers(app: Flask, superuser: StaffClient) -> None:
    helper = staff_client(app, is_staff=True)
    grant_permissions(app, helper.id, *EVERYTHING)
    upload_import(superuser, USERS_CSV)

    for path in ("/admin/imports/", NEW_IMPORT_PATH, f"/admin/imports/{newest_import(app).id}/"):
        assert helper.get(path).status_code == 403
    for path in (
        NEW_IMPORT_PATH,
        f"/admin/imports/{newest_import(app).id}/import/",
        f"/admin/imports/{newest_import(app).id}/cancel/",
    ):
        assert helper.post(path).status_code == 403
    assert "/admin/imports/" not in helper.get("/admin/users/").text
    assert "/admin/imports/" in superuser.get("/admin/users/").text
    assert newest_import(app).state == "waiting"


def test_uploading_and_importing_a_file_require_a_recent_proof(
    superuser: StaffClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = upload_import(superuser, USERS_CSV)
    run_import_jobs(superuser.app)
    move_clock(monkeypatch, timedelta(minutes=16))

    rejected = (upload_import(superuser, USERS_CSV), superuser.post(f"{sent.headers['Location']}import/"))
    shown = superuser.get(NEW_IMPORT_PATH)

    assert [response.status_code for response in rejected] == [403, 403]
    assert shown.headers["Location"] == f"/prove/?next={NEW_IMPORT_PATH}"
    assert len(fetch_rows(superuser.app, "SELECT * FROM import_jobs")) == 1
    assert prove_and_continue(superuser.client, rejected[1]).status_code == 303
    assert len(fetch_rows(superuser.app, "SELECT * FROM import_jobs")) == 2


def test_a_file_is_chosen_again_after_the_proof(superuser: StaffClient, monkeypatch: pytest.MonkeyPatch) -> None:
    move_clock(monkeypatch, timedelta(minutes=16))

    question = upload_import(superuser, USERS_CSV)
    following = submit_shown_form(superuser.client, question, password=PASSWORD)

    assert following.headers["Location"] == NEW_IMPORT_PATH
    assert "choose files again" in superuser.get(NEW_IMPORT_PATH).text
    assert upload_import(superuser, USERS_CSV).status_code == 303


def test_an_import_fails_when_the_user_who_started_it_is_no_longer_a_superuser(superuser: StaffClient) -> None:
    upload_import(superuser, USERS_CSV, dry_run="")
    with superuser.app.app_context():
        db.session.execute(sa.text("UPDATE users SET is_superuser = false WHERE id = :id"), {"id": superuser.id})
        db.session.commit()

    run_import_jobs(superuser.app)

    assert (newest_import(superuser.app).state, newest_import(superuser.app).error) == (
        "failed",
        "The user who started this import is no longer a superuser.",
    )
    assert (imported_emails(superuser.app), count_import_files(superuser.app)) == ([], 0)
