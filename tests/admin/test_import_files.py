"""Files around an import: a sample to start from, and the report to keep."""

import csv
import io

import pytest
from flask import Flask

from tests.support.factories import make_user
from tests.support.staff_client import StaffClient, staff_client
from tests.support.staff_imports import (
    NEW_IMPORT_PATH,
    USERS_CSV,
    import_counts,
    imported_emails,
    run_import_jobs,
    upload_import,
)


@pytest.fixture
def superuser(app: Flask) -> StaffClient:
    return staff_client(app, is_staff=True, is_superuser=True, email="superuser@example.com")


def test_the_sample_file_can_be_imported_as_it_is(superuser: StaffClient) -> None:
    assert 'href="/admin/imports/sample.csv"' in superuser.get(NEW_IMPORT_PATH).text
    sample = superuser.get("/admin/imports/sample.csv")

    upload_import(superuser, sample.text, dry_run="")
    run_import_jobs(superuser.app)

    assert sample.mimetype == "text/csv"
    assert import_counts(superuser.app) == {"read": 2, "made": 2}
    assert imported_emails(superuser.app) == ["ada@example.com", "grace@example.com"]


def test_the_issues_of_an_import_can_be_filtered_and_downloaded(superuser: StaffClient) -> None:
    make_user(superuser.app, email="grace@example.com")
    path = upload_import(superuser, f"{USERS_CSV}invalid,x\n").headers["Location"]
    run_import_jobs(superuser.app)

    rejected = superuser.get(path, query_string={"result": "refused"}).text.partition('id="issues"')[2]
    report = superuser.get(f"{path}report.csv")

    assert "line 4" in rejected
    assert "line 3" not in rejected
    rows = list(csv.DictReader(io.StringIO(report.text.removeprefix("\ufeff"))))
    assert {row["location"]: row["result"] for row in rows} == {"line 3": "there already", "line 4": "refused"}
    assert all(row["reason"] for row in rows)
    assert "attachment" in report.headers["Content-Disposition"]


def test_only_superusers_download_reports(superuser: StaffClient) -> None:
    path = upload_import(superuser, USERS_CSV).headers["Location"]
    helper = staff_client(superuser.app, is_staff=True, permissions=("view_user",))

    assert helper.get(f"{path}report.csv").status_code == 403
    assert helper.get("/admin/imports/sample.csv").status_code == 403
