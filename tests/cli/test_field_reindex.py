"""`flask fields reindex`: search keys of a field that became searchable or unique."""

import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import Result
from flask import Flask

from tests.support import commands
from tests.support.api_client import ApiUser, sign_in
from tests.support.factories import PASSWORD, make_user, new_user
from userapi.core import clock
from userapi.core.db import db
from userapi.users import field_key_queries
from userapi.users.field_reindex import BATCH_SIZE
from userapi.users.models import User, UserProfile

pytestmark = pytest.mark.both

Declare = Callable[..., Flask]

BEFORE = '[profile.company]\ntype = "line"\n'
SEARCHABLE = BEFORE + 'find = "beginning"\n'
UNIQUE = BEFORE + 'find = "exact"\nunique = true\n'

LIST = "/userapi/users/"

KILLED_AFTER_ITS_FIRST_COMMIT = """
import os, signal
import sqlalchemy as sa
from flask.cli import main
from sqlalchemy.orm import Session

sa.event.listen(Session, "after_commit", lambda session: os.kill(os.getpid(), signal.SIGKILL))
main()
"""


def reindex(app: Flask, name: str = "company") -> Result:
    return app.test_cli_runner().invoke(args=["fields", "reindex", name])


def start_serving(app: Flask) -> None:
    """Let an application record its declaration."""
    assert app.test_client().get("/userapi/").status_code in (200, 401)


def add_users(app: Flask, *companies: str) -> list[int]:
    """Insert users with these values and without keys."""
    with app.app_context():
        last = db.session.scalar(sa.select(sa.func.max(User.id))) or 0
        for number, company in enumerate(companies, last + 1):
            email = f"person{number}@example.com"
            db.session.add(
                User(
                    email=email,
                    email_key=email,
                    date_joined=clock.now(),
                    profile=UserProfile(extra={"company": company}),
                )
            )
        db.session.commit()
        return list(db.session.scalars(sa.select(User.id).where(User.id > last).order_by(User.id)))


def sign_in_staff(app: Flask) -> ApiUser:
    user_id = make_user(app, email="staff@example.com", profile=None, is_staff=True)
    return ApiUser(app.test_client(), user_id, "staff@example.com", PASSWORD, sign_in(app, "staff@example.com"))


def find(staff: ApiUser, company: str) -> list[int] | str:
    """The ids of the users found by a company, or the code of the error."""
    response = staff.get(LIST, query_string={"profile.company": company}).get_json()
    return [row["id"] for row in response["results"]] if "results" in response else str(response["code"])


def keys(app: Flask) -> list[tuple[Any, ...]]:
    with app.app_context(), db.engine.connect() as connection:
        text = sa.text("SELECT user_id, key, is_unique FROM user_field_keys WHERE field = 'company' ORDER BY 1, 2")
        return [(row.user_id, row.key, bool(row.is_unique)) for row in connection.execute(text)]


def count_keys(app: Flask) -> int:
    with app.app_context(), db.engine.connect() as connection:
        return int(connection.scalar(sa.text("SELECT count(*) FROM user_field_keys")) or 0)


def test_W17_a_field_that_was_never_declared_is_searchable_from_the_start(declare: Declare) -> None:
    app = declare(SEARCHABLE)
    staff = sign_in_staff(app)

    assert find(staff, "wren") == []
    made = app.test_client().post(LIST, json=new_user(profile={"company": "Wren Ltd"})).get_json()
    assert find(staff, "wren") == [made["id"]]


def test_W17_a_field_that_becomes_searchable_needs_a_reindex(declare: Declare) -> None:
    start_serving(declare(BEFORE))
    app = declare(SEARCHABLE)
    first, *others = add_users(app, "Wren Ltd", "Wren & Söhne", "Finch")
    staff = sign_in_staff(app)
    made = app.test_client().post(LIST, json=new_user(profile={"company": "Wren"})).get_json()["id"]
    assert find(staff, "wren") == "not_searchable_yet"
    assert "flask fields reindex company" in app.test_cli_runner().invoke(args=["doctor"]).output

    result = reindex(app)

    assert (result.exit_code, result.output) == (0, "Wrote the search keys of 3 users.\n")
    assert find(staff, "wren") == [first, others[0], made]
    assert "flask fields reindex" not in app.test_cli_runner().invoke(args=["doctor"]).output
    assert reindex(app).output == "Wrote the search keys of 0 users.\n"


def test_W17_a_declaration_without_find_in_between_makes_keys_incomplete(declare: Declare) -> None:
    start_serving(declare(SEARCHABLE))
    start_serving(declare(BEFORE))
    app = declare(SEARCHABLE)
    staff = sign_in_staff(app)

    assert find(staff, "wren") == "not_searchable_yet"
    assert reindex(app).exit_code == 0
    assert find(staff, "wren") == []


def test_W17_a_reindex_replaces_wrong_keys(declare: Declare) -> None:
    app = declare(SEARCHABLE)
    user_id, other = add_users(app, "Wren", "Finch")
    with app.app_context():
        field_key_queries.insert_keys(
            field_key_queries.Key("company", key, owner, is_unique)
            for key, owner, is_unique in (("old", user_id, False), ("finch", other, True))
        )
        db.session.commit()

    assert reindex(app).output == "Wrote the search keys of 2 users.\n"
    assert keys(app) == [(user_id, "wren", False), (other, "finch", False)]


def test_W09_a_field_that_becomes_unique_reports_the_users_with_the_same_value(declare: Declare) -> None:
    start_serving(declare(SEARCHABLE))
    app = declare(UNIQUE)
    first, second, third = add_users(app, "Wren", "WREN", "Finch")
    staff = sign_in_staff(app)
    assert find(staff, "wren") == "not_searchable_yet"

    result = reindex(app)

    assert result.exit_code == 1
    assert f"User {second} has the same value as user {first}." in result.output
    assert keys(app) == [(first, "wren", True), (second, "wren", False), (third, "finch", True)]
    assert find(staff, "wren") == [first, second]
    taken = staff.patch(f"{LIST}{third}/", json={"profile": {"company": "wren"}})
    assert (taken.status_code, taken.get_json()["code"]) == (400, "field_taken")

    assert staff.patch(f"{LIST}{first}/", json={"profile": {"company": "Owl"}}).status_code == 200
    assert reindex(app).output == "Wrote the search keys of 1 user.\n"
    assert keys(app) == [(first, "owl", True), (second, "wren", True), (third, "finch", True)]


def test_W17_edits_during_a_reindex_are_kept(declare: Declare, monkeypatch: pytest.MonkeyPatch) -> None:
    app = declare(SEARCHABLE)
    ids = add_users(app, *("Wren" for _ in range(20)))
    staff = sign_in_staff(app)
    monkeypatch.setattr(field_key_queries, "PAGE_SIZE", 2)

    def edit(user_id: int) -> int:
        body = {"profile": {"company": f"Finch {user_id}"}}
        return app.test_client().patch(f"{LIST}{user_id}/", json=body, headers=staff.headers).status_code

    with ThreadPoolExecutor(5) as pool:
        edits = pool.map(edit, reversed(ids))
        assert reindex(app).exit_code == 0
        assert set(edits) == {200}

    assert keys(app) == [(user_id, f"finch {user_id}", False) for user_id in ids]


def test_W17_a_reindex_that_was_killed_is_continued(declare: Declare) -> None:
    start_serving(declare(BEFORE))
    app = declare(SEARCHABLE)
    add_users(app, *(f"Wren {number}" for number in range(BATCH_SIZE + 100)))
    staff = sign_in_staff(app)
    environment = commands.environment_for(app, PROFILE_FIELDS=app.config["PROFILE_FIELDS"])
    program = [sys.executable, "-c", KILLED_AFTER_ITS_FIRST_COMMIT, "fields", "reindex", "company"]

    killed = subprocess.run(program, env={**environment, "FLASK_APP": "wsgi"}, timeout=60)

    assert killed.returncode == -signal.SIGKILL
    assert count_keys(app) == BATCH_SIZE
    assert find(staff, "wren 17") == "not_searchable_yet"
    assert reindex(app).output == "Wrote the search keys of 100 users.\n"
    assert len(find(staff, "wren 17")) == 11


def test_a_field_without_keys_cannot_be_reindexed(declare: Declare) -> None:
    app = declare(BEFORE)

    assert "neither find nor unique" in reindex(app).output
    assert "is not declared" in reindex(app, "unknown").output
