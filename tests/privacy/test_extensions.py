"""Extensions and the rights of owners: their data in the export, and accounts whose deletion they break."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from tests.support.api_client import ApiUser
from tests.support.closed_accounts import close, delete_due
from tests.support.extensions import Extend
from tests.support.extensions import extend as extend
from tests.support.sql import execute_sql, fetch_rows
from userapi.core import clock
from userapi.core.hooks import Rule
from userapi.privacy import retention
from userapi.users.problems import AccountHeld

Days = Callable[[float], None]


@pytest.fixture
def orders(app: Flask) -> Iterator[Callable[[int], None]]:
    """A table of an extension whose rows the database does not let go with their user: orders(user_id) adds one."""
    execute_sql(app, "CREATE TABLE shop_orders (user_id BIGINT NOT NULL REFERENCES users (id))")
    yield lambda user_id: execute_sql(app, "INSERT INTO shop_orders VALUES (:id)", id=user_id)
    execute_sql(app, "DROP TABLE shop_orders")


def ids(app: Flask) -> set[int]:
    return {row.id for row in fetch_rows(app, "SELECT id FROM users")}


@pytest.mark.parametrize("data", [{}, {"orders": {"last": {"city": "York }"}}}, [], "}"])
def test_W78_the_export_is_json_whatever_extensions_add(user: ApiUser, extend: Extend, data: object) -> None:
    extend(personal_data=lambda user_id: data)

    document = user.get("/userapi/auth/user/export/").get_json()

    assert document["extensions"] == {"shop": data}
    assert document["events"]


@pytest.mark.both
def test_W81_an_account_that_the_database_keeps_does_not_keep_the_others(
    app: Flask, user: ApiUser, other_user: ApiUser, orders: Callable[[int], None], days_later: Days
) -> None:
    orders(user.id)
    close(user)
    close(other_user)
    days_later(15)

    assert delete_due(app) == 1

    assert ids(app) == {user.id}


@pytest.mark.both
def test_W83_an_account_that_the_database_keeps_does_not_keep_the_others(
    app: Flask, user: ApiUser, other_user: ApiUser, orders: Callable[[int], None], days_later: Days
) -> None:
    orders(user.id)
    app.config["UNVERIFIED_DAYS"] = 30
    days_later(31)

    with app.app_context():
        assert retention.run() == {"deleted": 1}

    assert ids(app) == {user.id}


def test_W83_an_account_that_an_extension_keeps_does_not_keep_the_others(
    app: Flask, user: ApiUser, other_user: ApiUser, extend: Extend, days_later: Days
) -> None:
    def keep(leaving: Any, *_arguments: object) -> None:
        if leaving.id == user.id:
            raise AccountHeld

    extend(rules=[Rule("user.delete", keep)])
    app.config["UNVERIFIED_DAYS"] = 30
    days_later(31)

    with app.app_context():
        assert retention.run() == {"deleted": 1}

    assert ids(app) == {user.id}


def test_W81_a_replay_goes_on_after_an_account_that_cannot_be_deleted(
    app: Flask, make_api_user: Callable[..., ApiUser], orders: Callable[[int], None], extend: Extend, tmp_path: Path
) -> None:
    broken, kept, gone = (make_api_user() for _number in range(3))
    orders(kept.id)

    def fail(user: object, *_arguments: object) -> None:
        if getattr(user, "id", None) == broken.id:
            raise LookupError("s3cret")

    extend(rules=[Rule("user.delete", fail)])
    moment = clock.now().isoformat()
    events = [
        {"action": "user.deleted", "occurred_at": moment, "target_kind": "user", "target_id": str(each.id)}
        for each in (broken, kept, gone)
    ]
    (tmp_path / "events.jsonl").write_text("\n".join(map(json.dumps, events)))

    command = ["users", "replay-deletions", str(tmp_path / "events.jsonl"), "--since", "2026-01-01", "--yes"]
    result = app.test_cli_runner().invoke(args=command)

    assert (result.exit_code, ids(app)) == (1, {broken.id, kept.id})
    assert "1 account deleted." in result.output
    assert "2 accounts were kept" in result.output
