"""Which user the profiles and emails in a Django dump belong to, and ambiguous dumps."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from flask import Flask

from tests.support.factories import PROFILE
from tests.support.sql import fetch_rows

pytestmark = pytest.mark.both

Bring = Callable[..., Result]


@pytest.fixture
def import_file(app: Flask, tmp_path: Path) -> Bring:
    """Runs `flask users import` with the entries of a dump."""

    def invoke(dump: list[Any], *options: str) -> Result:
        path = tmp_path / "users.json"
        path.write_text(json.dumps(dump))
        return app.test_cli_runner().invoke(args=["users", "import", str(path), *options])

    return invoke


def user(pk: int | None, *, model: str = "accounts.user", **fields: Any) -> dict[str, Any]:
    values = {"email": f"user{pk}@example.com", "username": f"name{pk}", "password": "!", "last_login": None}
    entry = {"model": model, "fields": {**values, "groups": [], "user_permissions": [], **fields}}
    return entry if pk is None else entry | {"pk": pk}


def profile(pk: int, **fields: Any) -> dict[str, Any]:
    return {"model": "api.userprofile", "pk": pk, "fields": {**PROFILE, **fields}}


def address(owner: Any, email: str) -> dict[str, Any]:
    fields = {"user": owner, "email": email, "verified": True, "primary": True}
    return {"model": "account.emailaddress", "pk": 1, "fields": fields}


def cities(app: Flask) -> dict[str, str]:
    found = fetch_rows(app, "SELECT email, city FROM users JOIN user_profiles ON user_id = id ORDER BY id")
    return {row.email: row.city for row in found}


def assert_whole_dump_rejected(app: Flask, result: Result, *words: str) -> None:
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (1, "", 1), result.output
    assert [word for word in words if word not in result.stderr] == []
    assert fetch_rows(app, "SELECT * FROM users") == []


# --- Natural keys -----------------------------------------------------------------------------------------


def test_a_natural_key_is_the_username_if_the_user_model_says_so(app: Flask, import_file: Bring) -> None:
    result = import_file(
        [
            user(5),
            profile(1, user=["name5"]),
            address(["name5"], "user5@example.com"),
            user(6),
            profile(2, user=["name6"], city="York"),
        ]
    )

    assert (result.exit_code, result.stderr) == (0, "")
    assert "2 imported, 0 updated, 0 already existed, 0 rejected, 0 changed" in result.stdout
    assert cities(app) == {"user5@example.com": "Bath", "user6@example.com": "York"}
    confirmed = fetch_rows(app, "SELECT id FROM users WHERE email_verified_at IS NOT NULL")
    assert [row.id for row in confirmed] == [5]


def test_a_natural_key_may_be_an_unknown_field(app: Flask, import_file: Bring) -> None:
    dump = [user(5, phone="+49 30 1"), user(6, phone="+49 30 2"), profile(1, user=["+49 30 2"])]

    assert import_file(dump).exit_code == 0

    assert cities(app) == {"user6@example.com": "Bath"}


MOVED = [
    user(1, username="bob@example.com", email="bob.new@example.com"),
    user(2, username="bob2", email="bob@example.com"),
]


@pytest.mark.parametrize("options", [(), ("--dry-run",)])
def test_rejects_a_dump_with_an_ambiguous_natural_key(app: Flask, import_file: Bring, options: tuple[str]) -> None:
    result = import_file([*MOVED, profile(1, user=["bob@example.com"])], *options)

    assert_whole_dump_rejected(app, result, "email", "username", "--natural-foreign")


def test_the_key_field_is_the_one_that_matches_every_natural_key(app: Flask, import_file: Bring) -> None:
    dump = [*MOVED, profile(1, user=["bob@example.com"]), profile(2, user=["bob2"], city="York")]

    assert import_file(dump).exit_code == 0

    assert cities(app) == {"bob.new@example.com": "Bath", "bob@example.com": "York"}


def test_accepts_natural_keys_that_match_the_same_users_either_way(app: Flask, import_file: Bring) -> None:
    dump = [user(1, username="user1@example.com"), user(2), profile(1, user=["user1@example.com"])]

    assert import_file(dump).exit_code == 0

    assert cities(app) == {"user1@example.com": "Bath"}


def test_a_username_of_two_users_is_not_a_natural_key(app: Flask, import_file: Bring) -> None:
    dump = [user(1, username="ada"), user(2, username="ada"), profile(1, user=["ada"])]

    result = import_file(dump)

    assert "entry 3 (api.userprofile 1): The user of this profile is not in the file." in result.stdout
    assert cities(app) == {}


def test_a_profile_without_a_user_is_not_assigned_when_the_dump_has_no_ids(app: Flask, import_file: Bring) -> None:
    ada = user(None, email="ada@example.com", username="ada")
    bob = user(None, email="bob@example.com", username="bob")

    result = import_file([ada, bob, profile(1, user=None), profile(2, user=["bob"], city="York")])

    assert result.exit_code == 1
    assert "--natural-primary" in result.stdout
    assert cities(app) == {"bob@example.com": "York"}


# --- Profiles without a `user` field ----------------------------------------------------------------------


def test_imports_a_profile_whose_primary_key_is_its_user(app: Flask, import_file: Bring) -> None:
    result = import_file([profile(6, photo="a.png"), user(5), user(6)])

    assert (result.exit_code, result.stderr) == (0, "")
    assert "api.userprofile 1" not in result.stdout
    assert cities(app) == {"user6@example.com": "Bath"}


def test_rejects_a_profile_whose_primary_key_is_not_a_user(app: Flask, import_file: Bring) -> None:
    result = import_file([user(5), user(6), profile(6), profile(7)])

    assert result.exit_code == 1
    assert "entry 4 (api.userprofile 7): The user of this profile is not in the file." in result.stdout
    assert cities(app) == {"user6@example.com": "Bath"}


def test_the_user_field_of_a_profile_may_have_another_name(app: Flask, import_file: Bring) -> None:
    assert import_file([user(5), user(6), profile(1, owner=6), profile(2, owner=5, city="York")]).exit_code == 0

    assert cities(app) == {"user5@example.com": "York", "user6@example.com": "Bath"}


def test_a_user_may_refer_to_its_profile(app: Flask, import_file: Bring) -> None:
    assert import_file([user(5, profile=2), user(6, profile=1), profile(1), profile(2, city="York")]).exit_code == 0

    assert cities(app) == {"user5@example.com": "York", "user6@example.com": "Bath"}


@pytest.mark.parametrize(
    "dump",
    [
        [user(1), user(2), profile(1, owner=2), profile(2, owner=1)],
        [user(1), user(2), profile(1, owner=2), profile(2, owner=None)],
        [user(1, profile=2), user(2, profile=1), profile(1), profile(2)],
    ],
)
def test_rejects_a_dump_with_a_profile_that_could_belong_to_two_users(
    app: Flask, import_file: Bring, dump: list[Any]
) -> None:
    assert_whole_dump_rejected(app, import_file(dump), "api.userprofile", "pk", "user")


# --- Ambiguous references -------------------------------------------------------------------------------


def test_rejects_a_dump_with_users_of_two_models(app: Flask, import_file: Bring) -> None:
    result = import_file([user(1), user(1, model="shop.customer", email="eve@example.com"), profile(1, user=1)])

    assert_whole_dump_rejected(app, result, "accounts.user", "shop.customer", "--exclude")


def test_rejects_the_second_user_with_the_same_id(app: Flask, import_file: Bring) -> None:
    result = import_file([user(1), user(1, email="eve@example.com"), profile(1, user=1)])

    assert result.exit_code == 1
    assert "entry 2 (accounts.user 1): An earlier user in the file has the same ID." in result.stdout
    assert cities(app) == {"user1@example.com": "Bath"}


def test_emails_whose_user_is_not_in_the_dump_are_counted(app: Flask, import_file: Bring) -> None:
    assert "account.emailaddress without its user 1" in import_file([user(1), address(9, "user9@example.com")]).stdout


def test_accepts_field_names_with_lone_surrogates(app: Flask, import_file: Bring) -> None:
    entry = profile(5, **{"\ud800": 1}) | {"model": "api.\ud800"}

    assert import_file([user(5, **{"\ud800": 1}), entry, profile(6)]).exit_code == 1

    assert cities(app) == {"user5@example.com": "Bath"}
