"""A dry run that is open in two tabs: its file is imported once, and the second tab links to the import."""

import pytest
from flask import Flask

from tests.support.sql import fetch_rows
from tests.support.staff_client import StaffClient, staff_client
from tests.support.staff_imports import USERS_CSV, follow_redirect, run_import_jobs, upload_import

pytestmark = pytest.mark.both


@pytest.fixture
def superuser(app: Flask) -> StaffClient:
    return staff_client(app, is_staff=True, is_superuser=True)


@pytest.mark.parametrize("is_done", [False, True])
def test_a_second_tab_of_a_dry_run_links_to_the_import_of_its_file(superuser: StaffClient, is_done: bool) -> None:
    sent = upload_import(superuser, USERS_CSV)
    run_import_jobs(superuser.app)
    dry_run = sent.headers["Location"]
    import_path = superuser.post(f"{dry_run}import/").headers["Location"]
    if is_done:
        run_import_jobs(superuser.app)

    page = follow_redirect(superuser, superuser.post(f"{dry_run}import/"))

    assert "The import of this file was already started." in page
    assert f'href="{import_path}">View the import of this file</a>' in superuser.get(dry_run).text
    assert len(fetch_rows(superuser.app, "SELECT * FROM import_jobs")) == 2
