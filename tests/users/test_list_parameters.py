"""Tampered cursors and unusual parameters of the list of users."""

import base64
import itertools
import json
from typing import Any
from urllib.parse import quote

import pytest

from tests.support.api_client import ApiUser

pytestmark = pytest.mark.both

LIST = "/userapi/users/"
ORDERINGS = ("date_joined", "email", "last_name", "last_login")


def cursor(*content: Any) -> str:
    """The cursor of a list for these members."""
    return base64.urlsafe_b64encode(json.dumps(list(content)).encode()).rstrip(b"=").decode()


BROKEN_CURSORS = (
    "x", "%%%", "====", "é", "\x00", "W10", "e30", "bnVsbA", "MQ", cursor(), cursor("id", "next", 1),
    cursor("id", "next", 1, 1, 1), cursor("id", "sideways", 1, 1), cursor("id", ["next"], 1, 1),
    cursor("email", "next", "a", 1),
    cursor("-id", "next", 1, 1), cursor(None, "next", 1, 1), cursor("id", "next", 1, "1"),
    cursor("id", "next", 1, True),
    cursor("id", "next", 1, None), cursor("id", "next", 1, 2**63), cursor("id", "next", 1, -(2**63) - 1),
    cursor("id", "next", 1, 1.5), cursor("id", "next", [1], 1), cursor("id", "next", {"a": 1}, 1),
    cursor("id", "next", "abc", 1), cursor("id", "next", None, 1), cursor("id", "next", 2**70, 1),
    cursor("id", "next", 1.5, 1),
    cursor("password_hash", "next", "a", 1), "A" * 2001,
)  # fmt: skip


def test_V15_rejects_a_tampered_cursor(staff: ApiUser) -> None:
    for broken in BROKEN_CURSORS:
        response = staff.get(LIST, query_string={"cursor": broken})

        assert response.status_code == 400, broken
        assert list(response.get_json()["errors"]) == ["cursor"], broken


FORGED_PLACES: tuple[Any, ...] = (
    5, 2**63, -(2**70), 1.5, True, [], {}, "\x00", "a" * 1001, "2024-01-01", "2024-13-01T00:00:00Z", "now",
    "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "infinity", "' OR 1=1 --",
)  # fmt: skip


@pytest.mark.parametrize("ordering", [*ORDERINGS, *(f"-{name}" for name in ORDERINGS)])
def test_V15_a_forged_cursor_position_is_rejected_or_harmless(staff: ApiUser, ordering: str) -> None:
    for value, direction in itertools.product(FORGED_PLACES, ("next", "previous")):
        forged = cursor(ordering, direction, value, 1)

        response = staff.get(LIST, query_string={"ordering": ordering, "cursor": forged})

        harmless = isinstance(value, str) and ordering.removeprefix("-") in ("email", "last_name")
        assert response.status_code in ((200, 400) if harmless else (400,)), value


REJECTED = {
    "limit": ["", "0", "-1", "201", "1.5", "1e2", "abc", "9" * 30, "9" * 5000, "0x10", "null", "1;2", "NaN"],
    "ordering": [
        "", "id", "-id", "password", "password_hash", "-password_hash", "email_key", "--email", "email,last_name",
        "email desc", "email; drop table users", "profile.city", "users.id", "EMAIL", "a" * 100_000, "(select 1)",
    ],
    "is_active": ["", "1", "yes", "TRUE", "null", "' or 1=1"],
    "is_staff": ["0", "FALSE", "[]"],
    "joined_after": [
        "", "yesterday", "2024-13-01", "2024-02-30", "20240101T000000", "2024-01-01T00:00:00", "٢٠٢٤-٠١-٠١",
        "1700000000",
        "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "10000-01-01", "2024-01-01T25:00:00Z", "\x00",
    ],
    "joined_before": ["-1", "infinity", "now()"],
    "country": ["x" * 51, "a\x00b", "a\nb"],
    "search": ["x" * 255, "a\x00b", "a\x1bb", "a\r\nb"],
    "count": ["1", "maybe"],
    "page": ["1"], "offset": ["1"], "fields": ["password_hash"], "id": ["1"], "is_superuser": ["true"], "email": ["a"],
    "filter[is_staff]": ["true"], "is_staff__exact": ["true"], "cursor[]": ["x"],
}  # fmt: skip


@pytest.mark.parametrize("name", REJECTED)
def test_V15_a_parameter_of_a_wrong_type_is_rejected_by_name(staff: ApiUser, name: str) -> None:
    for value in REJECTED[name]:
        response = staff.get(LIST, query_string={name: value})

        assert response.status_code == 400, value[:50]
        assert list(response.get_json()["errors"]) == [name], value[:50]


def test_V15_accepts_unusual_valid_parameters(staff: ApiUser) -> None:
    odd: list[dict[str, str]] = [
        {"search": "'; DROP TABLE users; --"}, {"search": "%"}, {"search": "_"}, {"search": "\\"},
        {"search": "\U0010ffff"},
        {"search": "a b c d e f g h i j k l m n o p q r s t u v w x y z" * 4}, {"search": "\u202e<script>"},
        {"search": "ﷺ" * 254},
        {"country": "' OR '1'='1"}, {"country": ""}, {"joined_after": "0001-01-01"},
        {"joined_before": "9999-12-31T23:59:59Z"},
        {"joined_before": "2024-01-01T00:00:00.1234567Z"}, {"cursor": ""}, {"format": "json"},
    ]  # fmt: skip
    for query in odd:
        response = staff.get(LIST, query_string=query)

        assert response.status_code == 200, query
        assert staff.get(LIST).status_code == 200


@pytest.mark.parametrize(
    "query", ["limit=5&limit=6", "is_staff=true&is_staff=false", "search=a&search=b", "ordering=email&ordering=-email"]
)
def test_L13_rejects_a_repeated_parameter(staff: ApiUser, query: str) -> None:
    response = staff.get(f"{LIST}?{query}")

    assert response.status_code == 400
    assert list(response.get_json()["errors"]) == [query.partition("=")[0]]


@pytest.mark.parametrize("raw", ["%", "%zz", "%ff=1", "&&&", "=", "==&=", "a" * 5000, quote("\x00") + "=1", "%c0%80=x"])
def test_V15_a_broken_query_string_is_not_a_server_error(staff: ApiUser, raw: str) -> None:
    assert staff.get(f"{LIST}?{raw}").status_code in (200, 400)
