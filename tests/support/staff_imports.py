"""Imports on the staff site: uploading a file, running the worker, reading the results."""

import io
import json
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from werkzeug.datastructures import FileStorage
from werkzeug.test import TestResponse, encode_multipart

from tests.support.sql import fetch_rows
from tests.support.staff_client import ACCEPT_HTML, StaffClient
from userapi.core import clock
from userapi.transfer import job_worker

NEW_IMPORT_PATH = "/admin/imports/new/"
USERS_CSV = "email,first_name\nada@example.com,Ada\ngrace@example.com,Grace\n"


def upload_import(superuser: StaffClient, content: str | bytes, name: str = "users.csv", **fields: str) -> TestResponse:
    """Send the form with its defaults except for these fields."""
    stream = io.BytesIO(content if isinstance(content, bytes) else content.encode())
    form = {
        "dry_run": "true",
        "on_conflict": "skip",
        "on_bad_profile": "leave-out-field",
        **fields,
        "csrf_token": superuser.csrf,
    }
    boundary, body = encode_multipart({**form, "file": FileStorage(stream, name)})
    kind = f'multipart/form-data; boundary="{boundary}"'
    return superuser.client.post(NEW_IMPORT_PATH, data=body, content_type=kind, headers=ACCEPT_HTML)


def run_import_jobs(app: Flask, times: int = 1, **options: Any) -> None:
    """Run the worker this number of times."""
    for _time in range(times):
        with app.app_context():
            job_worker.run_next_job(**options)


def follow_redirect(superuser: StaffClient, response: TestResponse) -> str:
    assert response.status_code == 303, response.text
    return superuser.get(response.headers["Location"]).text


def imported_emails(app: Flask) -> list[str]:
    """The email addresses of all users except the one who started the import."""
    return [
        row.email for row in fetch_rows(app, "SELECT email FROM users WHERE email NOT LIKE 'superuser@%' ORDER BY id")
    ]


def newest_import(app: Flask) -> Any:
    """The row of the newest import."""
    return fetch_rows(app, "SELECT * FROM import_jobs ORDER BY id DESC LIMIT 1")[0]


def from_json(found: Any) -> Any:
    return json.loads(found) if isinstance(found, str) else found


def import_counts(app: Flask) -> dict[str, int]:
    """The counts of the newest import that are not zero."""
    found = from_json(newest_import(app).counts)
    return {name: number for name, number in found.items() if number and name != "event_id"}


def count_import_files(app: Flask) -> int:
    return int(fetch_rows(app, "SELECT count(*) AS number FROM import_files")[0].number)


def move_clock(monkeypatch: pytest.MonkeyPatch, passed: timedelta) -> None:
    then = clock.now() + passed
    monkeypatch.setattr("userapi.core.clock.now", lambda: then)
