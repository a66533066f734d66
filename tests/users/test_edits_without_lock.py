"""Edits of the own account that do not lock the user first, as on PostgreSQL (decision 0108)."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import Any

import orjson
import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.support.api_client import ApiUser
from tests.support.sql import fetch_number, fetch_rows
from tests.support.waiting import wait_until
from tests.support.webhook_receivers import add_webhook, allow_receivers, receiver
from userapi.core.db import db
from userapi.users import queries

pytestmark = pytest.mark.both

OWN = "/userapi/auth/user/"


@pytest.fixture(autouse=True)
def _only_on_postgresql(database_kind: str) -> None:
    if database_kind == "sqlite":
        pytest.skip("on SQLite every edit has the write lock before its body is read")


class SlowBody(BytesIO):
    """A body in JSON, before which something else happens. The session of its request has been checked by then."""

    def __init__(self, document: Any, happens: Callable[[], object]) -> None:
        super().__init__(orjson.dumps(document))
        self.happens: list[Callable[[], object]] = [happens]

    def readinto(self, buffer: Any) -> int:
        while self.happens:
            self.happens.pop()()
        return super().readinto(buffer)


def send_slowly(user: ApiUser, document: Any, happens: Callable[[], object], method: str = "PATCH") -> TestResponse:
    body = SlowBody(document, happens)
    length = len(body.getvalue())
    return user.open(OWN, method=method, input_stream=body, content_type="application/json", content_length=length)


def list_changes(app: Flask) -> list[dict[str, Any]]:
    """What each edit has changed, by field."""
    statement = "SELECT changes FROM audit_events WHERE action = 'user.changed' ORDER BY id"
    return [row[0] for row in fetch_rows(app, statement)]


@pytest.mark.parametrize(("method", "part"), [("PATCH", ""), ("PATCH", "profile"), ("PUT", "")])
def test_N05_fields_that_are_sent_as_they_were_read_are_stored_although_staff_have_changed_them_since(
    app: Flask, user: ApiUser, staff: ApiUser, method: str, part: str
) -> None:
    read = user.get(OWN).get_json()
    names = {"first_name": "Ada", "last_name": read["last_name"], "email": read["email"]}
    profile = {"profile": {**read["profile"], "zip": "YO1"}}
    sent = profile if part else names if method == "PATCH" else {**names, "profile": read["profile"]}
    by_staff = {"last_name": "Quill", "profile": {"city": "York"}}

    response = send_slowly(user, sent, lambda: staff.patch(user.url, json=by_staff), method)

    stored = user.get(OWN).get_json()
    assert (response.status_code, response.get_json()) == (200, stored)
    assert {name: stored[name] for name in sent} == sent


@pytest.mark.parametrize("field", ["first_name", "profile.city"])
def test_N05_the_event_of_an_edit_has_the_value_that_it_replaced(
    app: Flask, user: ApiUser, staff: ApiUser, field: str
) -> None:
    def body(text: str) -> dict[str, Any]:
        return {"profile": {"city": text}} if field == "profile.city" else {field: text}

    response = send_slowly(user, body("Eda"), lambda: staff.patch(user.url, json=body("Ada")))

    assert response.status_code == 200
    assert [change[field][1] for change in list_changes(app)] == ["Ada", "Eda"]
    assert list_changes(app)[1] == {field: ["Ada", "Eda"]}


def test_an_edit_of_a_user_who_is_deleted_before_the_body_arrives_leaves_nothing(
    app: Flask, user: ApiUser, staff: ApiUser
) -> None:
    response = send_slowly(user, {"first_name": "Ada"}, lambda: staff.delete(user.url))

    assert response.status_code == 404
    assert list_changes(app) == []


def test_a_webhook_gets_the_event_of_an_edit_that_waited_while_it_was_created(app: Flask, user: ApiUser) -> None:
    allow_receivers(app)
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    with app.app_context(), ThreadPoolExecutor(1) as pool, receiver() as server:
        queries.lock_user(user.id)
        edit = pool.submit(user.patch, OWN, json={"first_name": "Ada"})
        wait_until(lambda: fetch_number(app, waiting))
        with app.app_context():
            add_webhook(server)
        db.session.rollback()

        assert edit.result().status_code == 200
        assert fetch_number(app, "SELECT count(*) FROM webhook_deliveries") == 1
