"""Importing users who exist already, or who share an email or an id."""

from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask_migrate import upgrade

from tests.support.api_client import ApiUser, sign_in
from tests.support.api_keys import create_key
from tests.support.factories import PROFILE, make_user
from tests.support.import_files import DJANGO_HASH, RunImport, as_jsonl, import_command, stored_users, user_record
from tests.support.sql import fetch_rows
from userapi.transfer import import_pipeline

pytestmark = pytest.mark.both


@pytest.fixture
def import_file(app: Flask, tmp_path: Path) -> RunImport:
    return import_command(app, tmp_path)


def test_U08_emails_equal_after_normalising_are_named_and_the_first_is_imported(
    app: Flask, import_file: RunImport
) -> None:
    content = as_jsonl(
        user_record(id=5, email="Ada@Example.com"),
        user_record(id=6, email="bob@example.com"),
        user_record(id=7, email="ada@example.COM", first_name="Other"),
        user_record(id=8, email="eve@bücher.example"),
        user_record(id=9, email="EVE@xn--bcher-kva.example"),
    )

    for options in (("--dry-run",), ()):
        result = import_file(content, *options)

        assert result.exit_code == 1
        assert "line 3: Has the same email as line 1." in result.stdout
        assert "line 5: Has the same email as line 4." in result.stdout
        assert "5 read, 3 imported, 0 updated, 0 already existed, 2 rejected" in result.stdout

    assert stored_users(app) == [(5, "Ada@Example.com"), (6, "bob@example.com"), (8, "eve@bücher.example")]


def test_existing_users_are_skipped_by_default(app: Flask, import_file: RunImport, user: ApiUser) -> None:
    before = user.get("/userapi/auth/user/").get_json()

    result = import_file(
        as_jsonl(user_record(email=user.email.upper(), last_name="Changed", password_hash=DJANGO_HASH), user_record())
    )

    assert result.exit_code == 0
    assert f"line 1: User {user.id} already has this email." in result.stdout
    assert "1 imported, 0 updated, 1 already existed" in result.stdout
    assert user.get("/userapi/auth/user/").get_json() == before


def test_an_update_changes_only_the_fields_in_the_file(app: Flask, import_file: RunImport, user: ApiUser) -> None:
    before = user.get("/userapi/auth/user/").get_json()
    changed = user_record(
        email=user.email.upper(), first_name="Élodie", profile=PROFILE | {"city": "York"}, groups=["Editors"]
    )

    result = import_file(as_jsonl(changed), "--on-conflict", "update")

    assert (result.exit_code, result.stderr) == (0, "")
    assert "0 imported, 1 updated" in result.stdout
    after = user.get("/userapi/auth/user/").get_json()
    expected = {"email": user.email.upper(), "first_name": "Élodie", "profile": before["profile"] | {"city": "York"}}
    assert after == before | expected
    assert [row.name for row in fetch_rows(app, "SELECT name FROM groups JOIN user_groups ON group_id = id")] == [
        "Editors"
    ]
    assert fetch_rows(app, "SELECT first_name_key FROM users")[0].first_name_key == "élodie"
    sign_in(app, user.email)

    assert import_file(as_jsonl(user_record(email=user.email, groups=[])), "--on-conflict", "update").exit_code == 0
    assert fetch_rows(app, "SELECT * FROM user_groups") == []


@pytest.mark.parametrize("change", [{"password_hash": DJANGO_HASH}, {"is_active": False}])
def test_an_update_that_changes_the_password_or_deactivates_ends_every_session_and_api_key(
    app: Flask, import_file: RunImport, user: ApiUser, other_user: ApiUser, change: dict[str, Any]
) -> None:
    same = fetch_rows(app, f"SELECT password_hash FROM users WHERE id = {other_user.id}")[0].password_hash
    ended, kept = create_key(user), create_key(other_user)
    content = as_jsonl(
        user_record(email=user.email, **change), user_record(email=other_user.email, password_hash=same, is_active=True)
    )

    assert import_file(content, "--on-conflict", "update").exit_code == 0

    assert user.get("/userapi/auth/user/").status_code == 401
    assert other_user.get("/userapi/auth/user/").status_code == 200
    assert (
        import_file(as_jsonl(user_record(email=user.email, is_active=True)), "--on-conflict", "update").exit_code == 0
    )
    assert (ended.code, kept.code) == ("token_invalid", None)


def test_an_update_never_removes_the_last_superuser(app: Flask, import_file: RunImport, superuser: ApiUser) -> None:
    demoted = as_jsonl(user_record(email=superuser.email, is_superuser=False))

    rejected = import_file(demoted, "--on-conflict", "update")
    another = import_file(
        demoted + as_jsonl(user_record(email="root@example.com", is_superuser=True)), "--on-conflict", "update"
    )

    assert (rejected.exit_code, rejected.stderr.count("\n")) == (1, 1)
    assert "last active superuser" in rejected.stderr
    assert another.exit_code == 1  # the other superuser does not exist yet
    assert superuser.get("/userapi/auth/user/").get_json()["is_superuser"] is True
    import_file(as_jsonl(user_record(email="root@example.com", is_superuser=True)))
    assert import_file(demoted, "--on-conflict", "update").exit_code == 0
    assert superuser.get("/userapi/auth/user/").get_json()["is_superuser"] is False


@pytest.mark.parametrize(
    "obstacle",
    [
        {"email": "TAKEN@example.com"},
        {"email": "Ada@example.com"},
        {"email": "no address"},
        {"profile": {"city": "Bath"}},
    ],
)
def test_the_fail_mode_imports_all_or_nothing(
    app: Flask, import_file: RunImport, monkeypatch: pytest.MonkeyPatch, obstacle: dict[str, Any]
) -> None:
    monkeypatch.setattr(import_pipeline, "BATCH_SIZE", 2)
    make_user(app, email="taken@example.com")
    good = [user_record(), *(user_record(email=f"person{number}@example.org") for number in range(5))]

    rejected = import_file(
        as_jsonl({"group": "Editors"}, *good, user_record(**{"email": "eve@example.com"} | obstacle)),
        "--on-conflict",
        "fail",
    )

    assert (rejected.exit_code, rejected.stderr.count("\n"), rejected.stdout) == (1, 1, "")
    assert "line 8:" in rejected.stderr
    assert len(stored_users(app)) == 1
    assert fetch_rows(app, "SELECT * FROM groups") == []
    assert fetch_rows(app, "SELECT * FROM audit_events WHERE action <> 'user.created'") == []
    assert import_file(as_jsonl(*good), "--on-conflict", "fail").exit_code == 0
    assert len(stored_users(app)) == 7


# --- Ids ------------------------------------------------------------------------------------------------


def test_an_id_in_use_is_replaced_and_reported(
    app: Flask, import_file: RunImport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_pipeline, "BATCH_SIZE", 2)
    taken = make_user(app)
    content = as_jsonl(
        *(user_record(id=taken + number, email=f"person{number}@example.org") for number in range(6)),
        user_record(id=taken + 3, email="twin@example.org"),
        user_record(email="none@example.org"),
    )

    result = import_file(content)

    assert result.exit_code == 0
    kept = {email: user_id for user_id, email in stored_users(app)}
    assert [kept[f"person{number}@example.org"] for number in range(1, 6)] == [taken + number for number in range(1, 6)]
    new = {kept[f"{name}@example.org"] for name in ("person0", "twin", "none")}
    assert len(new) == 3
    assert min(new) > taken + 5
    assert (
        f"line 1: The ID {taken} is already in use. The user gets the ID {kept['person0@example.org']} instead."
        in result.stdout
    )
    assert f"line 7: The ID {taken + 3} is already in use." in result.stdout
    assert "2 changed" in result.stdout


def test_the_id_of_a_deleted_user_is_not_reused(
    app: Flask, import_file: RunImport, superuser: ApiUser, user: ApiUser
) -> None:
    assert superuser.delete(user.url).status_code == 204

    import_file(as_jsonl(user_record(id=user.id)))

    assert dict(stored_users(app)).get(user.id) is None
    assert len(stored_users(app)) == 2


def test_U10_later_users_get_higher_ids(app: Flask, import_file: RunImport) -> None:
    import_file(as_jsonl(user_record(id=70_000), user_record(id=12, email="bob@example.com")))

    assert make_user(app) > 70_000


def test_rejects_the_largest_possible_id(bare_app: Flask, tmp_path: Path) -> None:
    app = bare_app
    with app.app_context():
        upgrade()

    result = import_command(app, tmp_path)(
        as_jsonl(user_record(id=2**63 - 1), user_record(id=2**53 - 1, email="bob@example.com"))
    )

    assert "line 1: id: Must be a whole number" in result.stdout
    assert [user_id for user_id, _email in stored_users(app)] == [2**53 - 1]
    assert make_user(app) == 2**53
