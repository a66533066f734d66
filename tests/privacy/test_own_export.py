"""The export of the data of your own account."""

import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask

from tests.support.api_client import ApiUser, sign_in
from tests.support.factories import make_account, new_user
from tests.support.personal_rows import fill_tables, list_tables_naming_users
from tests.support.second_factors import prove, set_up_app
from tests.support.sql import execute_sql
from tests.support.staff_imports import move_clock
from userapi.core.db import Model
from userapi.privacy import own_export
from userapi.privacy.personal_tables import DESCRIBED, LEFT_OUT, PARTS

EXPORT = "/userapi/auth/user/export/"


@pytest.mark.both
def test_W78_the_export_has_everything_about_the_owner_and_nothing_of_others(
    app: Flask, user: ApiUser, other_user: ApiUser
) -> None:
    own, others = fill_tables(app, user.id, "zq7own"), fill_tables(app, other_user.id, "zq7oth")
    execute_sql(app, "UPDATE second_factors SET active_since = NULL")  # the session has proved no second factor

    response = user.get(EXPORT)

    assert response.status_code == 200
    assert response.headers["Content-Disposition"].startswith('attachment; filename="account-data-2')
    parts = {part.table: part for part in PARTS}
    for (table, column), text in own.items():
        shown = text.encode().hex() if column in ("handle", "credential_id", "public_key") else text
        is_exported = table in DESCRIBED or table == "groups" or (table in parts and column in parts[table].columns)
        is_exported |= (table, column) == ("openid_clients", "id")  # in the rows of what the user allows it
        is_exported &= column not in DESCRIBED.get(table, ()) and (table, column) != ("user_profiles", "extra")
        assert (shown in response.text) == is_exported, (table, column)
    assert not [name for name, text in others.items() if text in response.text or text.encode().hex() in response.text]


def test_W78_every_table_and_column_about_users_is_exported_or_left_out_with_a_reason() -> None:
    tables = {part.table: {part.owner, *part.columns, *part.withheld} for part in PARTS}

    assert set(list_tables_naming_users()) == {*tables, *DESCRIBED, *LEFT_OUT}
    for name, columns in tables.items():
        assert columns == set(Model.metadata.tables[name].c.keys()), name


@pytest.mark.both
def test_W78_the_export_has_every_event_but_says_nothing_of_other_users_in_them(
    app: Flask, user: ApiUser, superuser: ApiUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own_export, "BATCH", 3)
    for city in ("York", "Leeds", "Hull", "Bath"):
        superuser.patch(f"/userapi/users/{user.id}/", json={"profile": {"city": city}})
    user.patch("/userapi/auth/user/", json={"first_name": "Robin"})

    events = user.get(EXPORT).get_json()["events"]
    of_staff = superuser.get(EXPORT).get_json()["events"]

    assert [event["id"] for event in events] == sorted({event["id"] for event in events})
    assert [event["action"] for event in events][-2:] == ["user.changed", "user.exported_own"]
    changed = [event for event in events if event["action"] == "user.changed"]
    assert [event["source"] for event in changed] == ["staff"] * 4 + ["owner"]
    assert [event["address"] for event in changed] == [None] * 4 + ["127.0.0.1"]
    assert changed[0]["changes"]["profile.city"][1] == "York"
    assert [(event["fields"], event["changes"], event["target_id"]) for event in of_staff if event["fields"]][-1] == (
        ["profile.city"], {}, None
    )  # fmt: skip
    assert "York" not in json.dumps(of_staff)


def test_the_earlier_path_returns_the_same(user: ApiUser) -> None:
    first, second = user.get("/userapi/auth/data/").get_json(), user.get(EXPORT).get_json()

    assert first["user"] == second["user"]
    assert set(first) == set(second)


def test_W78_the_export_requires_a_recent_proof(user: ApiUser, monkeypatch: pytest.MonkeyPatch) -> None:
    move_clock(monkeypatch, timedelta(minutes=16))

    assert user.get(EXPORT).get_json()["code"] == "proof_needed"


def test_S20_the_export_has_the_second_factors_without_their_secrets(app: Flask, user: ApiUser) -> None:
    phone, codes = set_up_app(app, user.id)
    prove(user, phone.code())

    response = user.get(EXPORT)

    assert [app["name"] for app in response.get_json()["apps"]] == ["Phone"]
    assert len(response.get_json()["recovery_codes"]) == len(codes)
    assert not any(secret in response.text for secret in (phone.secret, *codes))
    assert "argon2" not in response.text


def test_W78_the_export_has_what_only_staff_see_unless_the_declaration_forbids_it(
    declare: Callable[..., Flask],
) -> None:
    fields = 'type = "line"\nread = "staff"\nwrite = "staff"\n'
    app = declare(f"[profile.title]\n[profile.rating]\n{fields}[profile.referee]\n{fields}export = false\n")
    body = new_user(profile={"title": "Ms"})
    user_id = app.test_client().post("/userapi/users/", json=body).get_json()["id"]
    staff = make_account(app, is_staff=True, is_superuser=True)
    headers = {"Authorization": f"Bearer {sign_in(app, staff)['access_token']}"}
    app.test_client().patch(
        f"/userapi/users/{user_id}/", json={"profile": {"rating": "slow", "referee": "Dr Who"}}, headers=headers
    )

    owner = ApiUser(app.test_client(), user_id, body["email"], body["password"], sign_in(app, body["email"]))
    response = owner.get(EXPORT)

    assert response.get_json()["user"]["profile"] == {"title": "Ms", "rating": "slow"}
    changed = next(event for event in response.get_json()["events"] if event["action"] == "user.changed")
    assert changed["changes"] == {"profile.rating": [None, "slow"]}
    assert "referee" not in response.text
