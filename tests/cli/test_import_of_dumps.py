"""Django dumps with one object per line, and compressed files."""

import bz2
import gzip
import json
import lzma
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask

from tests.support.factories import PROFILE
from tests.support.import_files import RunImport, as_csv, as_jsonl, import_command, stored_users, user_record
from tests.support.sql import fetch_rows

USER = {"email": "ada@example.com", "username": "ada", "password": "!", "last_login": None}
DUMP = [
    {"model": "auth.user", "pk": 9, "fields": USER},
    {"model": "api.userprofile", "pk": 9, "fields": {"user": 9, **PROFILE}},
]

Compress = Callable[[bytes], bytes]
WAYS: dict[str, Compress] = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}
FILES = {
    "users.json": json.dumps(DUMP, indent=2),
    "users.jsonl": as_jsonl(*DUMP),
    "lines.jsonl": as_jsonl(user_record(profile=PROFILE)),
    "users.csv": as_csv({"email": "ada@example.com", **{f"profile.{name}": text for name, text in PROFILE.items()}}),
}


@pytest.fixture
def import_file(app: Flask, tmp_path: Path) -> RunImport:
    return import_command(app, tmp_path)


@pytest.mark.parametrize("start", ["", "\ufeff", "\n"])
def test_imports_a_dump_with_one_object_per_line(app: Flask, import_file: RunImport, start: str) -> None:
    result = import_file(start + FILES["users.jsonl"])

    assert (result.exit_code, result.stderr) == (0, "")
    assert stored_users(app) == [(9, "ada@example.com")]
    assert [row.city for row in fetch_rows(app, "SELECT city FROM user_profiles")] == ["Bath"]


@pytest.mark.parametrize("ending", WAYS)
@pytest.mark.parametrize("name", FILES)
def test_imports_a_compressed_file(app: Flask, import_file: RunImport, name: str, ending: str) -> None:
    result = import_file(WAYS[ending](FILES[name].encode()), name=name + ending)

    assert (result.exit_code, result.stderr) == (0, "")
    assert [email for _id, email in stored_users(app)] == ["ada@example.com"]
    assert [row.city for row in fetch_rows(app, "SELECT city FROM user_profiles")] == ["Bath"]


def test_imports_a_compressed_dump_from_standard_input(app: Flask) -> None:
    content = gzip.compress(FILES["users.json"].encode())

    result = app.test_cli_runner().invoke(args=["users", "import", "-", "--format", "django"], input=content)

    assert (result.exit_code, stored_users(app)) == (0, [(9, "ada@example.com")])


@pytest.mark.parametrize("ending", WAYS)
@pytest.mark.parametrize("name", ["users.json", "lines.jsonl"])
def test_a_truncated_compressed_file_gets_one_line(app: Flask, import_file: RunImport, name: str, ending: str) -> None:
    whole = WAYS[ending](FILES[name].encode())

    result = import_file(whole[: len(whole) // 2], name=name + ending)

    assert (result.exit_code, result.stderr.count("\n"), result.stdout) == (1, 1, "")
    assert "damaged or incomplete" in result.stderr
    assert stored_users(app) == []


def test_an_archive_is_reported_as_such(app: Flask, import_file: RunImport) -> None:
    result = import_file(b"PK\x03\x04" + bytes(100), name="users.json")

    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert "ZIP archive. Extract it first." in result.stderr
