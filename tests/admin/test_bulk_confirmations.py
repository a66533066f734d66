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
def boss(app: Flask) -> StaffClient:
    return staff_client(app, is_staff=True, is_superuser=True, last_name="Tidewater", email="crowd.boss@example.com")


def named(text: str) -> list[str]:
    return re.findall(r"<li>(crowd[^<]*)</li>", text)


@pytest.mark.parametrize("most", [2, 1000])
def test_users_whom_the_action_does_not_concern_are_neither_counted_nor_named(
    boss: StaffClient, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(user_actions, "MAX_USERS", most)
    insert_users(boss.app, 2)
    off = [make_user(boss.app, email=f"crowd.off{n}@example.com", password=None) for n in range(2)]
    boss.post(ACTION_PATH, action="deactivate", user=off, confirmed="1")

    text = boss.post(ACTION_PATH, action="activate", all="true", query="search=crowd").text

    assert "Activate 2 users?" in text
    assert named(text) == ["crowd.off0@example.com", "crowd.off1@example.com"]
    assert "more</li>" not in text


def test_users_who_are_left_out_are_neither_counted_nor_named(
    boss: StaffClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(user_actions, "MAX_USERS", 2)
    helper = staff_client(
        boss.app, is_staff=True, permissions=("view_user", "change_user"), email="crowd.helper@example.com"
    )
    insert_users(boss.app, 3)

    text = helper.post(ACTION_PATH, action="deactivate", all="true", query="search=crowd").text

    assert "Deactivate 3 users?" in text
    assert named(text) == ["crowd0@example.com", "crowd1@example.com", "crowd2@example.com"]
    assert "more</li>" not in text


def test_the_list_ends_with_how_many_more_are_changed(boss: StaffClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(user_actions, "MAX_USERS", 2)
    monkeypatch.setattr(user_actions, "MAX_LISTED", 3)
    insert_users(boss.app, 7)

    text = boss.post(ACTION_PATH, action="deactivate", all="true", query="search=crowd").text

    assert "Deactivate 7 users?" in text
    assert len(named(text)) == 3
    assert "and 4 more" in text
