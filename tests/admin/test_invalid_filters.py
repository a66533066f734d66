"""An invalid filter never makes a list of the staff site, or an action on all matching users, cover more rows."""

import re
from html import unescape
from urllib.parse import urlencode

import pytest
from flask import Flask

from tests.support.bulk_actions import ACTION_PATH, insert_users
from tests.support.staff_client import StaffClient, staff_client

#: The text of an empty list.
NONE_FOUND = {
    "users": "No users found.",
    "audit": "No events found.",
    "emails": "No emails found.",
    "sessions": "No sessions found.",
}

UNREADABLE = [
    ("users", "search", "crowd\u200b0"),
    ("users", "search", "\u200b"),
    ("users", "search", "a" * 255),
    ("users", "search", "crowd0 b c d e f g h i"),
    ("users", "is_staff", "1"),
    ("users", "is_staff", "True"),
    ("users", "is_active", "maybe"),
    ("users", "is_superuser", "0"),
    ("users", "email_verified", "no"),
    ("users", "group", "abc"),
    ("users", "group", "٣"),
    ("users", "country", "Nor\x00way"),
    ("users", "joined_from", "29.11.2026"),
    ("users", "joined_from", "20261129"),
    ("users", "joined_to", "2026-02-30"),
    ("audit", "since", "31.12.2099"),
    ("audit", "until", "yesterday"),
    ("audit", "origin", "bogus"),
    ("audit", "kind", "bogus"),
    ("audit", "target", "\u200b"),
    ("audit", "actor", "a\u200bb"),
    ("audit", "action", "user\x00"),
    ("emails", "state", "bogus"),
    ("emails", "recipient", "a\u200bb"),
    ("emails", "kind", "\u2060"),
    ("sessions", "state", "bogus"),
    ("sessions", "user", "a\u200bb@example.com"),
    ("sessions", "address", "\ufeff"),
]


@pytest.fixture
def superuser(app: Flask) -> StaffClient:
    made = staff_client(app, is_staff=True, is_superuser=True)
    insert_users(app, 3)
    return made


@pytest.mark.parametrize(("page", "name", "text"), UNREADABLE)
def test_an_invalid_filter_stays_in_the_form_and_the_list_is_empty(
    superuser: StaffClient, page: str, name: str, text: str
) -> None:
    shown = superuser.get(f"/admin/{page}/", query_string={name: text})

    assert shown.status_code == 200
    assert NONE_FOUND[page] in shown.text
    assert "A filter is invalid" in shown.text
    control = re.search(rf'<(?:input|select) [^>]*name="{name}"[^>]*aria-invalid="true"[^>]*>', shown.text)
    assert control
    assert re.search(rf'aria-describedby="(?:{name}-hint )?{name}-error"', control[0])
    assert f'id="{name}-error"' in shown.text
    kept = re.search(rf'name="{name}"[^>]*value="([^"]*)"', shown.text) or re.search(
        rf'name="{name}".*?<option[^>]* selected>([^<]*)</option>', shown.text, re.DOTALL
    )
    assert kept
    assert unescape(kept[1]).removesuffix(" (0)") == text


@pytest.mark.parametrize(("name", "text"), [(name, text) for page, name, text in UNREADABLE if page == "users"][::3])
@pytest.mark.parametrize("action", ["delete", "export_csv"])
def test_an_action_on_all_users_matching_an_invalid_filter_changes_no_one(
    superuser: StaffClient, action: str, name: str, text: str
) -> None:
    shown = superuser.get("/admin/users/", query_string={name: text}).text
    carried = unescape(shown.partition('name="query" value="')[2].partition('"')[0])

    for query in (carried, urlencode({name: text})):
        response = superuser.post(ACTION_PATH, action=action, all="true", query=query, confirmed="true", newest="999")

        assert response.status_code == 303
        assert "Correct the invalid filters first" in superuser.get(response.headers["Location"]).text
    assert "crowd2@example.com" in superuser.get("/admin/users/").text


@pytest.mark.parametrize("text", ["crowd1@example.com\u200b", "\u2060crowd1@example.com\ufeff", "\u00a0crowd1@ "])
def test_invisible_characters_around_a_search_are_ignored(superuser: StaffClient, text: str) -> None:
    shown = superuser.get("/admin/users/", query_string={"search": text}).text

    assert re.findall(r"crowd\d@example.com</a>", shown) == ["crowd1@example.com</a>"]
    assert "search=crowd1%40" in shown
    confirmation = superuser.post(ACTION_PATH, action="delete", all="true", query=urlencode({"search": text})).text
    assert re.findall(r"<li>(crowd.*?)</li>", confirmation) == ["crowd1@example.com"]


def test_a_no_break_space_in_a_search_separates_words(superuser: StaffClient) -> None:
    shown = superuser.get("/admin/users/", query_string={"search": "crowd1@example.com\u00a0crowd"}).text

    assert re.findall(r"crowd\d@example.com</a>", shown) == ["crowd1@example.com</a>"]


@pytest.mark.parametrize(
    ("page", "name"), [("audit", "target"), ("audit", "actor"), ("sessions", "user"), ("emails", "recipient")]
)
def test_invisible_characters_around_any_filter_text_are_ignored(superuser: StaffClient, page: str, name: str) -> None:
    shown = superuser.get(f"/admin/{page}/", query_string={name: "crowd1@example.com\u200b"}).text

    assert 'value="crowd1@example.com"' in shown
    assert "A filter is invalid" not in shown
