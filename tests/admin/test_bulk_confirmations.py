"""The confirmation of a bulk action counts and names the users who will be changed, and no others."""

import re

import pytest
from bulk_desk import ACT, make_crowd
from desk import Clerk, clerk
from factories import make_user
from flask import Flask

from userapi.admin import user_actions


@pytest.fixture
def boss(app: Flask) -> Clerk:
    return clerk(app, is_staff=True, is_superuser=True, last_name="Tidewater", email="crowd.boss@example.com")


def named(text: str) -> list[str]:
    return re.findall(r"<li>(crowd[^<]*)</li>", text)


@pytest.mark.parametrize("most", [2, 1000])
def test_users_whom_the_action_does_not_concern_are_neither_counted_nor_named(
    boss: Clerk, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(user_actions, "MOST", most)
    make_crowd(boss.app, 2)
    off = [make_user(boss.app, email=f"crowd.off{n}@example.com", password=None) for n in range(2)]
    boss.post(ACT, action="deactivate", user=off, confirmed="1")

    text = boss.post(ACT, action="activate", all="true", query="search=crowd").text

    assert "Activate 2 users?" in text
    assert named(text) == ["crowd.off0@example.com", "crowd.off1@example.com"]
    assert "more</li>" not in text


def test_users_who_are_left_out_are_neither_counted_nor_named(boss: Clerk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(user_actions, "MOST", 2)
    helper = clerk(boss.app, is_staff=True, rights=("view_user", "change_user"), email="crowd.helper@example.com")
    make_crowd(boss.app, 3)

    text = helper.post(ACT, action="deactivate", all="true", query="search=crowd").text

    assert "Deactivate 3 users?" in text
    assert named(text) == ["crowd0@example.com", "crowd1@example.com", "crowd2@example.com"]
    assert "more</li>" not in text


def test_the_list_ends_with_how_many_more_are_changed(boss: Clerk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(user_actions, "MOST", 2)
    monkeypatch.setattr(user_actions, "NAMED", 3)
    make_crowd(boss.app, 7)

    text = boss.post(ACT, action="deactivate", all="true", query="search=crowd").text

    assert "Deactivate 7 users?" in text
    assert len(named(text)) == 3
    assert "and 4 more" in text
