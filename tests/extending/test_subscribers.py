"""Subscribers of extensions to events: in the transaction of an act, after it was committed, and the signal."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from tests.support.api_client import ApiUser
from tests.support.api_keys import create_key
from tests.support.email_delivery import MoveClock, clock_mover
from tests.support.extensions import Extend
from tests.support.extensions import extend as extend
from tests.support.factories import new_user
from tests.support.sql import execute_sql, fetch_number, fetch_rows
from tests.support.statement_counter import record_statements
from userapi import signals
from userapi.audit import audit_log, subscribers
from userapi.core import loop
from userapi.core.db import db
from userapi.core.hooks import After, Event, Inside, InvalidHook
from userapi.core.problems import Problem
from userapi.outbound import notices

USERS = "/userapi/users/"


@pytest.fixture
def baskets(app: Flask) -> Iterator[Callable[[], list[int]]]:
    """A table of an extension; returns the users who have a basket."""
    execute_sql(app, "CREATE TABLE lunch_baskets (user_id BIGINT)")
    yield lambda: [row[0] for row in fetch_rows(app, "SELECT user_id FROM lunch_baskets ORDER BY user_id")]
    execute_sql(app, "DROP TABLE lunch_baskets")


def open_basket(event: Event) -> None:
    db.session.execute(sa.text("INSERT INTO lunch_baskets VALUES (:id)"), {"id": event.user_id})


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> MoveClock:
    """Moves the clock."""
    return clock_mover(monkeypatch)


def send(app: Flask) -> int:
    """Do what a worker does."""
    with app.app_context():
        return notices.send_due(100)


@pytest.mark.both
def test_W25_a_row_of_a_subscriber_stands_exactly_when_the_act_does(
    app: Flask, client: FlaskClient, extend: Extend, baskets: Callable[[], list[int]]
) -> None:
    extend(inside=[Inside("user.created", open_basket)])

    created = client.post(USERS, json=new_user())
    rejected = client.post(USERS, json=new_user(email=created.get_json()["email"]))
    with app.app_context():
        savepoint = db.session.begin_nested()
        audit_log.record("user.created", "user", 77)
        savepoint.rollback()
        with db.session.begin_nested():
            audit_log.record("user.created", "user", 78)
        db.session.commit()

    assert (created.status_code, rejected.status_code) == (201, 400)
    assert sorted(baskets()) == sorted([created.get_json()["id"], 78])


@pytest.mark.both
@pytest.mark.parametrize(
    ("error", "status", "code"), [(Problem("No."), 400, "bad_request"), (LookupError("s3cret"), 500, "internal_error")]
)
def test_W25_an_error_of_a_subscriber_in_the_transaction_undoes_the_act(
    app: Flask,
    client: FlaskClient,
    extend: Extend,
    baskets: Callable[[], list[int]],
    error: Exception,
    status: int,
    code: str,
) -> None:
    def fail(_event: Event) -> None:
        raise error

    extend(inside=[Inside("user.*", open_basket), Inside("*", fail)])

    response = client.post(USERS, json=new_user())

    assert (response.status_code, response.get_json()["code"]) == (status, code)
    assert "s3cret" not in response.text
    assert baskets() == []
    assert fetch_number(app, "SELECT count(*) FROM users") == 0


@pytest.mark.both
def test_W25_a_subscriber_sees_an_edit_in_its_transaction_and_can_undo_it(
    app: Flask, user: ApiUser, extend: Extend
) -> None:
    seen: list[str] = []

    def deny_nowhere(event: Event) -> None:
        seen.append(db.session.execute(sa.text("SELECT city FROM user_profiles")).scalar_one())
        if seen[-1] == "Nowhere":
            raise Problem("There is no such city.")

    extend(inside=[Inside("user.changed", deny_nowhere)])
    answers = [user.patch(user.url, json={"profile": {"city": city}}) for city in ("York", "Nowhere")]

    assert [answer.status_code for answer in answers] == [200, 400]
    assert seen == ["York", "Nowhere"]
    assert user.get(user.url).get_json()["profile"]["city"] == "York"


@pytest.mark.both
def test_W26_a_subscriber_is_called_after_the_commit_and_not_for_what_was_rolled_back(
    app: Flask, client: FlaskClient, extend: Extend, user: ApiUser
) -> None:
    seen: list[Event] = []
    extend(after=[After("user.created", seen.append, "created"), After("user.*", seen.append, "all")])

    client.post(USERS, json=new_user(email=user.email))
    assert send(app) == 0
    holder = create_key(user, "profile:write")
    holder.patch("/userapi/auth/user/", json={"first_name": "Robin"})
    assert seen == []
    assert send(app) == 1
    created = client.post(USERS, json=new_user()).get_json()
    assert send(app) == 2

    assert [(event.action, event.user_id) for event in seen] == [
        ("user.changed", user.id),
        ("user.created", created["id"]),
        ("user.created", created["id"]),
    ]
    assert (seen[0].actor_id, seen[0].changed, seen[0].changes) == (user.id, ("first_name",), {})
    assert [event.key_id for event in seen] == [holder.id, None, None]
    assert seen[1].id == seen[2].id == fetch_number(app, "SELECT max(id) FROM audit_events")
    stored = [row[0] for row in fetch_rows(app, "SELECT content FROM notices")]
    assert all("Robin" not in content and created["email"] not in content for content in stored)


@pytest.mark.both
def test_what_a_subscriber_writes_is_committed_once_together_with_the_outcome(
    app: Flask, client: FlaskClient, extend: Extend, baskets: Callable[[], list[int]], later: MoveClock
) -> None:
    calls: list[int] = []

    def open_and_fail_twice(event: Event) -> None:
        open_basket(event)
        calls.append(event.id)
        if len(calls) == 1:
            raise LookupError("s3cret")
        if len(calls) == 2:  # another worker has claimed the notice
            db.session.execute(sa.text("UPDATE notices SET claimed_until = NULL"))

    extend(after=[After("user.created", open_and_fail_twice)])
    user_id = client.post(USERS, json=new_user()).get_json()["id"]

    for passed in (timedelta(), timedelta(seconds=2), notices.LEASE + timedelta(seconds=4)):
        assert baskets() == []
        later(passed)
        assert send(app) == 1

    assert baskets() == [user_id]
    assert len(set(calls)) == 1


def test_W27_a_failing_subscriber_or_receiver_changes_no_response_and_stops_no_other(
    app: Flask, client: FlaskClient, extend: Extend, later: MoveClock, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[Any] = []

    def fail(_event: Event) -> None:
        raise LookupError("s3cret")

    def break_down(_app: Flask, event: Event) -> None:
        raise LookupError(event.action)

    def receive(_app: Flask, event: Event) -> None:
        seen.append(event.action)

    extend(after=[After("user.created", fail), After("user.created", seen.append, "second")])
    with signals.recorded.connected_to(break_down), signals.recorded.connected_to(receive):
        response = client.post(USERS, json=new_user())
        with app.app_context():
            audit_log.record("user.created", "user", 77)
            db.session.rollback()

    assert response.status_code == 201
    assert seen == ["user.created"]
    assert send(app) == 2
    assert isinstance(seen[1], Event)
    states = "SELECT service, attempts, sent_at IS NOT NULL, last_error FROM notices ORDER BY service"
    assert [tuple(row) for row in fetch_rows(app, states)] == [
        ("shop.fail", 1, False, "LookupError"),
        ("shop.second", 1, True, None),
    ]

    later(subscribers.MAX_AGE + timedelta(minutes=1))
    assert send(app) == 1
    assert fetch_number(app, "SELECT count(*) FROM notices WHERE failed_at IS NOT NULL") == 1


def test_W30_a_row_that_names_a_module_imports_nothing_and_waits(app: Flask, extend: Extend) -> None:
    extend(after=[After("user.created", lambda _event: None, "known")])
    with app.app_context():
        notices.queue("event", "antigravity:geohash", {})
        notices.queue("antigravity:geohash", "x", {})
        db.session.commit()

    assert send(app) == 0
    assert fetch_number(app, "SELECT count(*) FROM notices WHERE due_at IS NOT NULL AND attempts = 0") == 2


def test_without_extensions_nothing_is_queued_started_or_read(
    make_app: Callable[..., Flask], app: Flask, client: FlaskClient
) -> None:
    with record_statements(app) as statements:
        client.post(USERS, json=new_user())
    with app.app_context():
        assert notices.send_due(100) == 0

    assert len(statements) > 3
    assert not any("notices" in statement for statement in statements)
    serving = make_app(MAIL_DELIVERY="thread")
    assert not serving.extensions[loop.LOOPS][notices.LOOP].is_running()
    assert notices.NoticeLoop.__name__ not in repr(serving.before_request_funcs)


@pytest.mark.parametrize("action", ["user.create", "user", "", "user.created; DROP", "**"])
def test_a_subscriber_to_an_action_that_does_not_exist_is_reported(extend: Extend, action: str) -> None:
    with pytest.raises(InvalidHook, match="action"):
        extend(inside=[Inside(action, open_basket)])


def test_two_subscribers_of_one_name_are_reported(extend: Extend) -> None:
    with pytest.raises(InvalidHook, match=r"'shop\.open_basket' exists twice"):
        extend(after=[After("user.created", open_basket), After("user.deleted", open_basket)])
