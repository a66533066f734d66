"""The maximum length of postal codes: seven characters or PROFILE_ZIP_MAX_LENGTH."""

import csv
import io
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask

import config
from tests.support.api_client import sign_in
from tests.support.factories import PROFILE, make_user, new_user
from tests.support.import_files import as_jsonl, import_command, user_record
from tests.support.sql import fetch_rows

pytestmark = pytest.mark.both

LONG = "SW1A 1AA"
TOO_LONG = "123456789"


@pytest.fixture
def wide_app(make_app: Callable[..., Flask]) -> Flask:
    return make_app(PROFILE_ZIP_MAX_LENGTH="8")


def test_a_postal_code_of_eight_characters_is_rejected_by_default(app: Flask) -> None:
    response = app.test_client().post("/userapi/users/", json=new_user(profile=PROFILE | {"zip": LONG}))

    assert response.get_json()["errors"] == {"profile": {"zip": ["Longer than maximum length 5."]}}


def test_the_setting_raises_the_limit_in_the_api(wide_app: Flask) -> None:
    client = wide_app.test_client()
    made = client.post("/userapi/users/", json=new_user(profile=PROFILE | {"zip": LONG}))
    rejected = client.post("/userapi/users/", json=new_user(profile=PROFILE | {"zip": TOO_LONG}))

    assert (made.status_code, made.get_json()["profile"]["zip"]) == (201, LONG)
    assert rejected.get_json()["errors"] == {"profile": {"zip": ["Longer than maximum length 8."]}}
    headers = {"Authorization": f"Bearer {sign_in(wide_app, made.get_json()['email'])['access_token']}"}
    changed = client.patch("/userapi/auth/user/", json={"profile": {"zip": TOO_LONG}}, headers=headers)
    assert changed.get_json()["errors"] == {"profile": {"zip": ["Longer than maximum length 8."]}}


def test_the_setting_raises_the_limit_in_the_openapi_document(app: Flask, wide_app: Flask) -> None:
    for each, most in ((app, 5), (wide_app, 8)):
        schemas = each.test_client().get("/openapi.json").get_json()["components"]["schemas"]
        found = {name: schemas[name]["properties"]["zip"].get("maxLength") for name in ("NewProfile", "ProfileEdit")}
        assert found == {"NewProfile": most, "ProfileEdit": most}


def test_the_setting_raises_the_limit_for_imports_and_exports(wide_app: Flask, tmp_path: Path) -> None:
    good, bad = (
        user_record(profile=PROFILE | {"zip": LONG}),
        user_record(email="b@example.com", profile=PROFILE | {"zip": TOO_LONG}),
    )

    result = import_command(wide_app, tmp_path)(as_jsonl(good, bad))

    assert "profile.zip: Longer than maximum length 8." in result.stdout
    assert [row.zip for row in fetch_rows(wide_app, "SELECT zip FROM user_profiles ORDER BY user_id")] == [LONG, ""]
    table = wide_app.test_cli_runner().invoke(args=["users", "export", "--format", "csv"]).stdout
    assert next(csv.DictReader(io.StringIO(table)))["profile.zip"] == LONG


def test_the_setting_raises_the_limit_for_seeded_users(app: Flask, wide_app: Flask) -> None:
    longest = []
    for each, number in ((app, "1"), (wide_app, "2")):
        command = ["users", "seed", "30", "--locale", "en-gb", "--random-seed", number, "--password", "velvet tram 7 x"]
        assert each.test_cli_runner().invoke(args=command).exit_code == 0
        longest.append(max(len(row.zip) for row in fetch_rows(each, "SELECT zip FROM user_profiles")))

    assert longest[0] <= 5 < longest[1] <= 8


@pytest.mark.parametrize("value", ["4", "17", "x"])
def test_rejects_a_limit_larger_than_the_column(make_app: Callable[..., Flask], value: str) -> None:
    with pytest.raises(config.ConfigurationError, match="PROFILE_ZIP_MAX_LENGTH"):
        make_app(PROFILE_ZIP_MAX_LENGTH=value)


def test_the_doctor_names_postal_codes_over_a_lowered_limit(wide_app: Flask, app: Flask) -> None:
    make_user(wide_app, profile=PROFILE | {"zip": LONG})

    narrow, wide = (each.test_cli_runner().invoke(args=["doctor"]).stdout for each in (app, wide_app))

    assert "1 profiles have a postal code longer than PROFILE_ZIP_MAX_LENGTH" in narrow
    assert "PROFILE_ZIP_MAX_LENGTH" not in wide
