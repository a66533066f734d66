"""What the code of an extension cannot do: end the transaction, change what rules may not change, call itself."""

from collections.abc import Callable, Mapping
from typing import Any

import flask
import pytest
from flask import Flask
from flask.testing import FlaskClient
from marshmallow import ValidationError

from tests.support.api_client import ApiUser
from tests.support.extensions import Extend
from tests.support.extensions import extend as extend
from tests.support.factories import PASSWORD, new_user
from tests.support.sql import fetch_number, fetch_rows
from userapi.audit import audit_log
from userapi.core.db import db
from userapi.core.hooks import After, Event, Inside, Rule
from userapi.core.problems import Problem, ValidationFailed
from userapi.outbound import notices
from userapi.users.models import User

USERS = "/userapi/users/"


def commit(*_arguments: Any) -> dict[str, Any]:
    db.session.commit()
    return {}


def roll_back(*_arguments: Any) -> dict[str, Any]:
    db.session.rollback()
    return {}


def use_savepoint(*_arguments: Any) -> None:
    with db.session.begin_nested():
        pass


@pytest.mark.parametrize("end", [commit, roll_back])
@pytest.mark.both
def test_W24_rules_and_subscribers_cannot_end_the_transaction_of_the_act(
    app: Flask, client: FlaskClient, extend: Extend, user: ApiUser, end: Callable[..., Any]
) -> None:
    events = fetch_number(app, "SELECT count(*) FROM audit_events")
    extend(
        rules=[Rule("user.edit", use_savepoint), Rule("user.edit", end)],
        inside=[Inside("user.created", use_savepoint), Inside("user.created", end)],
    )

    edited = user.patch(user.url, json={"first_name": "Zed"})
    created = client.post(USERS, json=new_user())

    assert (edited.status_code, created.status_code) == (500, 500)
    assert fetch_rows(app, "SELECT first_name FROM users") == [("Wren",)]
    assert fetch_number(app, "SELECT count(*) FROM audit_events") == events


@pytest.mark.parametrize("end", [commit, roll_back])
def test_no_token_is_issued_if_a_function_of_claims_ends_the_transaction(
    app: Flask, client: FlaskClient, extend: Extend, user: ApiUser, end: Callable[..., Any]
) -> None:
    sessions = fetch_number(app, "SELECT count(*) FROM login_sessions")
    extend(claims=end)

    response = client.post("/api-token-auth/", json={"email": user.email, "password": PASSWORD})

    assert response.status_code == 500
    assert fetch_number(app, "SELECT count(*) FROM login_sessions") == sessions


WRONG_CHANGES = {
    "email": "staff@example.com",
    "is_superuser": True,
    "first_name": "x" * 5000,
    "language": "no language",
}


@pytest.mark.parametrize("field", WRONG_CHANGES)
def test_W24_a_rule_changes_only_names_language_and_profile_to_valid_values(
    app: Flask,
    client: FlaskClient,
    extend: Extend,
    user: ApiUser,
    caplog: pytest.LogCaptureFixture,
    field: str,
) -> None:
    def change(found: User, _changes: Mapping[str, Any], _by: Any) -> None:
        setattr(found, field, WRONG_CHANGES[field])

    extend(rules=[Rule("user.create", change), Rule("user.edit", change)])

    created = client.post(USERS, json=new_user())
    edited = user.patch(user.url, json={"last_name": "Okri"})

    assert (created.status_code, edited.status_code) == (500, 500)
    assert fetch_rows(app, "SELECT first_name, last_name, is_superuser FROM users") == [("Wren", "Okafor", False)]
    assert "rules of user.create" in caplog.text


def test_a_name_that_a_rule_changes_is_found_by_searches(
    client: FlaskClient, extend: Extend, superuser: ApiUser
) -> None:
    def rename(found: User, _changes: Mapping[str, Any], _by: Any) -> None:
        found.last_name = "Zabriskie"
        found.profile.set_values({"city": "Zagreb"})  # type: ignore[union-attr]

    extend(rules=[Rule("user.create", rename)])
    created = client.post(USERS, json=new_user()).get_json()

    found = superuser.get(USERS, query_string={"search": "zabriskie"}).get_json()

    assert [row["id"] for row in found["results"]] == [created["id"]]
    assert created["profile"]["city"] == "Zagreb"


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        (ValidationError("No."), "raise a userapi.extending.Problem"),
        (ValidationFailed({"email": ["x"]}), "Messages by field are `errors=`."),  # type: ignore[arg-type]
        (type("Fine", (Problem,), {"status": 200})(), "status 200 is not that of an error"),
    ],
    ids=["of marshmallow", "errors as detail", "status 200"],
)
def test_the_log_says_how_to_deny_an_act(
    client: FlaskClient, extend: Extend, caplog: pytest.LogCaptureFixture, error: Exception, hint: str
) -> None:
    def deny(*_arguments: Any) -> None:
        raise error

    extend(rules=[Rule("user.create", deny)])

    assert client.post(USERS, json=new_user()).status_code == 500
    assert hint in caplog.text


def test_the_log_says_so_for_an_abort_too(
    client: FlaskClient, extend: Extend, caplog: pytest.LogCaptureFixture
) -> None:
    extend(rules=[Rule("user.create", lambda *_arguments: flask.abort(400, "No."))])

    assert client.post(USERS, json=new_user()).status_code == 500
    assert "raise a userapi.extending.Problem" in caplog.text


def test_W25_a_subscriber_does_not_get_the_events_that_it_records(
    app: Flask, client: FlaskClient, extend: Extend
) -> None:
    seen: list[str] = []

    def note(event: Event) -> None:
        seen.append(event.action)
        audit_log.record("shop.seen", "user", 1)

    extend(inside=[Inside("*", note)], after=[After("*", note)])

    created = client.post(USERS, json=new_user())
    with app.app_context():
        while notices.send_due(100):
            assert len(seen) < 50

    assert created.status_code == 201
    assert seen.count("user.created") == 2
    assert fetch_number(app, "SELECT count(*) FROM notices") == 2  # of the act, and of what `inside` has recorded
