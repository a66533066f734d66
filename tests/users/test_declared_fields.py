"""A service that begins to serve with another declaration of profile fields records it once."""

import json
import re
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from tests.support.factories import make_user
from tests.support.race import run_simultaneously
from tests.support.statement_counter import record_statements
from userapi.core.db import db
from userapi.users.field_models import FieldKeyState, ProfileDeclaration

Declare = Callable[..., Flask]

ONE = '[profile.company]\ntype = "line"\n'
TWO = '[profile.company]\ntype = "line"\nmax = 30\n[profile.size]\ntype = "integer"\n'


def serve(app: Flask) -> None:
    """The first request of a worker."""
    assert app.test_client().get("/userapi/profile-fields/").status_code == 200


def recorded(app: Flask) -> list[dict[str, Any]]:
    """The changes of the events, the oldest first."""
    with app.app_context():
        rows = db.session.execute(
            sa.text("SELECT changes, origin, actor_id FROM audit_events WHERE action = 'fields.declared' ORDER BY id")
        ).all()
    assert all((row.origin, row.actor_id) == ("system", None) for row in rows)
    return [json.loads(row.changes) if isinstance(row.changes, str) else row.changes for row in rows]


def declarations(app: Flask) -> int:
    with app.app_context():
        return db.session.scalar(sa.select(sa.func.count()).select_from(ProfileDeclaration)) or 0


BUILT_IN = ["title", "dob", "address", "country", "city", "zip"]


@pytest.mark.both
def test_W11_a_required_field_that_is_added_reads_and_writes_no_user(declare: Declare) -> None:
    serve(declare(ONE))
    app = declare(f'{ONE}[profile.team]\ntype = "line"\nrequired = "must"\nfind = "exact"\n')
    make_user(app)

    with record_statements(app) as statements:
        serve(app)

    assert recorded(app)[-1] == {"added": [None, ["team"]]}
    assert any("profile_declarations" in statement for statement in statements)
    assert [statement for statement in statements if re.search(r"\b(users|user_profiles)\b", statement)] == []


@pytest.mark.both
def test_each_new_declaration_is_recorded_once(declare: Declare) -> None:
    for declaration in (ONE, ONE, TWO, TWO, ONE):
        app = declare(declaration)
        serve(app)
        serve(app)

    assert recorded(app) == [
        {"added": [None, ["company"]], "removed": [None, BUILT_IN]},
        {"added": [None, ["size"]], "changed": [None, ["company"]]},
        {"removed": [None, ["size"]], "changed": [None, ["company"]]},
    ]
    assert declarations(app) == 2


@pytest.mark.both
def test_of_many_workers_one_records_a_declaration(declare: Declare) -> None:
    serve(declare(ONE))
    workers = [declare(TWO) for _ in range(4)]

    run_simultaneously([partial(serve, worker) for worker in workers])

    assert len(recorded(workers[0])) == 2


def test_commands_and_services_without_a_declaration_record_nothing(declare: Declare, app: Flask) -> None:
    declared = declare(ONE)

    assert declared.test_cli_runner().invoke(args=["fields", "show"]).exit_code == 0
    serve(app)

    assert recorded(app) == []
    assert declarations(app) == 0


def test_a_service_serves_although_its_declaration_cannot_be_recorded(declare: Declare) -> None:
    app = declare(ONE)
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE profile_declarations RENAME TO elsewhere"))
    try:
        serve(app)
    finally:
        with app.app_context(), db.engine.begin() as connection:
            connection.execute(sa.text("ALTER TABLE elsewhere RENAME TO profile_declarations"))
    assert recorded(app) == []


@pytest.mark.both
def test_a_field_that_was_never_declared_before_can_be_searched_immediately(declare: Declare) -> None:
    serve(declare(ONE))
    app = declare(ONE + 'find = "exact"\n[profile.size]\ntype = "integer"\nfind = "exact"\n')
    serve(app)

    with app.app_context():
        assert list(db.session.scalars(sa.select(FieldKeyState.field))) == ["size"]
