"""Every field of `userapi/users/fields.py` works in the API, pages, staff site and imports."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from tests.support.api_client import ApiUser
from tests.support.factories import make_account, make_user
from tests.support.form_browser import FormBrowser
from tests.support.sql import execute_sql
from tests.support.staff_client import staff_client
from userapi.auth.field_descriptions import DESCRIPTIONS
from userapi.core.db import db
from userapi.html.field_labels import LABELS
from userapi.transfer import django_dump, django_profiles, seeding
from userapi.users.field_definition import Field, Kind, Search, Writer
from userapi.users.fields import PROFILE_FIELDS, USER_FIELDS
from userapi.users.models import User, UserProfile

#: A value for each kind of field, different from the examples.
VALUES = {Kind.EMAIL: "finch@example.com", Kind.BIRTHDAY: "1988-02-29", Kind.FLAG: True, Kind.LANGUAGE: "de"}

SHOWN = {field.name for field in USER_FIELDS if field.is_shown}
WRITABLE = [field for field in USER_FIELDS if field.writer is not Writer.NO_ONE and field.kind is not Kind.PROFILE]
PROFILE_INPUTS = {f"profile.{field.name}" for field in PROFILE_FIELDS}


def value_of(field: Field) -> Any:
    return VALUES.get(field.kind, "Finch"[: field.max_length])


def full_profile() -> dict[str, Any]:
    return {field.name: value_of(field) for field in PROFILE_FIELDS}


def full_user(app: Flask, superuser: ApiUser) -> tuple[int, dict[str, Any]]:
    """A user with a value in every writable field: the id and the values."""
    user_id = make_user(app)
    values = {field.name: value_of(field) for field in WRITABLE} | {"profile": full_profile()}
    changed = superuser.patch(f"/userapi/users/{user_id}/", json=values)
    assert changed.status_code == 200, changed.text
    return user_id, values


def inputs(page: str) -> set[str]:
    return set(re.findall(r'<(?:input|select)\b[^>]* name="([^"]+)"', page))


def test_every_field_with_a_column_has_the_column_that_the_table_describes() -> None:
    for model, fields in ((User, USER_FIELDS), (UserProfile, PROFILE_FIELDS)):
        columns = sa.inspect(model).columns
        for field in fields:
            assert (field.name in columns) == field.is_stored, field.name
            if field.is_stored:
                # A declaration can leave any field of a profile out, or make it optional.
                assert columns[field.name].nullable == (field.is_nullable or model is UserProfile), field.name
                length = field.column_length or field.max_length
                assert getattr(columns[field.name].type, "length", None) == (length or None), field.name
            if field.search is not Search.NOWHERE:
                assert f"{field.name}_key" in columns, field.name


def test_no_column_of_profiles_is_missing_from_the_table() -> None:
    assert set(sa.inspect(UserProfile).columns.keys()) == {
        "user_id",
        "extra",
        *(field.name for field in PROFILE_FIELDS),
    }


def test_the_api_writes_and_returns_every_field(app: Flask, superuser: ApiUser) -> None:
    user_id, values = full_user(app, superuser)

    one = superuser.get(f"/userapi/users/{user_id}/").get_json()
    listed = superuser.get("/userapi/users/").get_json()["results"]

    assert set(one) == SHOWN
    assert one | values == one
    assert one in listed


def test_registration_accepts_every_field_of_the_owner(app: Flask) -> None:
    own = [field for field in WRITABLE if field.writer is Writer.OWNER]
    values = {field.name: value_of(field) for field in own} | {"profile": full_profile()}

    made = app.test_client().post("/userapi/users/", json={**values, "password": "velvet tram outside 7"})

    assert made.status_code == 201, made.text
    assert made.get_json() | values == made.get_json()


@pytest.mark.parametrize("field", [field for field in WRITABLE if field.writer is not Writer.OWNER])
def test_owners_cannot_write_the_other_fields(user: ApiUser, field: Field) -> None:
    now = user.get("/userapi/auth/user/").get_json()[field.name]

    assert user.patch("/userapi/auth/user/", json={field.name: not now}).status_code == 400


def test_the_event_of_a_change_lists_every_audited_field(app: Flask, superuser: ApiUser) -> None:
    user_id, _values = full_user(app, superuser)
    with app.app_context():
        changes = db.session.scalar(
            sa.text("SELECT changes FROM audit_events WHERE action = 'user.changed' AND target_id = :id"),
            {"id": str(user_id)},
        )

    audited = {field.name for field in WRITABLE if field.is_audited}
    assert set(json.loads(changes) if isinstance(changes, str) else changes) == audited | PROFILE_INPUTS


@pytest.mark.parametrize("field", [field for field in USER_FIELDS if field.search is Search.EVERYWHERE])
def test_the_search_finds_every_searched_field(app: Flask, superuser: ApiUser, field: Field) -> None:
    user_id = make_user(app)
    assert superuser.patch(f"/userapi/users/{user_id}/", json={field.name: value_of(field)}).status_code == 200

    found = superuser.get("/userapi/users/?search=finch").get_json()["results"]

    assert [user["id"] for user in found] == [user_id]


def test_the_staff_form_has_every_writable_field(app: Flask) -> None:
    user_id = make_user(app)

    boss = staff_client(app, is_staff=True, is_superuser=True)
    profile, access = boss.get(f"/admin/users/{user_id}/"), boss.get(f"/admin/users/{user_id}/access/")

    assert {field.name for field in WRITABLE} | PROFILE_INPUTS <= inputs(profile.text) | inputs(access.text)


def test_the_staff_form_saves_every_field(app: Flask, superuser: ApiUser) -> None:
    user_id = make_user(app)
    boss = staff_client(app, is_staff=True, is_superuser=True)
    sent = {field.name: value_of(field) for field in WRITABLE}
    sent |= {f"profile.{name}": value for name, value in full_profile().items()}
    sent = {name: "true" if value is True else value for name, value in sent.items()}

    for path in (f"/admin/users/{user_id}/", f"/admin/users/{user_id}/access/"):
        response = boss.post(path, **{**boss.form(path), **sent})
        assert response.status_code == 303, response.text

    values = {field.name: value_of(field) for field in WRITABLE} | {"profile": full_profile()}
    saved = superuser.get(f"/userapi/users/{user_id}/").get_json()
    assert saved | values == saved


def test_the_account_page_and_registration_have_every_field_of_the_owner(app: Flask, user: ApiUser) -> None:
    browser = FormBrowser(app)
    browser.sign_in(user.email)
    own = {field.name for field in WRITABLE if field.writer is Writer.OWNER and field.kind is not Kind.FLAG}

    account = inputs(browser.get("/account/").text) | inputs(browser.get("/account/security/").text)
    newcomer = FormBrowser(app)
    newcomer.sign_in(make_account(app, profile=None))
    registration = inputs(FormBrowser(app).get("/register/").text) | inputs(newcomer.get("/register/profile/").text)
    assert own | PROFILE_INPUTS <= account
    assert own - {"language"} | PROFILE_INPUTS <= registration


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_exported_fields_can_be_imported_again(app: Flask, superuser: ApiUser, tmp_path: Path, kind: str) -> None:
    user_id, _values = full_user(app, superuser)
    app.config["TERMS_VERSION"] = "2026-11"  # only then a file has the terms
    execute_sql(app, "UPDATE users SET terms_version = '2026-11', terms_accepted_at = '2026-11-24 18:37:50.000000'")
    exported = [field.name for field in USER_FIELDS if field.is_exported]
    before = stored(app, user_id)
    file = tmp_path / f"users.{kind}"
    run: Callable[..., Any] = app.test_cli_runner().invoke

    assert run(args=["users", "export", str(file)]).exit_code == 0
    text = file.read_text(encoding="utf-8-sig")
    assert run(args=["users", "delete", "finch@example.com", "--yes"]).exit_code == 0
    with app.app_context():
        db.session.execute(sa.text("DELETE FROM audit_events"))
        db.session.commit()
    result = run(args=["users", "import", str(file), "--on-conflict", "skip"])

    if kind == "csv":
        names = text.splitlines()[0].split(",")
        assert names[: len(exported)] == exported
        assert {name for name in names if name.startswith("profile.")} == PROFILE_INPUTS
    else:
        users = [line for line in map(json.loads, text.splitlines()) if "email" in line]
        assert {*exported, "profile"} <= set(users[0])
        assert set(users[-1]["profile"]) == {field.name for field in PROFILE_FIELDS}
    assert result.exit_code == 0, result.output
    assert stored(app, user_id) == before


def stored(app: Flask, user_id: int) -> dict[str, Any]:
    """The exported columns of a user and its profile."""
    with app.app_context():
        user = db.session.get_one(User, user_id)
        values = {field.name: getattr(user, field.name) for field in USER_FIELDS if field.is_exported}
        return values | {f"profile.{field.name}": getattr(user.profile, field.name) for field in PROFILE_FIELDS}


def test_the_api_document_describes_every_field(app: Flask) -> None:
    schemas = app.test_client().get("/openapi.json").get_json()["components"]["schemas"]

    for field in USER_FIELDS:
        assert (field.name in schemas["User"]["properties"]) == field.is_shown, field.name
        if field.is_shown:
            assert schemas["User"]["properties"][field.name]["description"] == field.description, field.name
            assert field.name in schemas["UserEdit"]["properties"], field.name
    for shape in ("Profile", "NewProfile", "ProfileEdit"):
        assert set(schemas[shape]["properties"]) == {field.name for field in PROFILE_FIELDS}
        for field in PROFILE_FIELDS:
            assert schemas[shape]["properties"][field.name]["description"] == field.description


def test_every_input_has_a_label_and_every_field_a_description() -> None:
    for field in WRITABLE:
        assert str(LABELS[field.name]) == str(field.label) != ""
    for field in PROFILE_FIELDS:
        assert str(LABELS[f"profile.{field.name}"]) == str(field.label) != ""
    for field in (*USER_FIELDS, *PROFILE_FIELDS):
        assert DESCRIPTIONS[field.name] == field.description != ""


def test_seeded_users_have_every_required_field_of_a_profile(app: Flask) -> None:
    with app.app_context():
        seeded_user = next(iter(seeding.Crowd("en", 1)))

    assert {field.name for field in PROFILE_FIELDS if field.is_required} <= set(seeded_user["profile"])


def test_django_dumps_are_read_with_the_table_of_fields() -> None:
    assert {field.name for field in USER_FIELDS if field.is_in_django} == set(django_dump.IMPORTED_FIELDS)
    assert {field.name for field in PROFILE_FIELDS if field.is_in_django} == django_profiles.PROFILE_MODEL_FIELDS
