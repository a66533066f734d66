"""An import at the staff site: sending a file, doing what a worker does, looking at what came of it."""

import io
import json
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from desk import CHOOSE, Clerk
from flask import Flask
from werkzeug.datastructures import FileStorage
from werkzeug.test import TestResponse, encode_multipart

from userapi.core import clock
from userapi.core.db import db
from userapi.transfer import job_worker

NEW = "/admin/imports/new/"
TABLE = "email,first_name\nada@example.com,Ada\ngrace@example.com,Grace\n"


def upload(boss: Clerk, content: str | bytes, name: str = "users.csv", **fields: str) -> TestResponse:
    """Send the form as it stands when nobody touches it, but for these fields."""
    stream = io.BytesIO(content if isinstance(content, bytes) else content.encode())
    form = {
        "dry_run": "true",
        "on_conflict": "skip",
        "on_bad_profile": "leave-out-field",
        **fields,
        "csrf_token": boss.csrf,
    }
    boundary, body = encode_multipart({**form, "file": FileStorage(stream, name)})
    kind = f'multipart/form-data; boundary="{boundary}"'
    return boss.client.post(NEW, data=body, content_type=kind, headers=CHOOSE)


def work(app: Flask, times: int = 1, **options: Any) -> None:
    """What a worker does when its time has come."""
    for _time in range(times):
        with app.app_context():
            job_worker.do_due(**options)


def follow(boss: Clerk, answer: TestResponse) -> str:
    assert answer.status_code == 303, answer.text
    return boss.get(answer.headers["Location"]).text


def rows(app: Flask, statement: str) -> list[Any]:
    with app.app_context():
        return list(db.session.execute(sa.text(statement)))


def imported(app: Flask) -> list[str]:
    """Who is there besides whoever started it."""
    return [row.email for row in rows(app, "SELECT email FROM users WHERE email NOT LIKE 'boss%' ORDER BY id")]


def job(app: Flask) -> Any:
    """The newest import, as it is stored."""
    return rows(app, "SELECT * FROM import_jobs ORDER BY id DESC LIMIT 1")[0]


def plain(found: Any) -> Any:
    return json.loads(found) if isinstance(found, str) else found


def counts(app: Flask) -> dict[str, int]:
    """What the newest import has counted, without what is nothing."""
    found = plain(job(app).counts)
    return {name: number for name, number in found.items() if number and name != "event_id"}


def files(app: Flask) -> int:
    return int(rows(app, "SELECT count(*) AS number FROM import_files")[0].number)


def later(monkeypatch: pytest.MonkeyPatch, passed: timedelta) -> None:
    then = clock.now() + passed
    monkeypatch.setattr("userapi.core.clock.now", lambda: then)
