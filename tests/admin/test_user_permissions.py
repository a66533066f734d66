"""The API and the staff site require the same permissions, and new staff get them however they became staff."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import sqlalchemy as sa
from flask import Flask
from flask_migrate import upgrade
from werkzeug.test import TestResponse

from tests.support.api_client import sign_in as bearer
from tests.support.factories import PASSWORD, make_user
from tests.support.sql import fetch_rows
from tests.support.staff_client import StaffClient, grant_permissions, sign_in_with_cookies, staff_client
from tests.support.staff_imports import run_import_jobs, upload_import
from userapi.core.db import db
from userapi.security.password_hashing import hash_password

OF_USERS = ("view_user", "add_user", "change_user", "delete_user")


class Channels(NamedTuple):
    """The same user on the staff site and on the API."""

    app: Flask
    site: StaffClient

    def api(self, method: str, path: str, **options: Any) -> TestResponse:
        tokens = bearer(self.app, self.site.email)
        headers = {"Authorization": f"Bearer {tokens['access_token']}"}
        return self.app.test_client().open(path, method=method, headers=headers, **options)


def edit_at_site(channels: Channels, user_id: int) -> TestResponse:
    path = f"/admin/users/{user_id}/"
    return channels.site.post(path, **{**superuser_form(channels, path), "first_name": "Seen"})


def superuser_form(channels: Channels, path: str) -> dict[str, Any]:
    return staff_client(channels.app, is_staff=True, is_superuser=True).form(path)


class Operation(NamedTuple):
    """What staff do to another user: the permission it needs, the call, and the status if it succeeds."""

    needs: str
    run: Callable[[Channels, int], TestResponse]
    done: int


OPERATIONS = {
    "list over the API": Operation("view_user", lambda channels, _id: channels.api("GET", "/userapi/users/"), 200),
    "list at the site": Operation("view_user", lambda channels, _id: channels.site.get("/admin/users/"), 200),
    "read over the API": Operation("view_user", lambda channels, id: channels.api("GET", f"/userapi/users/{id}/"), 200),
    "read at the site": Operation("view_user", lambda channels, id: channels.site.get(f"/admin/users/{id}/"), 200),
    "change over the API": Operation(
        "change_user",
        lambda channels, id: channels.api("PATCH", f"/userapi/users/{id}/", json={"first_name": "Seen"}),
        200,
    ),
    "deactivate over the API": Operation(
        "change_user",
        lambda channels, id: channels.api("PATCH", f"/userapi/users/{id}/", json={"is_active": False}),
        200,
    ),
    "change the email over the API": Operation(
        "change_user",
        lambda channels, id: channels.api("PATCH", f"/userapi/users/{id}/", json={"email": "moved@example.com"}),
        200,
    ),
    "change at the site": Operation("change_user", edit_at_site, 303),
    "deactivate at the site": Operation(
        "change_user",
        lambda channels, id: channels.site.post("/admin/users/act/", action="deactivate", user=id, confirmed="1"),
        303,
    ),
    "delete over the API": Operation(
        "delete_user", lambda channels, id: channels.api("DELETE", f"/userapi/users/{id}/"), 204
    ),
    "delete at the site": Operation(
        "delete_user", lambda channels, id: channels.site.post(f"/admin/users/{id}/delete/"), 303
    ),
    "add at the site": Operation("add_user", lambda channels, _id: channels.site.get("/admin/users/new/"), 200),
}


def stored(app: Flask) -> list[Any]:
    return fetch_rows(app, "SELECT id, email, first_name, is_active FROM users ORDER BY id")


@pytest.mark.parametrize("name", OPERATIONS)
def test_A02_each_operation_requires_its_permission_on_the_API_and_the_staff_site(app: Flask, name: str) -> None:
    operation, user_id = OPERATIONS[name], make_user(app)
    # The permission to change users includes viewing them, so both are removed.
    enough = ("view_user", operation.needs) if "site" in name else (operation.needs,)
    implied = ("change_user",) if operation.needs == "view_user" else ()
    others = tuple(permission for permission in OF_USERS if permission not in (operation.needs, *implied))
    without, with_it = (
        Channels(app, staff_client(app, is_staff=True, permissions=permissions))
        for permissions in (others, set(enough))
    )
    superuser_form(without, "/admin/")  # creates the superuser before the stored users are compared
    before = [row for row in stored(app) if row.id == user_id]

    rejected = operation.run(without, user_id)

    assert rejected.status_code == 403
    assert operation.needs in rejected.text
    assert [row for row in stored(app) if row.id == user_id] == before
    assert operation.run(with_it, user_id).status_code == operation.done


def test_the_permission_to_change_users_includes_reading_them_over_the_api(app: Flask) -> None:
    helper = Channels(app, staff_client(app, is_staff=True, permissions=("change_user",)))

    assert helper.api("GET", "/userapi/users/").status_code == 200


def test_permissions_are_checked_before_the_user_and_the_body(app: Flask) -> None:
    without_permissions = Channels(app, staff_client(app, is_staff=True))

    for method, path in (
        ("GET", "/userapi/users/?limit=many"), ("GET", "/userapi/users/987654321/"),
        ("PATCH", "/userapi/users/987654321/"), ("DELETE", "/userapi/users/987654321/"),
    ):  # fmt: skip
        assert without_permissions.api(method, path, json={"surprise": 1}).status_code == 403, (method, path)


def test_staff_without_permissions_can_still_edit_their_own_account(app: Flask) -> None:
    without_permissions = Channels(app, staff_client(app, is_staff=True))
    own = f"/userapi/users/{without_permissions.site.id}/"

    assert without_permissions.api("GET", own).status_code == 200
    assert without_permissions.api("PATCH", own, json={"first_name": "Own"}).get_json()["first_name"] == "Own"
    assert without_permissions.api("PATCH", "/userapi/auth/user/", json={"first_name": "Mine"}).status_code == 200
    assert without_permissions.api("DELETE", own).status_code == 403


def test_permissions_have_no_effect_for_users_who_are_not_staff(app: Flask) -> None:
    member = staff_client(app)
    grant_permissions(app, member.id, *OF_USERS)

    assert Channels(app, member).api("GET", "/userapi/users/").status_code == 403
    assert member.get("/admin/users/").status_code == 403


def test_a_page_of_the_api_offers_only_what_the_caller_may_do(app: Flask) -> None:
    reader, editor = (
        staff_client(app, is_staff=True, permissions=("view_user", *more)) for more in ((), ("change_user",))
    )
    path = f"/userapi/users/{make_user(app)}/"

    assert 'name="first_name"' in editor.get(path).text
    assert 'name="first_name"' not in reader.get(path).text
    assert "Wren" in reader.get(path).text


# --- How users become staff ------------------------------------------------------------------------------

EMAIL = "helper@example.com"


def through_api(app: Flask, superuser: StaffClient, folder: Path) -> None:
    user_id = make_user(app, email=EMAIL)
    assert (
        Channels(app, superuser).api("PATCH", f"/userapi/users/{user_id}/", json={"is_staff": True}).status_code == 200
    )


def on_staff_site(app: Flask, superuser: StaffClient, folder: Path) -> None:
    path = f"/admin/users/{make_user(app, email=EMAIL)}/"
    assert superuser.post(path, **{**superuser.form(path), "is_staff": "true"}).status_code == 303


def shell(app: Flask, *arguments: str) -> None:
    result = app.test_cli_runner().invoke(args=arguments, env={"USER_PASSWORD": PASSWORD})
    assert result.exit_code == 0, result.stderr


def by_command(app: Flask, superuser: StaffClient, folder: Path) -> None:
    shell(app, "users", "create", "--email", EMAIL, "--staff")


def hashed(app: Flask) -> str:
    with app.app_context():
        return hash_password(PASSWORD)


def promoted_at_the_shell(app: Flask, superuser: StaffClient, folder: Path) -> None:
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


def imported_at_the_site(app: Flask, superuser: StaffClient, folder: Path) -> None:
    record = {"email": EMAIL, "is_staff": True, "password_hash": hashed(app)}
    upload_import(superuser, json.dumps(record), "users.jsonl", dry_run="")
    run_import_jobs(app, 2)


WAYS: dict[str, Callable[[Flask, StaffClient, Path], None]] = {
    "API": through_api,
    "staff site": on_staff_site,
    "command line": by_command,
    "promotion at the command line": promoted_at_the_shell,
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

    imported_at_the_site(app, superuser, tmp_path)

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

    superuser.post(path, **{**superuser.form(path), "groups": []})
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
