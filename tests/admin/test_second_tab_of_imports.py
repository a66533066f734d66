"""A dry run that stands in two tabs: its file is imported once, and the second tab leads there."""

import pytest
from desk import Clerk, clerk
from flask import Flask
from import_desk import TABLE, follow, rows, upload, work


@pytest.fixture
def boss(app: Flask) -> Clerk:
    return clerk(app, is_staff=True, is_superuser=True)


@pytest.mark.parametrize("is_done", [False, True])
def test_a_second_tab_of_a_dry_run_leads_to_the_import_that_took_the_file(boss: Clerk, is_done: bool) -> None:
    sent = upload(boss, TABLE)
    work(boss.app)
    dry_run = sent.headers["Location"]
    taken = boss.post(f"{dry_run}import/").headers["Location"]
    if is_done:
        work(boss.app)

    page = follow(boss, boss.post(f"{dry_run}import/"))

    assert "The import of this file was already started." in page
    assert f'href="{taken}">View the import of this file</a>' in boss.get(dry_run).text
    assert len(rows(boss.app, "SELECT * FROM import_jobs")) == 2
