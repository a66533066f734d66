"""Bulk actions on the staff site: starting one, running the worker, reading the results."""

from typing import Any

import sqlalchemy as sa
from flask import Flask
from werkzeug.test import TestResponse

from tests.support.sql import fetch_rows
from tests.support.staff_client import StaffClient
from userapi.bulk import job_worker
from userapi.core import clock
from userapi.core.db import db
from userapi.users.models import User

ACTION_PATH = "/admin/users/act/"


def insert_users(app: Flask, number: int, **overrides: Any) -> list[int]:
    """Insert this many users in one statement; `?search=crowd` finds them."""
    with app.app_context():
        rows = [
            {
                "email": f"crowd{n}@example.com", "email_key": f"crowd{n}@example.com", "first_name": "",
                "last_name": "", "first_name_key": "", "last_name_key": "", "session_version": 0, "is_active": True,
                "is_staff": False, "is_superuser": False, "date_joined": clock.now(), **overrides,
            }
            for n in range(number)
        ]  # fmt: skip
        ids = list(db.session.scalars(sa.insert(User).returning(User.id), rows))
        db.session.commit()
        return ids


def confirm_action(staff: StaffClient, action: str, query: str = "search=crowd", **fields: str) -> TestResponse:
    """Choose all users that match, and confirm the action."""
    confirmation = staff.post(ACTION_PATH, action=action, all="true", query=query)
    assert confirmation.status_code == 200, confirmation.text
    return staff.post(ACTION_PATH, **{**staff.fields(confirmation.text), **fields})


def run_bulk_jobs(app: Flask, times: int = 1, **options: Any) -> None:
    """Run the worker this number of times."""
    for _time in range(times):
        with app.app_context():
            job_worker.run_next_job(**options)


def newest_bulk_job(app: Flask) -> Any:
    """The row of the newest bulk action."""
    return fetch_rows(app, "SELECT * FROM bulk_jobs ORDER BY id DESC LIMIT 1")[0]


def skipped_targets(app: Flask) -> dict[int, str]:
    """The users it skipped, with the reasons."""
    found = fetch_rows(app, f"SELECT user_id, reason FROM bulk_targets WHERE job_id = {newest_bulk_job(app).id}")
    return {row.user_id: row.reason for row in found}


def newest_job_page(staff: StaffClient) -> str:
    """The text of the page of the newest bulk action."""
    return " ".join(staff.get(f"/admin/bulk/{newest_bulk_job(staff.app).id}/").text.split())


def fact(text: str, name: str) -> str:
    """The value beside a term on a page."""
    return text.partition(f"<dt>{name}</dt><dd>")[2].partition("</dd>")[0]
