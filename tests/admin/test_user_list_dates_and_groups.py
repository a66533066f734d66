"""Filters of the user list by the last sign-in, by periods of joining, and for users without a group."""

import re
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from tests.support.factories import make_user
from tests.support.staff_client import NEW_PASSWORD, StaffClient, staff_client
from userapi.core import clock
from userapi.core.db import db
from userapi.users.group_models import Group
from userapi.users.models import User

pytestmark = pytest.mark.both

LIST = "/admin/users/"


@pytest.fixture
def boss(app: Flask) -> StaffClient:
    return staff_client(app, is_staff=True, is_superuser=True, email="boss@example.com")


def set_times(app: Flask, user_id: int, **columns: Any) -> None:
    with app.app_context():
        db.session.execute(sa.update(User).where(User.id == user_id).values(columns))
        db.session.commit()


def listed(boss: StaffClient, query: str) -> list[str]:
    text = boss.get(f"{LIST}?{query}").text
    return re.findall(r'<th scope="row"><a [^>]*>([^<]*@[^<]*)</a>', text)


def test_the_list_is_filtered_by_the_last_sign_in(boss: StaffClient) -> None:
    today = clock.now()
    for email, days in (("recent", 1), ("earlier", 40)):
        user_id = make_user(boss.app, email=f"{email}@example.com")
        set_times(boss.app, user_id, last_login=today - timedelta(days=days))
    make_user(boss.app, email="never@example.com")
    day = f"{today - timedelta(days=20):%Y-%m-%d}"

    assert sorted(listed(boss, f"signed_in_from={day}")) == ["boss@example.com", "recent@example.com"]
    assert listed(boss, f"signed_in_to={day}") == ["earlier@example.com"]
    assert listed(boss, "has_signed_in=false") == ["never@example.com"]
    assert "never@example.com" not in listed(boss, "has_signed_in=true&search=example")
    assert "No users found." in boss.get(f"{LIST}?signed_in_from=yesterday").text


def test_the_quick_filter_counts_users_who_never_signed_in(boss: StaffClient) -> None:
    make_user(boss.app, email="never@example.com")

    chip = re.search(r'has_signed_in=false">Never signed in(.*?)</a>', boss.get(LIST).text, re.DOTALL)

    assert chip is not None
    assert "1" in chip[1]


def test_links_list_who_joined_in_the_last_days(boss: StaffClient) -> None:
    old = make_user(boss.app, email="old@example.com")
    set_times(boss.app, old, date_joined=clock.now() - timedelta(days=800))
    week = re.search(r'href="\?([^"]*)">Past 7 days', boss.get(f"{LIST}?is_active=true&joined_to=2001-01-01").text)

    assert week is not None
    assert listed(boss, unescape(week[1])) == ["boss@example.com"]
    assert "is_active=true" in week[1]
    assert "joined_to" not in week[1]


def test_users_without_a_group_are_listed(boss: StaffClient) -> None:
    boss.post("/admin/groups/new/", name="Editors")
    with boss.app.app_context():
        group = db.session.scalar(sa.select(Group.id).where(Group.name == "Editors"))
    member = make_user(boss.app, email="member@example.com")
    path = f"{LIST}{member}/access/"
    boss.post(path, **{**boss.form(path), "groups": str(group)})
    make_user(boss.app, email="other@example.com", joins_staff_group=False)

    assert listed(boss, f"group={group}") == ["member@example.com"]
    assert "member@example.com" not in listed(boss, "group=none")
    assert "other@example.com" in listed(boss, "group=none")
    assert listed(boss, "group=none&search=other") == ["other@example.com"]


def test_staff_add_one_user_after_the_other(boss: StaffClient) -> None:
    fields = {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD, "another": "true"}
    added = boss.post(f"{LIST}new/", email="new@example.com", back="is_active=true", **fields)

    assert added.headers["Location"].endswith("/admin/users/new/?back=is_active%3Dtrue")
    assert "new@example.com was added." in boss.get(added.headers["Location"]).text
    user_id = make_user(boss.app)
    path = f"{LIST}{user_id}/"
    saved = boss.post(path, **{**boss.form(path), "first_name": "Zoë", "another": "true"})
    assert saved.headers["Location"].endswith("/admin/users/new/")


def test_staff_who_may_not_add_users_are_not_offered_to(app: Flask) -> None:
    editor = staff_client(app, is_staff=True, permissions=("view_user", "change_user"))
    path = f"{LIST}{make_user(app)}/"

    assert "Save and add another" not in editor.get(path).text
    saved = editor.post(path, **{**editor.form(path), "first_name": "Zoë", "another": "true"})
    assert saved.headers["Location"].endswith(LIST)


def test_staff_open_their_own_recent_actions_from_their_menu(boss: StaffClient) -> None:
    boss.post("/admin/groups/new/", name="Editors")
    link = re.search(r'href="([^"]*)">(?:(?!</a>).)*Your recent actions', boss.get(LIST).text, re.DOTALL)

    assert link is not None
    assert "Group created" in boss.get(unescape(link[1])).text
