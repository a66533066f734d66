"""The figures beside the user list: row numbers, counts, facets, page sizes."""

import re
from contextlib import AbstractContextManager, nullcontext
from html import unescape
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from tests.support.factories import PROFILE, make_user
from tests.support.staff_client import StaffClient, staff_client
from userapi.admin import user_list
from userapi.core import prepared
from userapi.core.db import db
from userapi.users import list_counts, list_queries, search
from userapi.users.list_counts import Precision, count_list

pytestmark = pytest.mark.both

LIST = "/admin/users/"


@pytest.fixture
def boss(app: Flask, monkeypatch: pytest.MonkeyPatch) -> StaffClient:
    monkeypatch.setattr(user_list, "SIZES", (2, 25))
    boss = staff_client(app, is_staff=True, is_superuser=True, email="boss@example.com")
    for number in range(4):
        make_user(app, email=f"crowd{number}@example.com")
    return boss


def figures(boss: StaffClient, query: str = "") -> str:
    text = boss.get(f"{LIST}?{query}").text
    return unescape(text.partition('role="status">')[2].partition("</small>")[0]).strip()


def neighbour(boss: StaffClient, query: str, rel: str) -> str:
    found = re.search(rf'rel="{rel}" href="\?([^"]*)"', boss.get(f"{LIST}?{query}").text)
    return unescape(found[1]) if found else ""


def test_each_page_says_which_rows_it_shows(boss: StaffClient) -> None:
    assert figures(boss) == "1–5 of 5 users"
    second = neighbour(boss, "size=2&ordering=email", "next")
    third = neighbour(boss, second, "next")

    assert figures(boss, "size=2&ordering=email") == "1–2 of 5 users"
    assert figures(boss, second) == "3–4 of 5 users"
    assert figures(boss, third) == "5–5 of 5 users"
    assert neighbour(boss, third, "next") == ""
    back = neighbour(boss, third, "prev")
    assert figures(boss, back) == "3–4 of 5 users"
    assert figures(boss, neighbour(boss, back, "prev")) == "1–2 of 5 users"
    assert "size=2" in back


@pytest.mark.parametrize("number", ["", "0", "-1", "x", "1.5", "99999999999999", "٣"])
def test_a_page_whose_url_has_no_valid_row_number_shows_the_count_alone(boss: StaffClient, number: str) -> None:
    second = re.sub(r"&n=\d+", f"&n={number}", neighbour(boss, "size=2", "next"))

    assert figures(boss, second) == "5 users"
    assert figures(boss, "n=77") == "1–5 of 5 users"


@pytest.mark.parametrize("size", ["3", "0", "-2", "x", "1000000", ""])
def test_an_unknown_page_size_is_the_default(boss: StaffClient, size: str) -> None:
    assert figures(boss, f"size={size}") == "1–5 of 5 users"


def test_a_filtered_list_counts_its_users_and_an_invalid_filter_none(boss: StaffClient) -> None:
    assert figures(boss, "search=rowd") == "1–4 of 4 users"
    assert figures(boss, "search=crowd3") == "1–1 of 1 user"
    assert figures(boss, "is_staff=perhaps") == "0 users"
    assert figures(boss, "has_profile=false") == "0 users"


def test_facets_count_the_users_that_each_filter_would_leave(app: Flask, boss: StaffClient) -> None:
    bare = make_user(app, email="crowd8@example.com", profile=None)
    with app.app_context():
        db.session.execute(sa.text("UPDATE users SET is_active = false WHERE id = :id"), {"id": bare})
        db.session.execute(sa.text("UPDATE users SET email_verified_at = date_joined WHERE email LIKE 'crowd0%'"))
        db.session.commit()

        every, crowd = count_list({}), count_list({"staff_search": "crowd"})
        whole_lists = [list_queries.find_page(filters, "id", 25, None) for filters in ({}, {"staff_search": "crowd"})]
        assert [list_counts.count_rows(page.rows) for page in whole_lists] == [every, crowd]

    assert every.count == (6, Precision.EXACT)
    assert every.facets["is_active"] == {True: 5, False: 1}
    assert every.facets["is_staff"] == every.facets["is_superuser"] == {True: 1, False: 5}
    assert every.facets["has_profile"] == {True: 5, False: 1}
    assert crowd.count == (5, Precision.EXACT)
    assert crowd.facets["is_staff"] == {True: 0, False: 5}
    assert crowd.facets["email_verified"] == {True: 1, False: 4}
    assert figures(boss, "has_profile=false&search=crowd") == "1–1 of 1 user"
    assert figures(boss, "is_active=false") == "1–1 of 1 user"


def test_a_long_list_is_counted_up_to_a_limit_and_facets_only_with_an_index(
    app: Flask, boss: StaffClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(list_counts, "MAX_COUNTED", 3)
    monkeypatch.setattr(list_counts, "MIN_ESTIMATE", 10**9)

    assert figures(boss, "search=crowd&size=2") == "1–2 of more than 3 users"
    assert figures(boss, "is_active=true&size=2") == "1–2 of more than 3 users"
    with app.app_context():
        overview = count_list({})
    assert overview.facets["is_staff"] == {True: 1, False: None}
    assert overview.facets["is_active"] == {True: None, False: 0}
    assert overview.facets["email_verified"] == {True: None, False: None}


@pytest.mark.parametrize(
    "query", ["search=crowd&size=2", "search=crowd+com&is_staff=false&size=2&ordering=-last_login"]
)
def test_a_search_compares_its_users_once_for_the_page_and_the_count(
    app: Flask, boss: StaffClient, monkeypatch: pytest.MonkeyPatch, query: str
) -> None:
    compared: list[str] = []

    def note(_engine: sa.Engine, sql: str) -> AbstractContextManager[None]:
        if "strpos(" in sql or "instr(" in sql:
            compared.append(sql)
        return nullcontext()

    def note_other(_connection: Any, _cursor: Any, statement: str, *_others: Any) -> None:
        note(db.engine, statement)

    monkeypatch.setattr(prepared, "observer", note)
    sa.event.listen(sa.Engine, "before_cursor_execute", note_other)
    try:
        assert figures(boss, query) == "1–2 of 4 users"
        assert len(compared) == 1
        assert figures(boss, neighbour(boss, query, "next")) == "3–4 of 4 users"
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", note_other)


def test_a_list_with_too_many_users_for_facets_is_still_counted(
    app: Flask, boss: StaffClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(list_counts, "MAX_FACETED", 3)

    assert figures(boss, "is_active=true&size=2") == "1–2 of 5 users"
    with app.app_context():
        few, many = count_list({"staff_search": "crowd3"}), count_list({"is_active": True})
    assert few.facets["has_profile"] == {True: 1, False: 0}
    assert many.count == (5, Precision.EXACT)
    assert many.facets["has_profile"] == many.facets["is_staff"] == {True: None, False: None}


@pytest.mark.parametrize("looked_up", [0, 7000], ids=["many users", "few users"])
@pytest.mark.parametrize("order", ["-date_joined", "email", "last_name", "-last_login"])
def test_the_filter_by_country_finds_the_same_users_with_both_plans(
    app: Flask, boss: StaffClient, monkeypatch: pytest.MonkeyPatch, looked_up: int, order: str
) -> None:
    monkeypatch.setattr(list_queries, "MAX_LOOKED_UP", looked_up)
    french = {**PROFILE, "country": "France"}
    emails = {f"french{number}@example.com" for number in range(5)}
    for number, email in enumerate(sorted(emails)):
        make_user(app, email=email, profile=french, is_active=number != 3)
    query = f"country=France&size=25&ordering={order}"

    text = boss.get(f"/admin/users/?{query}").text

    assert set(re.findall(r">(french\d@example.com)</a>", text)) == emails
    assert figures(boss, query) == "1–5 of 5 users"
    assert figures(boss, f"{query}&is_active=true") == "1–4 of 4 users"
    assert figures(boss, "country=Nowhere") == "0 users"


def test_a_long_list_with_a_common_text_is_not_counted_by_reading_it(
    app: Flask, boss: StaffClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "MAX_INDEXED", {"postgresql": 0, "sqlite": 0})
    monkeypatch.setattr(list_counts, "MIN_ESTIMATE", 0)
    precisions: dict[str, Any] = {}
    with app.app_context():
        for filters in ({"staff_search": "crowd"}, {"staff_search": "crowd", "is_staff": False}):
            precisions[str(len(filters))] = count_list(filters).count.precision
        kind = db.engine.dialect.name
    expected = {"postgresql": (Precision.ABOUT, Precision.ABOUT), "sqlite": (Precision.MORE_THAN, Precision.UNKNOWN)}

    assert tuple(precisions.values()) == expected[kind]
    assert figures(boss, "search=crowd&is_staff=false").startswith("1–4")
