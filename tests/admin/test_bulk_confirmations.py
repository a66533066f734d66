"""The confirmation of a bulk action counts and names the users who will be changed, and no others."""

import re

import pytest
from flask import Flask

from tests.support.bulk_actions import ACTION_PATH, insert_users
from tests.support.factories import make_user
from tests.support.staff_client import StaffClient, staff_client
from userapi.admin import user_actions

pytestmark = pytest.mark.both


@pytest.fixture
def superuser(app: Flask) -> StaffClient:
    return staff_client(
        app, is_staff=True, is_superuser=True, last_name="Tidewater", email="crowd.superuser@example.com"
    )


def listed_emails(text: str) -> list[str]:
    return re.findall(r"<li>(crowd[^<]*)</li>", text)


@pytest.mark.parametrize("limit", [2, 1000])
def test_users_who_would_not_change_are_neither_counted_nor_named(
    superuser: StaffClient, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    monkeypatch.setattr(user_actions, "MAX_USERS", limit)
    insert_users(superuser.app, 2)
    off = [make_user(superuser.app, email=f"crowd.off{n}@example.com", password=None) for n in range(2)]
    superuser.post(ACTION_PATH, action="deactivate", user=off, confirmed="1")

    text = superuser.post(ACTION_PATH, action="activate", all="true", query="search=crowd").text

    assert "Activate 2 users?" in text
    assert listed_emails(text) == ["crowd.off0@example.com", "crowd.off1@example.com"]
    assert "more</li>" not in text


def test_skipped_users_are_neither_counted_nor_named(superuser: StaffClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(user_actions, "MAX_USERS", 2)
    helper = staff_client(
        superuser.app, is_staff=True, permissions=("view_user", "change_user"), email="crowd.helper@example.com"
    )
    insert_users(superuser.app, 3)

    text = helper.post(ACTION_PATH, action="deactivate", all="true", query="search=crowd").text

    assert "Deactivate 3 users?" in text
    assert listed_emails(text) == ["crowd0@example.com", "crowd1@example.com", "crowd2@example.com"]
    assert "more</li>" not in text


def test_the_list_ends_with_the_number_of_further_users(
    superuser: StaffClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(user_actions, "MAX_USERS", 2)
    monkeypatch.setattr(user_actions, "MAX_LISTED", 3)
    insert_users(superuser.app, 7)

    text = superuser.post(ACTION_PATH, action="deactivate", all="true", query="search=crowd").text

    assert "Deactivate 7 users?" in text
    assert len(listed_emails(text)) == 3
    assert "and 4 more" in text


@pytest.mark.parametrize(
    ("action", "one", "several"),
    [
        ("activate", "This user will be able", "These users will be able"),
        ("deactivate", "This user will be signed out", "These users will be signed out"),
        ("end_sessions", "This user will be signed out", "These users will be signed out"),
        ("send_reset", "The user gets an email", "Each active user gets an email"),
        (
            "delete",
            "The profile, sessions and email links of this user",
            "The profiles, sessions and email links of",
        ),
    ],
)
def test_the_warning_is_about_one_user_or_several(superuser: StaffClient, action: str, one: str, several: str) -> None:
    users = [make_user(superuser.app, is_active=action != "activate") for _number in range(2)]

    assert one in superuser.post(ACTION_PATH, action=action, user=users[:1]).text
    assert several in superuser.post(ACTION_PATH, action=action, user=users).text
