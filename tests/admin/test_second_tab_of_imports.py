"""A dry run that stands in two tabs: its file is imported once, and the second tab leads there."""

import pytest
from flask import Flask

from tests.support.sql import fetch_rows
from tests.support.staff_client import StaffClient, staff_client
from tests.support.staff_imports import USERS_CSV, follow_redirect, run_import_jobs, upload_import

pytestmark = pytest.mark.both


@pytest.fixture
def boss(app: Flask) -> StaffClient:
    return staff_client(app, is_staff=True, is_superuser=True)


@pytest.mark.parametrize("is_done", [False, True])
def test_a_second_tab_of_a_dry_run_leads_to_the_import_that_took_the_file(boss: StaffClient, is_done: bool) -> None:
    sent = upload_import(boss, USERS_CSV)
    run_import_jobs(boss.app)
    dry_run = sent.headers["Location"]
    taken = boss.post(f"{dry_run}import/").headers["Location"]
    if is_done:
        run_import_jobs(boss.app)

    page = follow_redirect(boss, boss.post(f"{dry_run}import/"))

    assert "The import of this file was already started." in page
    assert f'href="{taken}">View the import of this file</a>' in boss.get(dry_run).text
    assert len(fetch_rows(boss.app, "SELECT * FROM import_jobs")) == 2
