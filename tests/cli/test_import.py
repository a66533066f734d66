"""Importing users from JSON lines or CSV keeps all their data."""

from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask

from tests.support.api_client import ApiUser, sign_in
from tests.support.factories import PROFILE
from tests.support.import_files import (
    DJANGO_HASH,
    RunImport,
    as_csv,
    as_jsonl,
    import_command,
    stored_users,
    user_record,
)
from tests.support.sql import fetch_rows

pytestmark = pytest.mark.both


@pytest.fixture
def import_file(app: Flask, tmp_path: Path) -> RunImport:
    return import_command(app, tmp_path)


def test_everything_in_a_line_is_imported(
    app: Flask, import_file: RunImport, make_api_user: Callable[..., ApiUser]
) -> None:
    record = user_record(
        id=4711,
        email="Ada.Lovelace@Example.com",
        username="ada",
        last_name="Lovelace",
        is_staff=True,
        email_verified_at="2024-05-06T07:08:09.123456Z",
        date_joined="2023-01-02T03:04:05+01:00",
        last_login="2024-05-06T07:08:09",
        password_hash=DJANGO_HASH,
        profile=PROFILE,
        groups=["Editors"],
        permissions=["view_user"],
    )

    result = import_file(as_jsonl({"group": "Editors", "permissions": ["view_group", "change_user"]}, record))

    assert (result.exit_code, result.stderr) == (0, "")
    assert "1 imported" in result.stdout
    tokens = sign_in(app, "ada.lovelace@example.com")
    me = (
        app.test_client()
        .get("/userapi/auth/user/", headers={"Authorization": f"Bearer {tokens['access_token']}"})
        .get_json()
    )
    assert me["id"] == 4711
    assert (me["email"], me["username"], me["last_name"]) == ("Ada.Lovelace@Example.com", "ada", "Lovelace")
    assert (me["is_staff"], me["is_superuser"], me["is_active"], me["email_verified"]) == (True, False, True, True)
    assert (me["date_joined"], me["profile"]) == ("2023-01-02T02:04:05Z", PROFILE)
    of_group = fetch_rows(
        app,
        "SELECT g.name, p.codename FROM user_groups u JOIN groups g ON g.id = u.group_id "
        "JOIN group_permissions x ON x.group_id = g.id JOIN permissions p ON p.id = x.permission_id ORDER BY 2",
    )
    assert [tuple(row) for row in of_group] == [("Editors", "change_user"), ("Editors", "view_group")]
    own = fetch_rows(app, "SELECT codename FROM user_permissions JOIN permissions ON id = permission_id")
    assert [row.codename for row in own] == ["view_user"]
    staff = make_api_user(is_staff=True, is_superuser=True)
    found = staff.get("/userapi/users/", query_string={"search": "lovelace"}).get_json()["results"]
    assert [each["id"] for each in found] == [4711]


def test_a_table_gives_the_same_result_as_lines(app: Flask, import_file: RunImport) -> None:
    row = {
        "id": "4711", "email": "ada@example.com", "first_name": "Ada", "is_staff": "True", "email_verified": "yes",
        "password_hash": DJANGO_HASH, "groups": "Editors; Writers", "profile.title": "Ms", "profile.dob": "1990-12-10",
        "profile.address": "12, Pulteney Street", "profile.country": "United Kingdom", "profile.city": "Bath",
        "profile.zip": "BA2 4", "last_login": "",
    }  # fmt: skip

    result = import_file(as_csv(row), name="users.csv")

    assert (result.exit_code, result.stderr) == (0, "")
    sign_in(app, "ada@example.com")
    (user,) = fetch_rows(app, "SELECT * FROM users JOIN user_profiles ON user_id = id")
    assert (user.id, user.is_staff, user.is_superuser, user.address) == (4711, True, False, "12, Pulteney Street")
    assert user.email_verified_at is not None
    names = fetch_rows(app, "SELECT name FROM groups JOIN user_groups ON group_id = id ORDER BY name")
    assert [row.name for row in names] == ["Editors", "Writers"]


def test_accepts_a_byte_order_mark_and_other_line_ends(app: Flask, import_file: RunImport) -> None:
    table = "\ufeff" + as_csv({"email": "ada@example.com", "first_name": "Ada"}).replace("\n", "\r\n")
    lines = "\ufeff" + as_jsonl(user_record(email="bob@example.com")).replace("\n", "\r\n") + "\r\n\r\n"

    assert import_file(table, name="users.csv").exit_code == 0
    assert import_file(lines).exit_code == 0

    assert [email for _id, email in stored_users(app)] == ["ada@example.com", "bob@example.com"]


def test_standard_input_needs_a_format(app: Flask) -> None:
    runner = app.test_cli_runner()
    content = as_jsonl(user_record())

    without_format = runner.invoke(args=["users", "import", "-"], input=content)
    with_format = runner.invoke(args=["users", "import", "-", "--format", "jsonl"], input=content)

    assert (without_format.exit_code, with_format.exit_code) == (2, 0)
    assert "--format" in without_format.stderr
    assert len(stored_users(app)) == 1


def test_U09_an_imported_hash_signs_in_and_becomes_argon2id(app: Flask, import_file: RunImport) -> None:
    import_file(as_jsonl(user_record(password_hash=DJANGO_HASH)))
    assert fetch_rows(app, "SELECT password_hash FROM users")[0].password_hash == DJANGO_HASH

    sign_in(app, "ada@example.com")

    assert fetch_rows(app, "SELECT password_hash FROM users")[0].password_hash.startswith("$argon2id$")
    sign_in(app, "ada@example.com")


def test_hashes_can_be_ignored(app: Flask, import_file: RunImport) -> None:
    assert import_file(as_jsonl(user_record(password_hash=DJANGO_HASH)), "--without-passwords").exit_code == 0

    assert fetch_rows(app, "SELECT password_hash FROM users")[0].password_hash is None


def test_unknown_permissions_are_named(app: Flask, import_file: RunImport) -> None:
    result = import_file(
        as_jsonl({"group": "G", "permissions": ["x"]}, user_record(permissions=["view_user", "blog.add_post"]))
    )

    assert result.exit_code == 0
    assert "Unknown permissions: x 1, blog.add_post 1." in result.stdout
    own = fetch_rows(app, "SELECT codename FROM user_permissions JOIN permissions ON id = permission_id")
    assert [row.codename for row in own] == ["view_user"]


def test_accepts_the_email_permissions_of_earlier_versions(app: Flask, import_file: RunImport) -> None:
    result = import_file(as_jsonl(user_record(permissions=["view_message", "change_email"])))

    assert "Unknown permissions" not in result.stdout
    own = fetch_rows(app, "SELECT code FROM user_permissions JOIN permissions ON id = permission_id ORDER BY code")
    assert [row.code for row in own] == ["change_email", "view_email"]


def test_an_existing_group_keeps_its_permissions(app: Flask, import_file: RunImport) -> None:
    import_file(as_jsonl({"group": "Editors", "permissions": ["view_user"]}))

    import_file(
        as_jsonl({"group": "Editors", "permissions": ["delete_user"]}, user_record(groups=["Editors"])),
        "--on-conflict",
        "update",
    )

    found = fetch_rows(app, "SELECT codename FROM group_permissions JOIN permissions ON id = permission_id")
    assert [row.codename for row in found] == ["view_user"]


def test_emails_are_confirmed_with_the_option(app: Flask, import_file: RunImport) -> None:
    joined = "2024-05-06T07:08:09Z"
    import_file(
        as_jsonl(user_record(date_joined=joined), user_record(email="bob@example.com", email_verified=False)),
        "--confirmed",
    )
    import_file(as_jsonl(user_record(email="eve@example.com")))

    found = fetch_rows(app, "SELECT email_verified_at IS NOT NULL AS confirmed FROM users ORDER BY id")
    assert [bool(row.confirmed) for row in found] == [True, False, False]
