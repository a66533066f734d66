"""New staff get the permissions of the built-in group, however they became staff."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask_migrate import upgrade

from tests.support.factories import PASSWORD, make_user
from tests.support.sql import fetch_rows
from tests.support.staff_client import StaffClient, sign_in_with_cookies, staff_client
from tests.support.staff_imports import run_import_jobs, upload_import
from tests.support.user_operations import OF_USERS, OPERATIONS, Channels
from userapi.core.db import db
from userapi.security.password_hashing import hash_password

EMAIL = "helper@example.com"


def through_api(app: Flask, superuser: StaffClient, folder: Path) -> None:
    user_id = make_user(app, email=EMAIL)
    assert (
        Channels(app, superuser).api("PATCH", f"/userapi/users/{user_id}/", json={"is_staff": True}).status_code == 200
    )


def on_staff_site(app: Flask, superuser: StaffClient, folder: Path) -> None:
    path = f"/admin/users/{make_user(app, email=EMAIL)}/access/"
    assert superuser.post(path, **{**superuser.form(path), "is_staff": "true"}).status_code == 303


def shell(app: Flask, *arguments: str) -> None:
    result = app.test_cli_runner().invoke(args=arguments, env={"USER_PASSWORD": PASSWORD})
    assert result.exit_code == 0, result.stderr


def by_command(app: Flask, superuser: StaffClient, folder: Path) -> None:
    shell(app, "users", "create", "--email", EMAIL, "--staff")


def hashed(app: Flask) -> str:
    with app.app_context():
        return hash_password(PASSWORD)


def promoted_by_command(app: Flask, superuser: StaffClient, folder: Path) -> None:
    make_user(app, email=EMAIL)
    shell(app, "users", "promote", EMAIL)


def from_file(name: str, *options: str, **fields: Any) -> Callable[[Flask, StaffClient, Path], None]:
    def bring(app: Flask, superuser: StaffClient, folder: Path) -> None:
        if options:
            make_user(app, email=EMAIL)
        record = {"email": EMAIL, "is_staff": True, "password_hash": hashed(app), **fields}
        path = folder / name
        text = "\n".join([",".join(record), f'{EMAIL},true,"{record["password_hash"]}"'])
        path.write_text(text if name.endswith("csv") else json.dumps(record))
        shell(app, "users", "import", str(path), *options)

    return bring


def from_django(app: Flask, superuser: StaffClient, folder: Path) -> None:
    fields = {
        "email": EMAIL, "username": "helper", "password": hashed(app), "last_login": None,
        "is_staff": True, "is_active": True, "groups": [], "user_permissions": [],
    }  # fmt: skip
    (folder / "dump.json").write_text(json.dumps([{"model": "auth.user", "pk": 70, "fields": fields}]))
    shell(app, "users", "import", str(folder / "dump.json"))


def imported_on_staff_site(app: Flask, superuser: StaffClient, folder: Path) -> None:
    record = {"email": EMAIL, "is_staff": True, "password_hash": hashed(app)}
    upload_import(superuser, json.dumps(record), "users.jsonl", dry_run="")
    run_import_jobs(app, 2)


WAYS: dict[str, Callable[[Flask, StaffClient, Path], None]] = {
    "API": through_api,
    "staff site": on_staff_site,
    "command line": by_command,
    "promotion at the command line": promoted_by_command,
    "CSV": from_file("users.csv"),
    "JSON Lines": from_file("users.jsonl"),
    "a file that changes users": from_file("users.jsonl", "--on-conflict", "update"),
    "Django dump": from_django,
}


@pytest.mark.parametrize("way", WAYS)
def test_new_staff_get_the_default_permissions_however_they_became_staff(app: Flask, tmp_path: Path, way: str) -> None:
    superuser = staff_client(app, is_staff=True, is_superuser=True)
    WAYS[way](app, superuser, tmp_path)
    found = fetch_rows(app, f"SELECT id FROM users WHERE email = '{EMAIL}' AND is_staff")
    channels = Channels(app, sign_in_with_cookies(app, found[0].id))

    for name, operation in OPERATIONS.items():
        assert operation.run(channels, make_user(app)).status_code == operation.done, name
        if "email" in name:
            user_id = fetch_rows(app, "SELECT id FROM users WHERE email = 'moved@example.com'")[0].id
            assert superuser.post(f"/admin/users/{user_id}/delete/").status_code == 303


def test_staff_imported_on_the_staff_site_join_the_staff_group(app: Flask, tmp_path: Path) -> None:
    superuser = staff_client(app, is_staff=True, is_superuser=True)

    imported_on_staff_site(app, superuser, tmp_path)

    assert members(app) >= {EMAIL}


def members(app: Flask) -> set[str]:
    """The email addresses of the members of the built-in group."""
    found = fetch_rows(
        app,
        "SELECT email FROM users JOIN user_groups ON user_id = users.id JOIN groups ON groups.id = group_id"
        " WHERE groups.name = 'Staff'",
    )
    return {row.email for row in found}


def test_staff_created_without_the_group_cannot_see_other_users(app: Flask) -> None:
    shell(app, "users", "create", "--email", EMAIL, "--staff", "--no-group")

    limited = Channels(app, sign_in_with_cookies(app, fetch_rows(app, "SELECT id FROM users")[0].id))

    assert limited.api("GET", "/userapi/users/").status_code == 403
    assert limited.site.get("/admin/").status_code == 200
    assert limited.site.get("/admin/users/").status_code == 403


def test_the_no_group_option_is_rejected_for_users_who_are_not_staff(app: Flask) -> None:
    result = app.test_cli_runner().invoke(args=["users", "create", "--email", EMAIL, "--no-group"])

    assert result.exit_code == 2
    assert fetch_rows(app, "SELECT id FROM users") == []


def test_staff_removed_from_the_group_stay_removed(app: Flask) -> None:
    superuser = staff_client(app, is_staff=True, is_superuser=True)
    through_api(app, superuser, Path())
    user_id = fetch_rows(app, f"SELECT id FROM users WHERE email = '{EMAIL}'")[0].id
    path = f"/admin/users/{user_id}/"

    superuser.post(f"{path}access/", **{**superuser.form(f"{path}access/"), "groups": []})
    superuser.post(path, **{**superuser.form(path), "first_name": "Narrow"})

    assert EMAIL not in members(app)
    assert Channels(app, sign_in_with_cookies(app, user_id)).api("GET", "/userapi/users/").status_code == 403


def test_users_who_are_no_longer_staff_leave_the_group(app: Flask) -> None:
    superuser = staff_client(app, is_staff=True, is_superuser=True)
    through_api(app, superuser, Path())
    user_id = fetch_rows(app, f"SELECT id FROM users WHERE email = '{EMAIL}'")[0].id
    assert EMAIL in members(app)

    Channels(app, superuser).api("PATCH", f"/userapi/users/{user_id}/", json={"is_staff": False})

    assert EMAIL not in members(app)
    actions = [row.action for row in fetch_rows(app, "SELECT action FROM audit_events ORDER BY id")]
    assert actions.count("user.rights_changed") == 2


def test_staff_imported_with_groups_get_only_those_groups(app: Flask, tmp_path: Path) -> None:
    from_file("users.jsonl", groups=["Editors"])(app, staff_client(app), tmp_path)

    assert members(app) == set()


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_an_export_and_import_add_no_permissions_to_limited_staff(app: Flask, tmp_path: Path, kind: str) -> None:
    shell(app, "users", "create", "--email", EMAIL, "--staff", "--no-group")
    path = str(tmp_path / f"users.{kind}")
    shell(app, "users", "export", path)
    with app.app_context():
        db.session.execute(sa.text("DELETE FROM users"))
        db.session.commit()

    shell(app, "users", "import", path)

    assert [row.is_staff for row in fetch_rows(app, "SELECT is_staff FROM users")] == [1]
    assert members(app) == set()


def test_the_built_in_group_can_lose_permissions_but_cannot_be_deleted_or_renamed(app: Flask) -> None:
    superuser = staff_client(app, is_staff=True, is_superuser=True)
    through_api(app, superuser, Path())
    group_id = fetch_rows(app, "SELECT id FROM groups WHERE name = 'Staff'")[0].id
    path = f"/admin/groups/{group_id}/"

    renamed = superuser.post(path, **{**superuser.form(path), "name": "Others"})
    deleted = superuser.post(f"{path}delete/")
    narrowed = superuser.post(path, **{**superuser.form(path), "permissions": []})

    assert (renamed.status_code, deleted.status_code, narrowed.status_code) == (409, 409, 303)
    assert "cannot be deleted or renamed" in renamed.text
    assert "Delete…" not in superuser.get(path).text
    helper = Channels(
        app, sign_in_with_cookies(app, fetch_rows(app, f"SELECT id FROM users WHERE email = '{EMAIL}'")[0].id)
    )
    assert helper.api("GET", "/userapi/users/").status_code == 403


@pytest.mark.both
def test_the_migration_adds_existing_staff_to_the_group_and_reports_it(
    bare_app: Flask, capfd: pytest.CaptureFixture[str]
) -> None:
    insert = (
        "INSERT INTO users (email, email_key, first_name, last_name, first_name_key, last_name_key, session_version,"
        " is_active, is_staff, is_superuser, date_joined) VALUES"
        " ('{0}', '{0}', '', '', '', '', 0, true, {1}, false, '2026-01-01 00:00:00')"
    )
    with bare_app.app_context():
        upgrade(revision="0011")
        for email, is_staff in (("helper@example.com", "true"), ("reader@example.com", "false")):
            db.session.execute(sa.text(insert.format(email, is_staff)))
        db.session.commit()

        upgrade()

        assert "add, change and delete users: 1" in capfd.readouterr().err
        assert members(bare_app) == {"helper@example.com"}
        held = fetch_rows(
            bare_app, "SELECT codename FROM permissions JOIN group_permissions ON permission_id = id ORDER BY 1"
        )
    assert sorted(row.codename for row in held) == sorted(OF_USERS)


def test_the_staff_site_says_that_new_staff_join_the_group_and_others_leave_it(app: Flask) -> None:
    superuser = staff_client(app, is_staff=True, is_superuser=True)
    path = f"/admin/users/{make_user(app)}/access/"
    joins = "This user is now staff, so they joined the group Staff and have its permissions."
    leaves = "This user is no longer staff, so they left the group Staff."

    def save(**changes: Any) -> str:
        response = superuser.post(path, **{**superuser.form(path), **changes})
        return superuser.get(response.headers["Location"]).text

    renamed = save(first_name="Robin")
    promoted = save(is_staff="true")
    demoted = save(is_staff=[])

    assert joins not in renamed
    assert joins in promoted
    assert leaves in demoted
