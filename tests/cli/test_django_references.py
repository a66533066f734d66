"""Which user the profiles and emails of a Django dump go to, and dumps that do not say it."""

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
def bring(app: Flask, tmp_path: Path) -> Bring:
    """`flask users import` of the entries of a dump."""

    def invoke(dump: list[Any], *options: str) -> Result:
        path = tmp_path / "users.json"
        path.write_text(json.dumps(dump))
        return app.test_cli_runner().invoke(args=["users", "import", str(path), *options])

    return invoke


def user(pk: int | None, *, model: str = "accounts.user", **fields: Any) -> dict[str, Any]:
    told = {"email": f"user{pk}@example.com", "username": f"name{pk}", "password": "!", "last_login": None}
    entry = {"model": model, "fields": {**told, "groups": [], "user_permissions": [], **fields}}
    return entry if pk is None else entry | {"pk": pk}


def profile(pk: int, **fields: Any) -> dict[str, Any]:
    return {"model": "api.userprofile", "pk": pk, "fields": {**PROFILE, **fields}}


def address(owner: Any, email: str) -> dict[str, Any]:
    fields = {"user": owner, "email": email, "verified": True, "primary": True}
    return {"model": "account.emailaddress", "pk": 1, "fields": fields}


def cities(app: Flask) -> dict[str, str]:
    found = fetch_rows(app, "SELECT email, city FROM users JOIN user_profiles ON user_id = id ORDER BY id")
    return {row.email: row.city for row in found}


def refused_whole(app: Flask, result: Result, *words: str) -> None:
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (1, "", 1), result.output
    assert [word for word in words if word not in result.stderr] == []
    assert fetch_rows(app, "SELECT * FROM users") == []


# --- Natural keys -----------------------------------------------------------------------------------------


def test_a_natural_key_is_the_username_of_a_user_model_that_has_it_so(app: Flask, bring: Bring) -> None:
    result = bring(
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


def test_a_natural_key_may_be_a_field_that_is_unknown_here(app: Flask, bring: Bring) -> None:
    dump = [user(5, phone="+49 30 1"), user(6, phone="+49 30 2"), profile(1, user=["+49 30 2"])]

    assert bring(dump).exit_code == 0

    assert cities(app) == {"user6@example.com": "Bath"}


MOVED = [
    user(1, username="bob@example.com", email="bob.new@example.com"),
    user(2, username="bob2", email="bob@example.com"),
]


@pytest.mark.parametrize("options", [(), ("--dry-run",)])
def test_a_natural_key_that_may_be_two_people_refuses_the_dump(app: Flask, bring: Bring, options: tuple[str]) -> None:
    result = bring([*MOVED, profile(1, user=["bob@example.com"])], *options)

    refused_whole(app, result, "email", "username", "--natural-foreign")


def test_the_field_that_explains_every_natural_key_is_the_right_one(app: Flask, bring: Bring) -> None:
    dump = [*MOVED, profile(1, user=["bob@example.com"]), profile(2, user=["bob2"], city="York")]

    assert bring(dump).exit_code == 0

    assert cities(app) == {"bob.new@example.com": "Bath", "bob@example.com": "York"}


def test_natural_keys_that_mean_the_same_people_either_way_are_taken(app: Flask, bring: Bring) -> None:
    dump = [user(1, username="user1@example.com"), user(2), profile(1, user=["user1@example.com"])]

    assert bring(dump).exit_code == 0

    assert cities(app) == {"user1@example.com": "Bath"}


def test_a_username_that_two_users_have_is_no_natural_key(app: Flask, bring: Bring) -> None:
    dump = [user(1, username="ada"), user(2, username="ada"), profile(1, user=["ada"])]

    result = bring(dump)

    assert "entry 3 (api.userprofile 1): The user of this profile is not in the file." in result.stdout
    assert cities(app) == {}


def test_a_profile_of_nobody_goes_to_nobody_when_the_dump_has_no_ids(app: Flask, bring: Bring) -> None:
    ada = user(None, email="ada@example.com", username="ada")
    bob = user(None, email="bob@example.com", username="bob")

    result = bring([ada, bob, profile(1, user=None), profile(2, user=["bob"], city="York")])

    assert result.exit_code == 1
    assert "--natural-primary" in result.stdout
    assert cities(app) == {"bob@example.com": "York"}


# --- Profiles without a field `user` ----------------------------------------------------------------------


def test_a_profile_whose_primary_key_is_its_user_comes_in(app: Flask, bring: Bring) -> None:
    result = bring([profile(6, photo="a.png"), user(5), user(6)])

    assert (result.exit_code, result.stderr) == (0, "")
    assert "api.userprofile 1" not in result.stdout
    assert cities(app) == {"user6@example.com": "Bath"}


def test_a_profile_whose_primary_key_is_no_user_is_refused(app: Flask, bring: Bring) -> None:
    result = bring([user(5), user(6), profile(6), profile(7)])

    assert result.exit_code == 1
    assert "entry 4 (api.userprofile 7): The user of this profile is not in the file." in result.stdout
    assert cities(app) == {"user6@example.com": "Bath"}


def test_a_profile_may_call_its_user_something_else(app: Flask, bring: Bring) -> None:
    assert bring([user(5), user(6), profile(1, owner=6), profile(2, owner=5, city="York")]).exit_code == 0

    assert cities(app) == {"user5@example.com": "York", "user6@example.com": "Bath"}


def test_a_user_may_point_at_the_profile(app: Flask, bring: Bring) -> None:
    assert bring([user(5, profile=2), user(6, profile=1), profile(1), profile(2, city="York")]).exit_code == 0

    assert cities(app) == {"user5@example.com": "York", "user6@example.com": "Bath"}


@pytest.mark.parametrize(
    "dump",
    [
        [user(1), user(2), profile(1, owner=2), profile(2, owner=1)],
        [user(1), user(2), profile(1, owner=2), profile(2, owner=None)],
        [user(1, profile=2), user(2, profile=1), profile(1), profile(2)],
    ],
)
def test_a_profile_that_may_be_two_people_s_refuses_the_dump(app: Flask, bring: Bring, dump: list[Any]) -> None:
    refused_whole(app, bring(dump), "api.userprofile", "pk", "user")


# --- References that mean several things ------------------------------------------------------------------


def test_users_of_two_models_refuse_the_dump(app: Flask, bring: Bring) -> None:
    result = bring([user(1), user(1, model="shop.customer", email="eve@example.com"), profile(1, user=1)])

    refused_whole(app, result, "accounts.user", "shop.customer", "--exclude")


def test_the_second_user_with_one_id_is_refused(app: Flask, bring: Bring) -> None:
    result = bring([user(1), user(1, email="eve@example.com"), profile(1, user=1)])

    assert result.exit_code == 1
    assert "entry 2 (accounts.user 1): An earlier user in the file has the same ID." in result.stdout
    assert cities(app) == {"user1@example.com": "Bath"}


def test_emails_whose_user_is_not_in_the_dump_are_counted(app: Flask, bring: Bring) -> None:
    assert "account.emailaddress without its user 1" in bring([user(1), address(9, "user9@example.com")]).stdout


def test_names_of_fields_that_are_no_unicode_are_no_obstacle(app: Flask, bring: Bring) -> None:
    entry = profile(5, **{"\ud800": 1}) | {"model": "api.\ud800"}

    assert bring([user(5, **{"\ud800": 1}), entry, profile(6)]).exit_code == 1

    assert cities(app) == {"user5@example.com": "Bath"}
