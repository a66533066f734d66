"""Opening a page locks no row."""

import re
from collections.abc import Iterator
from html import unescape

import pytest
import sqlalchemy as sa
from flask import Flask

from tests.support.factories import make_user
from tests.support.staff_client import staff_client
from userapi.core.db import db

pytestmark = pytest.mark.both


@pytest.fixture
def statements(app: Flask) -> Iterator[list[str]]:
    """The statements sent on any connection to the database."""
    sent: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_others: object) -> None:
        sent.append(statement)

    with app.app_context():
        engines = set(db.engines.values())
    for engine in engines:
        sa.event.listen(engine, "before_cursor_execute", note)
    yield sent
    for engine in engines:
        sa.event.remove(engine, "before_cursor_execute", note)


def test_no_page_of_the_staff_site_locks_a_row_when_it_is_opened(app: Flask, statements: list[str]) -> None:
    superuser = staff_client(app, is_staff=True, is_superuser=True)
    make_user(app, is_staff=True)
    superuser.post("/admin/groups/new/", name="Readers")
    waiting, seen = ["/admin/"], set()
    while waiting:
        path = waiting.pop()
        if path in seen or len(seen) > 60:
            continue
        seen.add(path)
        statements.clear()

        page = superuser.get(path).text

        assert [sql for sql in statements if "FOR UPDATE" in sql] == [], path
        links = re.findall(r'href="(/admin/[^"#?]*)"', page)
        waiting += [unescape(link) for link in links if "static" not in link and "logout" not in link]
    assert any(re.fullmatch(r"/admin/groups/\d+/delete/", path) for path in seen)
