"""What an answer costs in SQL statements, whatever the number of rows."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any
from urllib.parse import urlsplit

import pytest
import sqlalchemy as sa
from conftest import Person
from factories import PROFILE
from flask import Flask

from userapi.core import statements
from userapi.core.db import db
from userapi.users import accounts

USERS = "/userapi/users/"


@pytest.fixture
def crowd(app: Flask) -> int:
    """Sixty users, whom no password signs in."""
    with app.app_context():
        for number in range(60):
            accounts.create(f"person-{number}@example.com", None, PROFILE | {"dob": date(1990, 12, 10)})
        db.session.commit()
    return 60


@contextmanager
def counted(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The statements that run meanwhile, those past SQLAlchemy's cursor events included."""
    seen: list[str] = []
    ask = statements._ask

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        seen.append(statement)

    def note_hot(engine: sa.Engine, connection: Any, cursor: object, sql: str, arguments: object) -> object:
        seen.append(sql)
        return ask(engine, connection, cursor, sql, arguments)

    with app.app_context():
        engines = list(db.engines.values())
    for engine in engines:
        sa.event.listen(engine, "before_cursor_execute", note)
    with monkeypatch.context() as watching:
        watching.setattr(statements, "_ask", note_hot)
        yield seen
    for engine in engines:
        sa.event.remove(engine, "before_cursor_execute", note)


def test_reading_oneself_is_one_statement(app: Flask, user: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    for url in (user.url, "/userapi/auth/user/"):
        with counted(app, monkeypatch) as statements:
            assert user.get(url).status_code == 200

        assert len(statements) == 1, statements


def test_staff_read_another_with_two(app: Flask, staff: Person, user: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    with counted(app, monkeypatch) as statements:
        assert staff.get(user.url).status_code == 200

    assert len(statements) == 2, statements


def test_a_refusal_costs_one(app: Flask, user: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    with counted(app, monkeypatch) as statements:
        assert user.get(USERS).status_code == 403

    assert len(statements) == 1, statements


@pytest.mark.parametrize(
    "ordering", ["", "&ordering=-date_joined", "&ordering=last_login", "&ordering=email&search=person"]
)
def test_a_list_costs_two_statements_whatever_its_size_and_depth(
    app: Flask, staff: Person, crowd: int, monkeypatch: pytest.MonkeyPatch, ordering: str
) -> None:
    deep = f"{USERS}?limit=5{ordering}"
    for _ in range(9):
        parts = urlsplit(staff.get(deep).get_json()["next"])
        deep = f"{parts.path}?{parts.query}"

    for url, length in ((f"{USERS}?limit=1{ordering}", 1), (f"{USERS}?limit=50{ordering}", 50), (deep, 5)):
        with counted(app, monkeypatch) as statements:
            response = staff.get(url)

        assert len(response.get_json()["results"]) == length
        assert len(statements) == 2, statements


def test_a_count_is_one_more(app: Flask, staff: Person, crowd: int, monkeypatch: pytest.MonkeyPatch) -> None:
    with counted(app, monkeypatch) as statements:
        assert staff.get(f"{USERS}?count=true").get_json()["count"] == crowd + 1

    assert len(statements) == 3, statements
