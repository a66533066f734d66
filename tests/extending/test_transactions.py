"""Extensions do not end the transaction in which they are called, and their events do not cause themselves."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from flask import Flask

from tests.support.api_client import ApiUser
from tests.support.extensions import Extend
from tests.support.extensions import extend as extend
from tests.support.factories import PASSWORD
from tests.support.sql import fetch_number, fetch_rows
from userapi.audit import audit_log
from userapi.core.db import db
from userapi.core.hooks import After, Event, Inside, Rule
from userapi.users.models import User

COUNT_SEEN = "SELECT count(*) FROM audit_events WHERE action = 'shop.seen'"


def commit_secretly() -> None:
    with suppress(Exception):
        db.session.commit()


def commit_in_savepoint() -> None:
    db.session.begin_nested()
    db.session.commit()


ENDS = [
    lambda: db.session.close(),
    lambda: db.session.remove(),
    commit_secretly,
    commit_in_savepoint,
]


def as_rule(end: Callable[[], None]) -> dict[str, Any]:
    return {"rules": [Rule("user.edit", lambda *_arguments: end())]}


def as_subscriber(end: Callable[[], None]) -> dict[str, Any]:
    return {"inside": [Inside("user.changed", lambda _event: end())]}


def as_subscriber_of_a_rule(end: Callable[[], None]) -> dict[str, Any]:
    def hide_errors(*_arguments: Any) -> None:
        with suppress(Exception):
            audit_log.record("shop.seen")

    return {"rules": [Rule("user.edit", hide_errors)], "inside": [Inside("shop.*", lambda _event: end())]}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("make", [as_rule, as_subscriber, as_subscriber_of_a_rule])
def test_an_act_whose_transaction_an_extension_ends_fails_and_nothing_of_it_is_kept(
    app: Flask, extend: Extend, user: ApiUser, make: Callable[..., dict[str, Any]], end: Callable[[], None]
) -> None:
    extend(**make(end))
    before = fetch_number(app, "SELECT count(*) FROM audit_events")

    response = user.patch(user.url, json={"first_name": "Zed"})

    assert (response.status_code, response.get_json()["code"]) == (500, "internal_error")
    assert [tuple(row) for row in fetch_rows(app, "SELECT first_name FROM users")] == [("Wren",)]
    assert fetch_number(app, "SELECT count(*) FROM audit_events") == before


@pytest.mark.parametrize("end", ENDS)
def test_no_token_is_issued_if_claims_end_the_transaction(
    app: Flask, extend: Extend, user: ApiUser, end: Callable[[], None]
) -> None:
    extend(claims=lambda _user: end() or {})
    before = fetch_number(app, "SELECT count(*) FROM login_sessions")

    response = app.test_client().post("/api-token-auth/", json={"email": user.email, "password": PASSWORD})

    assert response.status_code == 500
    assert fetch_number(app, "SELECT count(*) FROM login_sessions") == before


def test_an_extension_may_use_savepoints(app: Flask, extend: Extend, user: ApiUser) -> None:
    def rename(found: User, *_arguments: Any) -> None:
        with db.session.begin_nested():
            found.last_name = "Kept"
        undone = db.session.begin_nested()
        found.last_name = "Undone"
        undone.rollback()

    extend(rules=[Rule("user.edit", rename)], claims=lambda _user: db.session.begin_nested().rollback() or {})

    response = user.patch(user.url, json={"first_name": "Zed"})

    assert (response.status_code, response.get_json()["last_name"]) == (200, "Kept")
    assert (
        app.test_client().post("/api-token-auth/", json={"email": user.email, "password": PASSWORD}).status_code == 200
    )


def test_later_subscribers_do_not_cause_each_other_without_end(app: Flask, extend: Extend, user: ApiUser) -> None:
    def see(_event: Event) -> None:
        audit_log.record("shop.seen")
        db.session.commit()

    extend(after=[After("*", see)], inside=[Inside("shop.seen", lambda _event: None)])
    extend("club", after=[After("*", see)])
    user.patch(user.url, json={"first_name": "Zed"})

    for _attempt in range(5):
        result = app.test_cli_runner().invoke(args=["notices", "deliver"])
        assert result.exit_code == 0, result.output

    assert fetch_number(app, COUNT_SEEN) == 4
    assert fetch_number(app, "SELECT count(*) FROM notices WHERE sent_at IS NULL") == 0


def test_the_command_delivers_what_was_queued_before_it_began(app: Flask, extend: Extend, user: ApiUser) -> None:
    seen: list[str] = []

    def note(event: Event) -> None:
        seen.append(event.action)
        if len(seen) < 9:  # as users do while it runs
            app.test_client().post("/api-token-auth/", json={"email": user.email, "password": PASSWORD})

    extend(after=[After("session.started", note)])
    app.test_client().post("/api-token-auth/", json={"email": user.email, "password": PASSWORD})

    result = app.test_cli_runner().invoke(args=["notices", "deliver"])

    assert (result.output.split()[0], len(seen)) == ("1", 1)
