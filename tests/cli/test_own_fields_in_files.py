"""Own profile fields in exports and imports."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.support.api_client import sign_in
from tests.support.factories import PASSWORD, PROFILE, make_account, make_user
from tests.support.import_files import RunImport, as_csv, as_jsonl, import_command, user_record
from tests.support.own_fields import EVERY_KIND, VALID, VALUES
from tests.support.sql import fetch_rows
from tests.support.staff_client import StaffClient, staff_client
from tests.support.staff_imports import NEW_IMPORT_PATH, run_import_jobs, upload_import
from userapi.core.db import db

Declare = Callable[..., Flask]

COMPANY = '[profile.company]\ntype = "line"\n'

#: Values that spreadsheets or careless parsers change.
ODD = VALUES | {
    "title": "+1",
    "company": '=HYPERLINK("x")',
    "about": "\n\t@x\n",
    "employees": -5,
    "budget": "-0.50",
    "newsletter": False,
    "topics": ["=1+1"],
}


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., RunImport]:
    """`flask users import` of an application."""
    return lambda app: import_command(app, tmp_path)


def register(app: Flask, email: str, profile: dict[str, Any]) -> None:
    body = {"email": email, "password": PASSWORD, "profile": profile}
    made = app.test_client().post("/userapi/users/", json=body)
    assert made.status_code == 201, made.text


def get_profile(app: Flask, email: str) -> dict[str, Any] | None:
    """What the API returns to the owner."""
    headers = {"Authorization": f"Bearer {sign_in(app, email)['access_token']}"}
    found: dict[str, Any] = app.test_client().get("/userapi/auth/user/", headers=headers).get_json()
    return found["profile"]


def export(app: Flask, file: Path, *options: str) -> str:
    result = app.test_cli_runner().invoke(args=["users", "export", str(file), *options])
    assert result.exit_code == 0, result.output
    return file.read_text(encoding="utf-8-sig")


def delete_users(app: Flask) -> None:
    with app.app_context():
        db.session.execute(sa.text("DELETE FROM users"))
        db.session.execute(sa.text("DELETE FROM audit_events"))  # it remembers the ids
        db.session.commit()


def stored(app: Flask) -> dict[str, dict[str, Any]]:
    """The profiles as they are in the database, by email address."""
    found = fetch_rows(app, "SELECT email, p.* FROM users JOIN user_profiles p ON user_id = id ORDER BY id")
    profiles = {}
    for row in found:
        values = {name: value for name, value in row._mapping.items() if name not in ("email", "user_id")}
        extra = values.pop("extra")
        values |= json.loads(extra) if isinstance(extra, str) else extra or {}
        profiles[row.email] = {name: value for name, value in values.items() if value is not None}
    return profiles


@pytest.fixture
def every_kind(declare: Declare) -> Flask:
    return declare(EVERY_KIND)


@pytest.mark.both
@pytest.mark.parametrize("kind", ["csv", "jsonl"])
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(profiles=st.lists(st.fixed_dictionaries({}, optional=VALID).filter(bool), min_size=1, max_size=3))
@example(profiles=[ODD, VALUES])
def test_W20_values_of_every_kind_are_the_same_after_an_export_and_an_import(
    every_kind: Flask, run: Callable[..., RunImport], tmp_path: Path, kind: str, profiles: list[dict[str, Any]]
) -> None:
    delete_users(every_kind)
    emails = [f"user{number}@example.com" for number in range(len(profiles))]
    for email, profile in zip(emails, profiles, strict=True):
        register(every_kind, email, profile)
    before = [get_profile(every_kind, email) for email in emails]

    text = export(every_kind, tmp_path / f"users.{kind}", "--with-passwords")
    delete_users(every_kind)
    result = run(every_kind)(text, name=f"users.{kind}")

    assert (result.exit_code, "0 rejected, 0 changed" in result.stdout) == (0, True), result.output
    assert [get_profile(every_kind, email) for email in emails] == before
    assert [{name: value for name, value in each.items() if value is not None} for each in before if each] == profiles


def test_W20_no_text_becomes_a_formula_of_a_spreadsheet(every_kind: Flask, tmp_path: Path) -> None:
    register(every_kind, "wren@example.com", ODD)

    (row,) = csv.DictReader(io.StringIO(export(every_kind, tmp_path / "users.csv")))

    cells = {name: row[f"profile.{name}"] for name in ODD}
    assert [name for name, cell in cells.items() if cell.startswith(("=", "+", "-", "@", "\n", "\t"))] == ["employees"]
    assert cells["topics"] == '["=1+1"]'


def test_spreadsheets_may_change_the_case_of_yes_and_no_and_times_without_a_zone_are_utc(
    every_kind: Flask, run: Callable[..., RunImport]
) -> None:
    row = {
        "email": "wren@example.com",
        "profile.newsletter": "TRUE",
        "profile.topics": "news",
        "profile.opened": "2026-11-29T08:30:00",
    }

    result = run(every_kind)(as_csv(row), name="users.csv")

    assert "0 changed" in result.stdout
    expected = {"newsletter": True, "topics": ["news"], "opened": "2026-11-29T08:30:00Z"}
    assert stored(every_kind) == {"wren@example.com": expected}


def test_an_invalid_value_of_an_own_field_is_left_out_and_named(
    every_kind: Flask, run: Callable[..., RunImport]
) -> None:
    profile = {"company": "Finch", "employees": "many", "size": "huge", "shoe": 38}
    only_invalid = user_record(email="bob@example.com", profile={"employees": "many"})

    result = run(every_kind)(as_jsonl(user_record(profile=profile), only_invalid))

    assert result.exit_code == 0
    assert "line 1: Skipped fields: profile.employees: Not a valid integer.; profile.size: " in result.stdout
    assert "profile.shoe: Unknown field." in result.stdout
    assert "line 2: Skipped fields: profile.employees: Not a valid integer." in result.stdout
    assert stored(every_kind) == {"ada@example.com": {"company": "Finch"}}


@pytest.mark.both
def test_W14_an_import_keeps_the_values_that_only_another_declaration_knows(
    declare: Declare, run: Callable[..., RunImport]
) -> None:
    other = declare(COMPANY + '[profile.team]\ntype = "line"\n')
    register(other, "ada@example.com", {"company": "Finch", "team": "Blue"})
    app = declare(COMPANY + '[profile.seat]\ntype = "country"\n')
    record = user_record(profile={"company": "Wren", "seat": "GB"})

    result = run(app)(as_jsonl(record, user_record(email="bob@example.com", profile={"seat": "DE"})))
    updated = run(app)(as_jsonl(record), "--on-conflict", "update")

    assert ("1 already existed" in result.stdout, "1 updated" in updated.stdout) == (True, True)
    assert stored(app) == {
        "ada@example.com": {"company": "Wren", "team": "Blue", "seat": "GB"},
        "bob@example.com": {"seat": "DE"},
    }


def test_a_built_in_field_that_is_not_declared_is_neither_exported_nor_imported_nor_deleted(
    app: Flask, declare: Declare, run: Callable[..., RunImport], tmp_path: Path
) -> None:
    make_user(app, email="ada@example.com", profile=PROFILE)
    own = declare('[profile.city]\nrequired = "no"\n' + COMPANY)

    table = export(own, tmp_path / "users.csv")
    (line,) = export(own, tmp_path / "users.jsonl").splitlines()[-1:]
    record = user_record(profile={"city": "York", "company": "Finch", "zip": "YO1 7"})
    result = run(own)(as_jsonl(record), "--on-conflict", "update")
    rejected = run(own)(as_csv({"email": "ada@example.com", "profile.zip": "YO1 7"}), name="zip.csv")

    columns = [name for name in table.splitlines()[0].split(",") if name.startswith("profile.")]
    assert columns == ["profile.city", "profile.company"]
    assert json.loads(line)["profile"] == {"city": "Bath", "company": None}
    assert "line 1: Skipped fields: profile.zip: Unknown field." in result.stdout
    assert "Unknown columns: profile.zip." in rejected.output
    kept = stored(own)["ada@example.com"]
    assert (kept["city"], kept["company"], kept["zip"], kept["title"]) == ("York", "Finch", "BA2 4", "Ms")


SECRET = """
[profile.company]
type = "line"
[profile.tax_number]
type = "line"
sensitive = true
[profile.rating]
type = "integer"
read = "staff"
write = "staff"
"""


def test_W19_sensitive_fields_are_exported_only_with_the_option_which_is_recorded(
    declare: Declare, run: Callable[..., RunImport], tmp_path: Path
) -> None:
    app = declare(SECRET)
    run(app)(as_jsonl(user_record(profile={"company": "Finch", "tax_number": "T-4711", "rating": 5})))
    boss = staff_client(app, is_staff=True, is_superuser=True, profile=None)

    plain = [export(app, tmp_path / f"plain.{kind}") for kind in ("csv", "jsonl")]
    plain += [boss.post("/admin/users/act/", action=name, all="1").text for name in ("export_csv", "export_jsonl")]
    full = [export(app, tmp_path / f"full.{kind}", "--with-sensitive") for kind in ("csv", "jsonl")]

    assert all("Finch" in text and "tax_number" not in text and "T-4711" not in text for text in plain)
    assert all("rating" in text for text in plain)
    assert all("tax_number" in text and "T-4711" in text for text in full)
    found = fetch_rows(app, "SELECT changes FROM audit_events WHERE action = 'users.exported' ORDER BY id")
    changes = [json.loads(row.changes) if isinstance(row.changes, str) else row.changes for row in found]
    assert [each.get("sensitive") for each in changes][-2:] == [[None, True]] * 2
    assert not any("sensitive" in each for each in changes[:-2])


UNIQUE = '[profile.vat]\ntype = "line"\nunique = true\n' + COMPANY
TAKEN = "profile.vat: Another user already has this value."


@pytest.mark.both
@pytest.mark.parametrize("dry_run", [False, True])
def test_W09_a_record_with_a_taken_unique_value_is_rejected(
    declare: Declare, run: Callable[..., RunImport], dry_run: bool
) -> None:
    app = declare(UNIQUE)
    register(app, "ada@example.com", {"vat": "GB1", "company": "Wren"})
    register(app, "bob@example.com", {"vat": "GB2"})
    content = as_jsonl(
        user_record(profile={"vat": "GB1", "company": "Finch"}),
        user_record(email="bob@example.com", first_name="Robert", profile={"vat": "gb1"}),
        user_record(email="new@example.com", profile={"vat": "GB2"}),
        user_record(email="eve@example.com", profile={"vat": "GB3"}),
        user_record(email="sam@example.com", profile={"vat": "gb3"}),
    )

    result = run(app)(content, "--on-conflict", "update", *(["--dry-run"] if dry_run else []))

    assert result.exit_code == 1
    assert "5 read, 1 imported, 1 updated, 0 already existed, 3 rejected" in result.stdout
    for line in (2, 3, 5):
        assert f"line {line}: {TAKEN}" in result.stdout
    if not dry_run:
        assert stored(app) == {
            "ada@example.com": {"vat": "GB1", "company": "Finch"},
            "bob@example.com": {"vat": "GB2"},
            "eve@example.com": {"vat": "GB3"},
        }
        names = fetch_rows(app, "SELECT first_name FROM users WHERE email = 'bob@example.com'")
        assert names[0].first_name == ""
        keys = fetch_rows(app, "SELECT key FROM user_field_keys WHERE field = 'vat' ORDER BY key")
        assert [row.key for row in keys] == ["gb1", "gb2", "gb3"]


@pytest.mark.both
def test_W16_filters_find_users_by_the_values_that_an_import_wrote(
    declare: Declare, run: Callable[..., RunImport]
) -> None:
    app = declare(COMPANY + 'find = "beginning"\n')
    boss = make_account(app, is_staff=True, is_superuser=True, profile=None)
    headers = {"Authorization": f"Bearer {sign_in(app, boss)['access_token']}"}

    def find(company: str) -> list[str]:
        found = app.test_client().get("/userapi/users/", query_string={"profile.company": company}, headers=headers)
        return [user["email"] for user in found.get_json()["results"]]

    run(app)(as_jsonl(user_record(profile={"company": "Finch"})))
    found = [find("fin"), find("wren")]
    run(app)(as_jsonl(user_record(profile={"company": "Wren"})), "--on-conflict", "update")

    assert [*found, find("fin"), find("wren")] == [["ada@example.com"], [], [], ["ada@example.com"]]


def test_required_fields_are_demanded_with_the_options(declare: Declare, run: Callable[..., RunImport]) -> None:
    app = declare(COMPANY + 'required = "new"\n[profile.team]\ntype = "line"\n')
    content = as_jsonl(user_record(profile={"team": "Blue"}))

    rejected = run(app)(content, "--bad-profile", "refuse-user")
    without = run(app)(content, "--bad-profile", "leave-out-profile")
    delete_users(app)
    taken = run(app)(content)

    assert "line 1: profile.company: Missing." in rejected.stdout
    assert "line 1: Imported without the profile. profile.company: Missing." in without.stdout
    assert "1 imported" in taken.stdout
    assert stored(app) == {"ada@example.com": {"team": "Blue"}}


def test_W03_the_sample_of_the_staff_site_has_the_declared_fields_and_can_be_imported(every_kind: Flask) -> None:
    boss: StaffClient = staff_client(every_kind, is_staff=True, is_superuser=True, profile=None)

    sample = boss.get("/admin/imports/sample.csv").text
    sent = upload_import(boss, sample, dry_run="")
    run_import_jobs(every_kind)

    assert (sent.status_code, "date of birth" in boss.get(NEW_IMPORT_PATH).text) == (303, False)
    assert stored(every_kind)["ada@example.com"].keys() == VALUES.keys()
