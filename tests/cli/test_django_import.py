"""Importing from Django: dumps of a real project, and unusual and broken dumps."""

import json
import random
import re
import runpy
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import Result
from flask import Flask

import config
from tests.support import commands
from tests.support.factories import PROFILE, make_user
from tests.support.sql import fetch_rows
from userapi.core.db import db
from userapi.transfer import django_entries

pytestmark = pytest.mark.both

PROJECT = config.ROOT / "tests" / "django_project"
populate = runpy.run_path(str(PROJECT / "populate.py"))
DEAR, KINDS = populate["DEAR"], populate["KINDS"]
email, password, kind, is_dear = (populate[name] for name in ("email", "password", "kind", "is_dear"))
USERS, FEW = 10_000, 60

#: The number of users who sign in.
SAMPLE = 100

Bring = Callable[..., Result]


def attempt(app: Flask, email: str, password: str) -> int:
    response = app.test_client().post("/api-token-auth/", json={"email": email, "password": password})
    return response.status_code


def django_project(folder: Path, count: int) -> Path:
    """A copy of the Django project with users in its database."""
    project = folder / "project"
    shutil.copytree(PROJECT, project, ignore=shutil.ignore_patterns("__pycache__"))
    for command in (("manage.py", "migrate", "--run-syncdb", "-v0"), ("populate.py", str(count))):
        assert django(project, *command).code == 0
    return project


def django(project: Path, *command: str) -> commands.CommandResult:
    env = commands.bare_environment(DATABASE=str(project / "db.sqlite3"), PYTHONPATH=str(project))
    return commands.run(sys.executable, *command, env=env, cwd=project)


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tutorial's project with all its users."""
    return django_project(tmp_path_factory.mktemp("django"), USERS)


@pytest.fixture(scope="session")
def small_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project with a few users."""
    return django_project(tmp_path_factory.mktemp("small"), FEW)


@pytest.fixture
def import_file(app: Flask, tmp_path: Path) -> Bring:
    """Runs `flask users import` with a dump as text, bytes or entries."""

    def invoke(dump: str | bytes | list[Any], *options: str) -> Result:
        path = tmp_path / "users.json"
        text = json.dumps(dump) if isinstance(dump, list) else dump
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return app.test_cli_runner().invoke(args=["users", "import", str(path), *options])

    return invoke


def user(pk: int | str, **fields: Any) -> dict[str, Any]:
    """A user's entry in a dump."""
    values = {
        "email": f"user{pk}@example.com",
        "password": "!",
        "last_login": None,
        "groups": [],
        "user_permissions": [],
    }
    return {"model": "api.user", "pk": pk, "fields": values | fields}


def profile(owner: Any, **fields: Any) -> dict[str, Any]:
    """A profile's entry in a dump."""
    return {"model": "api.userprofile", "pk": 1, "fields": {"user": owner, **PROFILE, **fields}}


# --- A real project ---------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.unmeasured
def test_U09_ten_thousand_users_are_moved_with_the_commands_of_the_readme_and_can_sign_in(
    app: Flask, project: Path, tmp_path: Path
) -> None:
    section = re.search(
        r"## Move from Django\n.*?\n((?:    [^\n]+\n)+)", (config.ROOT / "README.md").read_text(), re.DOTALL
    )
    assert section is not None
    dump, look, import_file = (line.split("#")[0].split() for line in section[1].splitlines())
    env = commands.environment_for(app)

    assert django(project, *dump[1:]).code == 0
    shutil.copy(project / "users.json", tmp_path)
    looked, brought = (commands.run(*commands.FLASK, *line[1:], env=env, cwd=tmp_path) for line in (look, import_file))

    assert (looked.code, looked.errors, brought.code, brought.errors) == (0, "", 0, "")
    assert "10,002 read, 10,000 imported, 0 updated, 0 already existed, 0 rejected, 0 changed" in looked.output
    assert looked.output.splitlines()[-1] == brought.output.splitlines()[-1]
    assert "api.note 1" in brought.output
    found = fetch_rows(app, "SELECT id, email, is_active, is_staff, is_superuser FROM users ORDER BY id")
    assert [(row.id, row.email) for row in found] == [(number, email(number)) for number in range(1, USERS + 1)]
    assert [row.id for row in found if not row.is_active] == list(range(7, USERS + 1, 40))
    assert [row.id for row in found if row.is_staff] == list(range(1, USERS + 1, 100))
    assert [row.id for row in found if row.is_superuser] == [1]

    able = [number for number in range(1, USERS + 1) if kind(number) != "unusable" and number % 40 != 7]
    dear = [number for number in able if is_dear(number)]
    sample = dear + random.Random(24).sample(able[len(dear) :], SAMPLE - len(dear))
    assert {kind(number) for number in sample} == set(KINDS)
    assert len(dear) >= len(KINDS) * DEAR - 1
    assert [attempt(app, email(number), password(number + 1)) for number in sample[-6:]] == [401] * 6
    assert [number for number in sample if attempt(app, email(number).upper(), password(number)) != 200] == []
    assert attempt(app, email(47), password(47)) == attempt(app, email(50), password(50)) == 401

    renewed = fetch_rows(app, "SELECT id FROM users WHERE password_hash LIKE '$argon2id$%'")
    assert {row.id for row in renewed} == set(sample)
    assert [number for number in dear if attempt(app, email(number), password(number)) != 200] == []


EVERYTHING = (
    "SELECT email, username, first_name, last_name, is_active, is_staff, date_joined, last_login FROM users ORDER BY 1",
    "SELECT email, title, dob, address, zip FROM user_profiles JOIN users ON id = user_id ORDER BY 1",
    "SELECT email, name FROM user_groups JOIN users u ON u.id = user_id JOIN groups g ON g.id = group_id ORDER BY 1, 2",
    "SELECT g.name, codename FROM group_permissions JOIN groups g ON g.id = group_id "
    "JOIN permissions p ON p.id = permission_id ORDER BY 1, 2",
    "SELECT email, codename FROM user_permissions JOIN users u ON u.id = user_id "
    "JOIN permissions p ON p.id = permission_id ORDER BY 1, 2",
)


def test_a_dump_gives_the_same_result_with_natural_keys_and_in_any_order_and_layout(
    app: Flask, import_file: Bring, small_project: Path
) -> None:
    imported = []
    for options in (
        (),
        ("--natural-foreign", "--indent", "2"),
        ("--natural-foreign", "--natural-primary"),
        ("--indent", "1", "--exclude", "contenttypes", "--exclude", "sessions"),
    ):
        dump = django(small_project, "manage.py", "dumpdata", *options)
        assert dump.code == 0, dump.errors
        for text in (dump.output, json.dumps(json.loads(dump.output)[::-1])):
            with app.app_context(), db.engine.begin() as connection:
                connection.execute(sa.text("DELETE FROM users"))
                connection.execute(sa.text("DELETE FROM groups"))
            assert import_file(text).exit_code == 0
            imported.append([[tuple(row) for row in fetch_rows(app, statement)] for statement in EVERYTHING])

    assert all(each == imported[0] for each in imported)
    users, profiles, members, group_permissions, own_permissions = imported[0]
    assert (len(users), len(profiles), len(members)) == (FEW, FEW - FEW // 5, 6 + 3 + 1)
    assert ("user1@example.com", "Staff") in members
    assert [pair for pair in group_permissions if pair[0] != "Staff"] == [
        ("Editors", "change_user"),
        ("Editors", "view_user"),
        ("Écrivains", "view_group"),
    ]
    assert own_permissions == [("user2@example.com", "delete_user")]


# --- Other dumps ----------------------------------------------------------------------------------------


def test_U08_emails_that_django_treats_as_different_are_named(app: Flask, import_file: Bring) -> None:
    result = import_file([user(3, email="Ada@example.com"), user(4, email="ada@example.com"), profile(4)])

    assert result.exit_code == 1
    assert "entry 2 (api.user 4): Has the same email as entry 1 (api.user 3)." in result.stdout
    assert [tuple(row) for row in fetch_rows(app, "SELECT id, email FROM users")] == [(3, "Ada@example.com")]
    assert fetch_rows(app, "SELECT * FROM user_profiles") == []


def test_users_of_the_default_django_model_may_have_an_email_as_username(app: Flask, import_file: Bring) -> None:
    entry = user(3, email="", username="ada@example.com") | {"model": "auth.user"}
    other = user(4, email="", username="bob") | {"model": "auth.user"}

    result = import_file([entry, other, profile(["ada@example.com"])])

    assert "entry 2 (auth.user 4): email: Missing." in result.stdout
    assert [row.email for row in fetch_rows(app, "SELECT email FROM users JOIN user_profiles ON user_id = id")] == [
        "ada@example.com"
    ]


def test_emails_confirmed_by_allauth_are_confirmed(app: Flask, import_file: Bring) -> None:
    def address(owner: int, email: str, verified: bool) -> dict[str, Any]:
        fields = {"user": owner, "email": email, "verified": verified, "primary": True}
        return {"model": "account.emailaddress", "pk": owner, "fields": fields}

    import_file(
        [
            address(1, "USER1@example.com", verified=True),
            address(2, "user2@example.com", verified=False),
            address(3, "older@example.com", verified=True),
            *(user(number) for number in range(1, 5)),
        ],
        "--confirmed",
    )

    found = fetch_rows(app, "SELECT id FROM users WHERE email_verified_at IS NOT NULL ORDER BY id")
    assert [row.id for row in found] == [1, 3, 4]


def test_users_without_numeric_keys_get_new_ids(app: Flask, import_file: Bring) -> None:
    key = "8b7e0c5e-7f0c-4d0e-9a5b-0f6d5a1c2b3d"

    assert import_file([user(key), profile(key)]).exit_code == 0

    assert len(fetch_rows(app, "SELECT * FROM users JOIN user_profiles ON user_id = id")) == 1


def test_permissions_of_other_applications_are_ignored(app: Flask, import_file: Bring) -> None:
    permissions = [["view_event", "diary", "event"], ["view_user", "forum", "user"], ["view_user", "api", "user"]]

    result = import_file([user(1, is_staff=True, user_permissions=permissions)])

    own = fetch_rows(app, "SELECT codename FROM user_permissions JOIN permissions ON id = permission_id")
    assert [row.codename for row in own] == ["view_user"]
    assert "diary.view_event 1, forum.view_user 1" in result.stdout
    assert len(own) == 1


def test_entries_without_a_user_are_rejected_and_ignored_entries_are_named(app: Flask, import_file: Bring) -> None:
    result = import_file(
        [
            user(1, shoe_size=38, groups=[7]),
            profile(1, photo="a.png"),
            profile(1, city="York"),
            profile(99),
            {"model": "shop.order", "pk": 1, "fields": {}},
        ]
    )

    assert result.exit_code == 1
    assert "entry 3 (api.userprofile 1): This user has more than one profile in the file." in result.stdout
    assert "entry 4 (api.userprofile 1): The user of this profile is not in the file." in result.stdout
    for name in ("api.user.shoe_size 1", "api.userprofile.photo 1", "auth.group not in the file 1", "shop.order 1"):
        assert name in result.stdout
    assert "1 imported, 0 updated, 0 already existed, 2 rejected" in result.stdout
    assert [row.city for row in fetch_rows(app, "SELECT city FROM user_profiles")] == ["Bath"]


def test_an_invalid_entry_does_not_affect_other_users(app: Flask, import_file: Bring) -> None:
    dump = json.dumps(
        [
            user(1, first_name="\ud800"),
            user(2, email="a\x00@example.com"),
            user(3, date_joined="yesterday"),
            user(4, groups="Editors"),
            user(5, user_permissions={"a": 1}, email=["x"]),
            user(6, password="md5$a$0123"),
            user("\udfff", email="\ud800@example.com", username="\ud800"),
            user(8),
        ]
    )

    result = import_file(dump)

    assert result.exit_code == 1
    assert "1 imported, 0 updated, 0 already existed, 7 rejected" in result.stdout
    assert [row.id for row in fetch_rows(app, "SELECT id FROM users")] == [8]


WHOLE = json.dumps([user(1), profile(1), user(2)])


@pytest.mark.parametrize(
    ("dump", "message"),
    [
        ("", "must start with [ or {"),
        ("users", "must start with [ or {"),
        ("{}", "Entry 1 is not in the format"),
        (WHOLE[:-1], "incomplete after entry 3"),
        (WHOLE[:-40], "after entry 2"),
        ("[" + "[" * 100_000, "after entry 0"),
        ("[1]", "Entry 1 is not in the format"),
        ('[{"model": "api.user"}]', "Entry 1 is not in the format"),
        ('[{"model": 1, "fields": {}}]', "Entry 1 is not in the format"),
        (WHOLE.replace("Bath", "x" * 50_000), "after entry 1"),
        (WHOLE.replace("Bath", "B\xe4th").encode("latin-1"), "not valid UTF-8"),
        (WHOLE.encode("utf-16"), "UTF-16"),
    ],
)
def test_an_invalid_or_incomplete_dump_gets_one_line_and_imports_nothing(
    app: Flask, import_file: Bring, monkeypatch: pytest.MonkeyPatch, dump: str | bytes, message: str
) -> None:
    monkeypatch.setattr(django_entries, "CHUNK_SIZE", 500)
    monkeypatch.setattr(django_entries, "MAX_ENTRY_LENGTH", 4_000)
    assert import_file("\ufeff" + WHOLE, "--dry-run").exit_code == 0

    result = import_file(dump)

    assert (result.exit_code, result.stderr.count("\n"), result.stdout) == (1, 1, "")
    assert message in result.stderr
    assert fetch_rows(app, "SELECT * FROM users") == []


@pytest.mark.parametrize("size", [1, 7, 100])
def test_a_dump_is_read_correctly_whatever_the_chunk_size(
    app: Flask, import_file: Bring, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(django_entries, "CHUNK_SIZE", size)

    assert import_file(f"\n{WHOLE}\n").exit_code == 0

    assert len(fetch_rows(app, "SELECT * FROM users")) == 2


def test_an_existing_user_keeps_an_id_that_the_dump_contains_too(app: Flask, import_file: Bring) -> None:
    taken = make_user(app, email="admin@example.com")

    result = import_file([user(taken), profile(taken, city="York"), user(taken + 1)])

    assert result.exit_code == 0
    found = {row.email: row.id for row in fetch_rows(app, "SELECT id, email FROM users")}
    assert found["admin@example.com"] == taken
    assert found[f"user{taken + 1}@example.com"] == taken + 1
    moved = found[f"user{taken}@example.com"]
    assert moved > taken + 1
    cities = {row.user_id: row.city for row in fetch_rows(app, "SELECT user_id, city FROM user_profiles")}
    assert cities[moved] == "York"
