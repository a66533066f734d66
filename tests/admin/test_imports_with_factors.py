"""Imports on the staff site of files with second factors."""

import json
import re
import time
from datetime import UTC, datetime

import pytest
from flask import Flask

from tests.support.old_site import enter, owner_of, show_code, totp_device, user
from tests.support.sql import fetch_rows
from tests.support.staff_client import StaffClient, staff_client
from tests.support.staff_imports import newest_import, run_import_jobs, upload_import
from userapi.core import clock

pytestmark = pytest.mark.both


@pytest.fixture
def superuser(app: Flask) -> StaffClient:
    return staff_client(app, is_staff=True, is_superuser=True, email="superuser@example.com")


def test_S80_staff_import_second_factors_and_their_file_is_encrypted_until_then(
    app: Flask, superuser: StaffClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, step = "0044" * 10, int(time.time()) // 30 + 10
    dump = json.dumps([user(81), totp_device(81, key=key), user(82), totp_device(82, t0=9)])

    path = upload_import(superuser, dump, "users.json").headers["Location"]
    stored = bytes(fetch_rows(app, "SELECT content FROM import_files")[0].content)
    run_import_jobs(app)
    page = superuser.get(path).text
    superuser.post(f"{path}import/")
    run_import_jobs(app)

    assert key.encode() not in stored
    assert "Imported with a locked second step" in page
    assert re.search(r"With a locked second step</dt>\s*<dd>1</dd>", page)
    assert "cannot sign in until their second factors are reset." in page
    done = newest_import(app)
    assert done.state == "done"
    assert 'href="/admin/users/?second_step=locked"' in superuser.get(f"/admin/imports/{done.id}/").text
    monkeypatch.setattr(clock, "now", lambda: datetime.fromtimestamp(step * 30, UTC))
    owner = owner_of(81, key)
    assert enter(app, owner, show_code(owner.secret, step)) == "otp"
    assert enter(app, owner_of(82), "123456") == "second_step_locked"
