"""Every import restores what any export wrote, unchanged."""

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

pytestmark = [pytest.mark.both, pytest.mark.unmeasured]

#: Texts with a meaning in spreadsheets, CSV or JSON, or that careless parsers change.
HOSTILE = (
    '=HYPERLINK("x")', "+1", "-1", "@x", "＝1", "＋1", "－1", "＠x", "'=1", "''@", "'tis", "''", "  =1", "\xa0-1",
    'a "b", c; d', '"', '""', ",", ";", "[1]", '["a"]', "{}", "null", "true", "0", "007", "1e9", "\\", "\\n", "#",
    "Ада", "Jürgen", "é", "e\u0301", "שלום", "\u200fabc", "مرحبا", "𝒜", "  around  ", "x" * 150,
)  # fmt: skip

#: What an export contains; password hashes only if the export includes them.
STORED = {
    "users": "SELECT id, email, email_key, username, first_name, last_name, first_name_key, last_name_key, language, "
    "is_active, is_staff, is_superuser, email_verified_at, pending_email, date_joined, last_login FROM users",
    "hashes": "SELECT id, password_hash FROM users",
    "profiles": "SELECT user_id, title, dob, address, country, city, zip FROM user_profiles",
    "members": "SELECT user_id, name FROM user_groups JOIN groups ON id = group_id",
    "permissions": "SELECT user_id, codename FROM user_permissions JOIN permissions ON id = permission_id",
    "groups": "SELECT g.name, codename FROM groups g LEFT JOIN group_permissions ON g.id = group_id "
    "LEFT JOIN permissions p ON p.id = permission_id",
}


def stored_rows(app: Flask, *, but: int = 0) -> dict[str, list[Any]]:
    """The stored rows, except those of one user."""
    with app.app_context():
        found = {name: [tuple(row) for row in db.session.execute(sa.text(text))] for name, text in STORED.items()}
    return {name: sorted((row for row in rows if row[0] != but), key=repr) for name, rows in found.items()}


@pytest.fixture
def superuser(app: Flask) -> StaffClient:
    """A superuser of a service that has users of every kind."""
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
            "INSERT INTO groups (id, name) VALUES (7007, '=Editors; \"all\"'), (7009, 'Écrivains'), (7011, '[no one]')",
            "INSERT INTO group_permissions VALUES (7007, 1), (7007, 2), (7009, 3)",
            "INSERT INTO user_groups SELECT id, 7007 FROM users WHERE id % 2 = 0",
            "INSERT INTO user_groups SELECT id, 7009 FROM users WHERE id % 3 = 0",
            "INSERT INTO user_permissions SELECT id, 4 FROM users WHERE is_staff",
        ):
            connection.execute(sa.text(statement))
    return staff_client(app, is_staff=True, is_superuser=True)


# --- Exports --------------------------------------------------------------------------------------------


def staff_export(kind: str, superuser: StaffClient, _folder: Path) -> bytes:
    return superuser.post("/admin/users/act/", action=f"export_{kind}", all="true", query="").data


def staff_export_of_chosen(kind: str, superuser: StaffClient, _folder: Path) -> bytes:
    with superuser.app.app_context():
        ids = list(db.session.scalars(sa.text("SELECT id FROM users")))
    return superuser.post("/admin/users/act/", action=f"export_{kind}", user=ids).data


def shell_export(kind: str, superuser: StaffClient, folder: Path, *options: str) -> bytes:
    file = folder / f"out.{kind}"
    assert superuser.app.test_cli_runner().invoke(args=["users", "export", str(file), *options]).exit_code == 0
    return file.read_bytes()


def shell_export_to_output(kind: str, superuser: StaffClient, _folder: Path) -> bytes:
    return superuser.app.test_cli_runner().invoke(args=["users", "export", "--format", kind]).stdout_bytes


def shell_export_with_passwords(kind: str, superuser: StaffClient, folder: Path) -> bytes:
    return shell_export(kind, superuser, folder, "--with-passwords")


EXPORTS = (
    staff_export, staff_export_of_chosen, shell_export, shell_export_to_output, shell_export_with_passwords,
)  # fmt: skip


# --- Imports; each returns the id of the user it created to run the import, or 0 ------------------------------


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
    superuser = staff_client(app, is_staff=True, is_superuser=True)
    follow_redirect(superuser, upload_import(superuser, content, f"users.{kind}", dry_run=""))
    run_import_jobs(app)
    assert (newest_import(app).state, import_counts(app).get("refused", 0), import_counts(app).get("altered", 0)) == (
        "done",
        0,
        0,
    )
    return superuser.id


IMPORTS = (shell_import, shell_import_of_input, staff_import)

Export = Callable[[str, StaffClient, Path], bytes]
Import = Callable[[str, bytes, Flask, Path], int]


@pytest.mark.parametrize("import_users", IMPORTS)
@pytest.mark.parametrize("export_users", EXPORTS)
@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_an_import_restores_the_users_of_an_export(
    superuser: StaffClient, kind: str, export_users: Export, import_users: Import, tmp_path: Path
) -> None:
    app, before = superuser.app, stored_rows(superuser.app)
    content = export_users(kind, superuser, tmp_path)
    delete_all_rows(app)

    new_superuser_id = import_users(kind, content, app, tmp_path)

    after = stored_rows(app, but=new_superuser_id)
    if export_users is not shell_export_with_passwords:  # this export has no hashes
        assert {row[1] for row in after.pop("hashes")} == {None}
        del before["hashes"]
    if kind == "csv":  # CSV contains only the names of groups
        del before["groups"], after["groups"]
    assert all(before.values())
    assert after == before


@pytest.mark.parametrize("import_users", IMPORTS)
@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_an_older_export_of_the_staff_site_can_be_imported(
    app: Flask, kind: str, import_users: Import, tmp_path: Path
) -> None:
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

    new_superuser_id = import_users(kind, content, app, tmp_path)

    found = stored_rows(app, but=new_superuser_id)
    assert [row[1:7:2] for row in found["users"]] == [("ada@example.com", None, ""), ("bob@example.com", "bob", "")]
    assert [row[4] for row in found["users"]] == ["=Ada", ""]
    assert [bool(row[9]) for row in found["users"]] == [True, False]
    assert [row[13] for row in found["users"]] == ["next@example.com", None]
    assert [row[3:] for row in found["profiles"]] == [("+1 St", "US", "Boston", "02110")]
