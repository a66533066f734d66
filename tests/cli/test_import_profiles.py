"""Importing profiles and usernames with invalid fields."""

import json
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from tests.support.factories import PROFILE, make_user
from tests.support.import_files import RunImport, as_csv, as_jsonl, import_command, stored_users, user_record
from tests.support.sql import fetch_rows

pytestmark = pytest.mark.both


@pytest.fixture
def import_file(app: Flask, tmp_path: Path) -> RunImport:
    return import_command(app, tmp_path)


def profiles(app: Flask) -> list[tuple[Any, ...]]:
    found = fetch_rows(app, "SELECT email, title, city, zip FROM users JOIN user_profiles ON user_id = id ORDER BY id")
    return [tuple(row) for row in found]


LONG = user_record(profile=PROFILE | {"zip": "SW1A 1AA", "shoe": 38})


def test_an_invalid_profile_field_is_left_out_and_named(app: Flask, import_file: RunImport) -> None:
    result = import_file(as_jsonl(LONG))

    assert (result.exit_code, result.stderr) == (0, "")
    assert (
        "line 1: Skipped fields: profile.zip: Longer than maximum length 5.; profile.shoe: Unknown field."
        in result.stdout
    )
    assert "1 imported, 0 updated, 0 already existed, 0 rejected, 1 changed" in result.stdout
    assert profiles(app) == [("ada@example.com", "Ms", "Bath", "")]


def test_a_user_with_an_invalid_profile_is_rejected_with_the_option(app: Flask, import_file: RunImport) -> None:
    result = import_file(
        as_jsonl(LONG, user_record(email="bob@example.com", profile=PROFILE)), "--bad-profile", "refuse-user"
    )

    assert result.exit_code == 1
    assert "Rejected:\n  line 1: profile.zip: Longer than maximum length 5." in result.stdout
    assert profiles(app) == [("bob@example.com", "Ms", "Bath", "BA2 4")]
    assert [email for _id, email in stored_users(app)] == ["bob@example.com"]


def test_an_invalid_profile_is_left_out_completely_with_the_option(app: Flask, import_file: RunImport) -> None:
    result = import_file(
        as_jsonl(LONG, user_record(email="bob@example.com", profile=PROFILE)), "--bad-profile", "leave-out-profile"
    )

    assert result.exit_code == 0
    assert "line 1: Imported without the profile. profile.zip: Longer than maximum length 5." in result.stdout
    assert profiles(app) == [("bob@example.com", "Ms", "Bath", "BA2 4")]
    assert len(stored_users(app)) == 2


@pytest.mark.parametrize(
    ("profile", "reason"),
    [
        (PROFILE | {"dob": "2999-01-01"}, "profile.dob: Must not be in the future."),
        (PROFILE | {"dob": None}, "profile.dob: Missing."),
        ({"city": "Bath"}, "profile.title: Missing.; profile.dob: Missing."),
        ("none", "profile: Must be an object."),
    ],
)
def test_a_user_without_a_date_of_birth_is_rejected_unless_profiles_may_be_left_out(
    app: Flask, import_file: RunImport, profile: Any, reason: str
) -> None:
    content = as_jsonl(user_record(profile=profile))

    rejected = import_file(content)
    taken = import_file(content, "--bad-profile", "leave-out-profile")

    assert f"line 1: {reason}" in rejected.stdout
    assert (rejected.exit_code, taken.exit_code) == (1, 0)
    assert reason in taken.stdout
    assert (len(stored_users(app)), profiles(app)) == (1, [])


def test_a_profile_with_empty_fields_is_imported_and_can_be_exported_and_imported_again(
    app: Flask, import_file: RunImport, tmp_path: Path
) -> None:
    result = import_file(as_jsonl(user_record(profile={"dob": "1990-12-10", "city": "Bath"})))
    for kind in ("csv", "jsonl"):
        file = tmp_path / f"out.{kind}"
        app.test_cli_runner().invoke(args=["users", "export", str(file)])
        again = import_file(file.read_bytes(), "--on-conflict", "update", name=file.name)
        assert "1 updated, 0 already existed, 0 rejected, 0 changed" in again.stdout

    assert "0 changed" in result.stdout
    assert profiles(app) == [("ada@example.com", "", "Bath", "")]


def test_an_update_keeps_the_stored_value_of_a_field_that_is_left_out(app: Flask, import_file: RunImport) -> None:
    make_user(app, email="ada@example.com", profile=PROFILE)

    import_file(as_jsonl(LONG | {"profile": LONG["profile"] | {"city": "York"}}), "--on-conflict", "update")

    assert profiles(app) == [("ada@example.com", "Ms", "York", "BA2 4")]


def test_an_empty_profile_is_not_created(app: Flask, import_file: RunImport) -> None:
    assert "0 changed" in import_file(as_jsonl(user_record(profile=dict.fromkeys(PROFILE)))).stdout
    table = as_csv({"email": "bob@example.com", **{f"profile.{name}": "" for name in PROFILE}})
    assert "0 changed" in import_file(table, name="users.csv").stdout

    assert (len(stored_users(app)), profiles(app)) == (2, [])


@pytest.mark.parametrize("username", ["x" * 51, "very.long.name." * 4 + "@department.example.com", "\x1b[31mred"])
def test_an_invalid_username_is_left_out_and_named(app: Flask, import_file: RunImport, username: str) -> None:
    fields = {"email": "ada@example.com", "username": username, "password": "!", "last_login": None}
    dump = json.dumps([{"model": "auth.user", "pk": 7, "fields": fields}])

    result = import_file(dump, name="users.json")

    assert (result.exit_code, result.stderr) == (0, "")
    assert "entry 1 (auth.user 7): Skipped fields: username: " in result.stdout
    assert "\x1b" not in result.stdout
    assert "1 imported, 0 updated, 0 already existed, 0 rejected, 1 changed" in result.stdout
    found = fetch_rows(app, "SELECT id, username FROM users")
    assert [tuple(row) for row in found] == [(7, None)]
