"""Whatever any door exports, every import takes back unchanged."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from tests.support.databases import delete_all_rows
from tests.support.factories import PROFILE, make_user
from tests.support.staff_client import StaffClient, staff_client
from tests.support.staff_imports import follow_redirect, import_counts, newest_import, run_import_jobs, upload_import
from userapi.core.db import db

pytestmark = pytest.mark.both

#: What means something to a spreadsheet, to CSV, to JSON, or to a careless reader.
HOSTILE = (
    '=HYPERLINK("x")', "+1", "-1", "@x", "＝1", "＋1", "－1", "＠x", "'=1", "''@", "'tis", "''", "  =1", "\xa0-1",
    'a "b", c; d', '"', '""', ",", ";", "[1]", '["a"]', "{}", "null", "true", "0", "007", "1e9", "\\", "\\n", "#",
    "Ада", "Jürgen", "é", "e\u0301", "שלום", "\u200fabc", "مرحبا", "𝒜", "  around  ", "x" * 150,
)  # fmt: skip

#: Everything that an export is about; hashes only where they go along.
KEPT = {
    "users": "SELECT id, email, email_key, username, first_name, last_name, first_name_key, last_name_key, language, "
    "is_active, is_staff, is_superuser, email_verified_at, pending_email, date_joined, last_login FROM users",
    "hashes": "SELECT id, password_hash FROM users",
    "profiles": "SELECT user_id, title, dob, address, country, city, zip FROM user_profiles",
    "members": "SELECT user_id, name FROM user_groups JOIN groups ON id = group_id",
    "permissions": "SELECT user_id, codename FROM user_permissions JOIN permissions ON id = permission_id",
    "groups": "SELECT g.name, codename FROM groups g LEFT JOIN group_permissions ON g.id = group_id "
    "LEFT JOIN permissions p ON p.id = permission_id",
}


def kept(app: Flask, *, but: int = 0) -> dict[str, list[Any]]:
    """What is stored, without one user."""
    with app.app_context():
        found = {name: [tuple(row) for row in db.session.execute(sa.text(text))] for name, text in KEPT.items()}
    return {name: sorted((row for row in rows if row[0] != but), key=repr) for name, rows in found.items()}


@pytest.fixture
def boss(app: Flask) -> StaffClient:
    """A superuser in a browser, in a service with every kind of user."""
    for text in HOSTILE:
        described = {"address": text, "country": text[:50], "city": text[:50], "title": text[:5].strip() or "Mx"}
        make_user(
            app, username=text.lstrip("\u200f")[:50], first_name=text, last_name=text, profile=PROFILE | described
        )
    make_user(app, email="+plus@example.com", password=None, profile=None, first_name="", last_name="")
    make_user(app, email="Eve@bücher.example", is_staff=True, language="ar")
    make_user(app, email="-root@example.com", is_staff=True, is_superuser=True)
    with app.app_context(), db.engine.begin() as connection:
        for statement in (
            "UPDATE users SET is_active = false WHERE username = '+1'",
            "UPDATE users SET pending_email = '=next@example.com' WHERE username = '-1'",
            "UPDATE users SET email_verified_at = NULL WHERE username = '@x'",
            "UPDATE users SET email_verified_at = '2024-05-06 07:08:09.123456' WHERE username = '007'",
            "UPDATE users SET last_login = '2024-05-06 07:08:09.000000' WHERE username = 'null'",
            "INSERT INTO groups (id, name) VALUES (7007, '=Editors; \"all\"'), (7009, 'Écrivains'), (7011, '[nobody]')",
            "INSERT INTO group_permissions VALUES (7007, 1), (7007, 2), (7009, 3)",
            "INSERT INTO user_groups SELECT id, 7007 FROM users WHERE id % 2 = 0",
            "INSERT INTO user_groups SELECT id, 7009 FROM users WHERE id % 3 = 0",
            "INSERT INTO user_permissions SELECT id, 4 FROM users WHERE is_staff",
        ):
            connection.execute(sa.text(statement))
    return staff_client(app, is_staff=True, is_superuser=True)


# --- Doors out --------------------------------------------------------------------------------------------


def staff_export(kind: str, boss: StaffClient, _folder: Path) -> bytes:
    return boss.post("/admin/users/act/", action=f"export_{kind}", all="true", query="").data


def staff_export_of_chosen(kind: str, boss: StaffClient, _folder: Path) -> bytes:
    with boss.app.app_context():
        ids = list(db.session.scalars(sa.text("SELECT id FROM users")))
    return boss.post("/admin/users/act/", action=f"export_{kind}", user=ids).data


def shell_export(kind: str, boss: StaffClient, folder: Path, *options: str) -> bytes:
    file = folder / f"out.{kind}"
    assert boss.app.test_cli_runner().invoke(args=["users", "export", str(file), *options]).exit_code == 0
    return file.read_bytes()


def shell_export_to_output(kind: str, boss: StaffClient, _folder: Path) -> bytes:
    return boss.app.test_cli_runner().invoke(args=["users", "export", "--format", kind]).stdout_bytes


def shell_export_with_passwords(kind: str, boss: StaffClient, folder: Path) -> bytes:
    return shell_export(kind, boss, folder, "--with-passwords")


OUT = (
    staff_export, staff_export_of_chosen, shell_export, shell_export_to_output, shell_export_with_passwords,
)  # fmt: skip


# --- Doors in; each gives the id of a user whom it needed ---------------------------------------------------


def shell_import(kind: str, content: bytes, app: Flask, folder: Path) -> int:
    file = folder / f"users.{kind}"
    file.write_bytes(content)
    result = app.test_cli_runner().invoke(args=["users", "import", str(file)])
    assert (result.exit_code, result.stderr) == (0, ""), result.stdout
    assert "0 rejected, 0 changed" in result.stdout, result.stdout
    return 0


def shell_import_of_input(kind: str, content: bytes, app: Flask, _folder: Path) -> int:
    result = app.test_cli_runner().invoke(args=["users", "import", "-", "--format", kind], input=content)
    assert (result.exit_code, result.stderr) == (0, ""), result.stdout
    return 0


def staff_import(kind: str, content: bytes, app: Flask, _folder: Path) -> int:
    boss = staff_client(app, is_staff=True, is_superuser=True)
    follow_redirect(boss, upload_import(boss, content, f"users.{kind}", dry_run=""))
    run_import_jobs(app)
    assert (newest_import(app).state, import_counts(app).get("refused", 0), import_counts(app).get("altered", 0)) == (
        "done",
        0,
        0,
    )
    return boss.id


IN = (shell_import, shell_import_of_input, staff_import)

Out = Callable[[str, StaffClient, Path], bytes]
In = Callable[[str, bytes, Flask, Path], int]


@pytest.mark.parametrize("take_in", IN)
@pytest.mark.parametrize("take_out", OUT)
@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_an_import_makes_the_users_that_an_export_wrote(
    boss: StaffClient, kind: str, take_out: Out, take_in: In, tmp_path: Path
) -> None:
    app, before = boss.app, kept(boss.app)
    content = take_out(kind, boss, tmp_path)
    delete_all_rows(app)

    needed = take_in(kind, content, app, tmp_path)

    after = kept(app, but=needed)
    if take_out is not shell_export_with_passwords:  # hashes stay at home
        assert {row[1] for row in after.pop("hashes")} == {None}
        del before["hashes"]
    if kind == "csv":  # which has the names of groups alone
        del before["groups"], after["groups"]
    assert all(before.values())
    assert after == before


@pytest.mark.parametrize("take_in", IN)
@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_an_older_export_of_the_staff_site_is_taken_too(app: Flask, kind: str, take_in: In, tmp_path: Path) -> None:
    names = "id email username first_name last_name profile_title profile_dob profile_address profile_country "
    names += "profile_city profile_zip is_active is_staff is_superuser email_verified pending_email language "
    names += "date_joined last_login"
    profile, joined = ["Ms", "1990-12-10", "+1 St", "US", "Boston", "02110"], ["2024-05-06T07:08:09+00:00", None]
    ada = [
        7,
        "ada@example.com",
        None,
        "=Ada",
        "",
        *profile,
        True,
        False,
        False,
        True,
        "next@example.com",
        "de",
        *joined,
    ]
    bob = [8, "bob@example.com", "bob", "", "", *([None] * 6), False, True, False, False, None, None, *joined]
    rows = [dict(zip(names.split(), each, strict=True)) for each in (ada, bob)]
    if kind == "jsonl":
        content = "".join(f"{json.dumps(row)}\n" for row in rows).encode()
    else:
        file = io.StringIO()
        table = csv.DictWriter(file, names.split())
        table.writeheader()
        guarded = {"=Ada": "'=Ada", "+1 St": "'+1 St"}
        table.writerows({name: guarded.get(value, value) for name, value in row.items()} for row in rows)
        content = file.getvalue().encode()

    needed = take_in(kind, content, app, tmp_path)

    found = kept(app, but=needed)
    assert [row[1:7:2] for row in found["users"]] == [("ada@example.com", None, ""), ("bob@example.com", "bob", "")]
    assert [row[4] for row in found["users"]] == ["=Ada", ""]
    assert [bool(row[9]) for row in found["users"]] == [True, False]
    assert [row[13] for row in found["users"]] == ["next@example.com", None]
    assert [row[3:] for row in found["profiles"]] == [("+1 St", "US", "Boston", "02110")]
