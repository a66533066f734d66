"""Searches with trigrams that most users have, which are not looked up in the index of PostgreSQL."""

import re
from weakref import WeakKeyDictionary

import pytest
from flask import Flask

from tests.support.factories import make_user
from tests.support.staff_client import staff_client
from userapi.core.db import db
from userapi.users import common_trigrams

pytestmark = pytest.mark.both


@pytest.fixture(autouse=True)
def trigrams_of_few_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(common_trigrams, "MIN_USERS", -2)  # a table that was never analysed has -1
    monkeypatch.setattr(common_trigrams, "COMMON", 0.5)
    monkeypatch.setattr(common_trigrams, "_known", WeakKeyDictionary())


def test_searches_find_the_same_users_without_the_trigrams_that_most_users_have(app: Flask) -> None:
    boss = staff_client(app, is_staff=True, is_superuser=True, email="boss@example.com")
    emails = [f"crowd{number}@example.com" for number in range(4)]
    for email in emails:
        make_user(app, email=email)

    def search(text: str) -> list[str]:
        return re.findall(r">(crowd\d@example.com)</a>", boss.get(f"/admin/users/?ordering=email&search={text}").text)

    assert search("crowd3@example.com") == ["crowd3@example.com"]
    assert search("wd3@example") == ["crowd3@example.com"]
    assert search("crowd+example") == emails
    assert search("crowd3@example.org") == []
    assert search("crowd3@xample.com") == []


def test_only_rare_trigrams_are_looked_up_in_the_index(app: Flask) -> None:
    for number in range(4):
        make_user(app, email=f"crowd{number}@example.com")
    words = ("crowd3@example.com", "d3@example.comx9", "crowd", "r_d3", "3@example.com")
    with app.app_context():
        patterns = [common_trigrams.make_rare_pattern(word) for word in words]
        is_postgresql = db.engine.dialect.name == "postgresql"

    rare = ["%wd3@%", "%d3@%omx9%", "%crowd%", "%\\_d3%", "%3@example.com%"]
    assert patterns == (rare if is_postgresql else [common_trigrams.make_pattern(word) for word in words])
