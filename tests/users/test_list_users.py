"""The list of users: pages, orders and filters."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import sqlalchemy as sa
from flask import Flask
from werkzeug.test import TestResponse

from tests.support.api_client import ApiUser
from tests.support.factories import PROFILE, make_user
from userapi.core.db import UTCDateTime, db

pytestmark = pytest.mark.both

LIST = "/userapi/users/"
ORDERINGS = ("date_joined", "email", "last_name", "last_login")
START = datetime(2024, 1, 31, 12, 0, 0, 123456, tzinfo=UTC)


def ids(response: TestResponse) -> list[int]:
    """The ids of the users on a page."""
    assert response.status_code == 200, response.text
    return [row["id"] for row in response.get_json()["results"]]


def follow(staff: ApiUser, url: str | None, direction: str) -> Iterator[TestResponse]:
    """The pages from a URL onwards."""
    while url:
        response = staff.get(url.removeprefix("http://accounts.example.com"))
        yield response
        url = response.get_json()[direction]


@pytest.fixture
def user_ids(app: Flask, staff: ApiUser) -> list[int]:
    """The ids of `staff` and of eleven users, with ties in every order; some never signed in."""
    made = [
        make_user(app, last_name=("Ash", "ash", "Birch", "")[number % 4], profile=None if number % 5 == 0 else PROFILE)
        for number in range(10)
    ]
    with app.app_context():
        for number, user_id in enumerate(made):
            moments = {
                "joined": START + timedelta(days=number // 3),
                "seen": None if number % 3 == 0 else START + timedelta(hours=number // 4),
            }
            db.session.execute(
                sa.text("UPDATE users SET date_joined = :joined, last_login = :seen WHERE id = :id").bindparams(
                    sa.bindparam("joined", type_=UTCDateTime), sa.bindparam("seen", type_=UTCDateTime)
                ),
                {**moments, "id": user_id},
            )
        db.session.commit()
    return [staff.id, *made]


def expected_order(staff: ApiUser, ordering: str) -> list[int]:
    """All ids in the documented order: by column, then id, both descending with `-`; nulls last."""
    name, down = ordering.removeprefix("-"), ordering.startswith("-")
    rows = staff.get(LIST, query_string={"limit": 200}).get_json()["results"]
    given = [row for row in rows if row[name] is not None]
    absent = [row for row in rows if row[name] is None]

    def key(row: dict[str, Any]) -> tuple[Any, int]:
        value = row[name] or ""
        return (datetime.fromisoformat(value) if name in ("date_joined", "last_login") else value.casefold(), row["id"])

    return [
        *(row["id"] for row in sorted(given, key=key, reverse=down)),
        *(row["id"] for row in sorted(absent, key=lambda row: row["id"], reverse=down)),
    ]


@pytest.mark.parametrize("ordering", [*ORDERINGS, *(f"-{name}" for name in ORDERINGS)])
def test_paging_forwards_and_backwards_shows_every_user_once(
    staff: ApiUser, user_ids: list[int], ordering: str
) -> None:
    wanted = expected_order(staff, ordering)
    assert sorted(wanted) == sorted(user_ids)
    for limit in (1, 3, 4):
        there = list(follow(staff, f"{LIST}?ordering={ordering}&limit={limit}", "next"))
        back = list(follow(staff, there[-1].get_json()["previous"], "previous"))

        assert [user_id for page in there for user_id in ids(page)] == wanted
        assert [ids(page) for page in [there[-1], *back]] == [ids(page) for page in reversed(there)]
        assert there[0].get_json()["previous"] is None
        assert there[-1].get_json()["next"] is None
        assert back[-1].get_json()["previous"] is None


def test_users_are_ordered_by_creation_by_default(staff: ApiUser, user_ids: list[int]) -> None:
    pages = list(follow(staff, f"{LIST}?limit=5", "next"))

    assert [user_id for page in pages for user_id in ids(page)] == sorted(user_ids)


def test_a_last_page_that_is_exactly_full_has_no_next(staff: ApiUser, user_ids: list[int]) -> None:
    response = staff.get(LIST, query_string={"limit": len(user_ids)})

    assert len(ids(response)) == len(user_ids)
    assert response.get_json()["next"] is None


def test_users_created_or_deleted_between_pages_do_not_shift_others(
    app: Flask, staff: ApiUser, user_ids: list[int]
) -> None:
    first = staff.get(LIST, query_string={"limit": 4})
    with app.app_context():
        db.session.execute(sa.text("DELETE FROM users WHERE id = :id"), {"id": ids(first)[-1]})
        db.session.commit()
    newest = make_user(app)

    rest = [user_id for page in follow(staff, first.get_json()["next"], "next") for user_id in ids(page)]

    assert ids(first) + rest == [*sorted(user_ids), newest]


def test_the_Link_header_names_neighbouring_pages_and_keeps_the_query(staff: ApiUser, user_ids: list[int]) -> None:
    query = {"limit": "2", "ordering": "-email", "search": "person wr", "format": "json"}
    first = staff.get(LIST, query_string=query)
    second = staff.get(first.get_json()["next"].removeprefix("http://accounts.example.com"))

    urls = second.get_json()
    assert second.headers["Link"] == f'<{urls["next"]}>; rel="next", <{urls["previous"]}>; rel="prev"'
    for url in (urls["next"], urls["previous"]):
        assert url.startswith(f"http://accounts.example.com{LIST}?")
        parameters = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        assert {name: parameters[name] for name in query} == query


def test_a_list_of_one_page_has_no_Link_header(staff: ApiUser) -> None:
    response = staff.get(LIST)

    assert response.get_json() == {"next": None, "previous": None, "results": [staff.get(staff.url).get_json()]}
    assert "Link" not in response.headers


def test_the_count_is_included_on_request(staff: ApiUser, user_ids: list[int]) -> None:
    counted = staff.get(LIST, query_string={"count": "true", "limit": 2})
    filtered = staff.get(LIST, query_string={"count": "true", "limit": 2, "is_staff": "true"})

    assert counted.get_json()["count"] == len(user_ids)
    assert filtered.get_json()["count"] == 1
    for quiet in ({}, {"count": "false"}):
        assert "count" not in staff.get(LIST, query_string=quiet).get_json()


def test_a_page_has_50_users_by_default_and_200_at_most(staff: ApiUser, app: Flask) -> None:
    with app.app_context():
        for number in range(55):
            db.session.execute(
                sa.text(
                    "INSERT INTO users (email, email_key, first_name, last_name, first_name_key, last_name_key,"
                    " session_version, is_active, is_staff, is_superuser, date_joined)"
                    " VALUES (:email, :email, '', '', '', '', 0, :yes, :no, :no, :now)"
                ).bindparams(sa.bindparam("now", type_=UTCDateTime)),
                {"email": f"crowd{number}@example.com", "yes": True, "no": False, "now": START},
            )
        db.session.commit()

    assert len(ids(staff.get(LIST))) == 50
    assert len(ids(staff.get(LIST, query_string={"limit": 200}))) == 56
    assert staff.get(LIST, query_string={"limit": 201}).status_code == 400
    assert staff.get(LIST, query_string={"limit": 0}).status_code == 400


def test_filters_by_flag_country_and_date(app: Flask, staff: ApiUser, user_ids: list[int]) -> None:
    french = make_user(app, profile=PROFILE | {"country": "France"})
    idle = make_user(app)
    staff.patch(f"{LIST}{idle}/", json={"is_active": False})

    def found(**query: str) -> list[int]:
        return ids(staff.get(LIST, query_string=query))

    assert found(is_staff="true") == [staff.id]
    assert found(is_active="false") == [idle]
    assert idle not in found(is_active="true")
    assert found(country="France") == [french]
    assert found(country="france") == []
    assert found(joined_before="2024-02-01") == user_ids[1:4]
    assert found(joined_after="2024-02-01", joined_before="2024-02-02") == user_ids[4:7]
    assert (
        found(joined_after="2024-01-31T12:00:00.123456Z", joined_before="2024-01-31T12:00:00.123457Z") == user_ids[1:4]
    )
    assert found(joined_after="2024-01-31T13:00:00.123456+01:00", joined_before="2024-02-01") == user_ids[1:4]
    assert found(joined_before="2024-01-31T12:00:00.123456Z") == []
    assert found(is_staff="true", country="France") == []


def test_search_finds_what_email_and_names_contain_regardless_of_case(app: Flask, staff: ApiUser) -> None:
    ada = make_user(app, email="Quill.Pen@example.com", first_name="Ada Maria", last_name="O'Neill")
    sofia = make_user(app, first_name="Σοφία", last_name="Straße")

    def found(search: str) -> list[int]:
        return ids(staff.get(LIST, query_string={"search": search}))

    assert found("quill") == [ada]
    assert found("QUILL.PEN@EXAMPLE.COM") == [ada]
    assert found("ada") == found("o'n") == found("ada o'neill") == found("o'neill ada") == [ada]
    assert found("σοφ") == found("ΣΟΦ") == found("STRASSE") == found("strasse") == [sofia]
    assert found("Ａｄａ") == [ada]
    assert found("pen@") == found("eill") == found("ILL.PEN neill") == [ada]
    assert found("οφία") == found("TRASS") == [sofia]
    assert found("ada sofia") == found("%") == found("_uill") == found("en") == []
    assert {ada, sofia} <= set(found("")) & set(found("   "))


def test_V15_a_cursor_is_valid_only_for_its_order(staff: ApiUser, user_ids: list[int]) -> None:
    url = staff.get(LIST, query_string={"ordering": "email", "limit": 2}).get_json()["next"]
    (taken,) = parse_qs(urlsplit(url).query)["cursor"]

    assert staff.get(LIST, query_string={"ordering": "email", "cursor": taken}).status_code == 200
    assert staff.get(LIST, query_string={"ordering": "-email", "cursor": taken}).status_code == 400
    assert staff.get(LIST, query_string={"cursor": taken}).status_code == 400
