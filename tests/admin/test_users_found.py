"""The list of users on the staff site: found, narrowed, turned over, and inert whatever is in it."""

import re
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from tests.support.factories import make_user
from tests.support.staff_client import StaffClient, staff_client
from tests.support.staff_imports import run_import_jobs, upload_import
from userapi.admin import users
from userapi.core import clock
from userapi.core.db import db
from userapi.users.models import User, UserProfile

pytestmark = pytest.mark.both

HOSTILE = "<script>alert(1)</script>\"'{{ 7*7 }}"


@pytest.fixture
def boss(app: Flask) -> StaffClient:
    return staff_client(app, is_staff=True, is_superuser=True)


def listed(at: StaffClient, **query: Any) -> list[str]:
    """The emails on a page of the list."""
    text = at.get("/admin/users/", query_string=query).text
    return re.findall(r'<th scope="row"><a href="[^"]*">([^<]*@[^<]*)</a>', text)


def test_the_list_finds_by_the_beginning_of_email_and_names(boss: StaffClient) -> None:
    make_user(boss.app, email="ada@example.com", first_name="Ada", last_name="Byron")
    make_user(boss.app, email="kay@example.com", first_name="Kay", last_name="McNulty")

    assert listed(boss, search="ada") == ["ada@example.com"]
    assert listed(boss, search="mcn KAY") == ["kay@example.com"]
    assert listed(boss, search="nobody") == []


def test_the_list_finds_by_username_and_id(boss: StaffClient) -> None:
    """F17."""
    ada = make_user(boss.app, email="ada@example.com", username="Countess_Zoë", last_name="Byron")
    make_user(boss.app, email="kay@example.com", username="k4", last_name=str(ada))
    path = f"/admin/users/{ada}/"

    assert listed(boss, search="countess_z") == ["ada@example.com"]
    assert listed(boss, search="COUNTESS_ZOË byr") == ["ada@example.com"]
    assert sorted(listed(boss, search=str(ada))) == ["ada@example.com", "kay@example.com"]
    assert listed(boss, search=f"{ada} byron") == ["ada@example.com"]
    assert listed(boss, search="9" * 30) == []
    boss.post(path, **{**boss.form(path), "username": "Duchess"})
    assert listed(boss, search="countess") == []
    assert listed(boss, search="duch") == ["ada@example.com"]
    boss.post(path, **{**boss.form(path), "username": ""})
    assert listed(boss, search="duch") == []


def test_imported_and_made_up_users_are_found_by_their_username(boss: StaffClient) -> None:
    upload_import(boss, "email,username\nada@example.com,Countess\n", dry_run="")
    run_import_jobs(boss.app)
    upload_import(boss, "email,username\nada@example.com,Duchess\n", dry_run="", on_conflict="update")
    run_import_jobs(boss.app)
    boss.app.test_cli_runner().invoke(args=["users", "seed", "1"])
    with boss.app.app_context():
        username = db.session.scalar(sa.select(User.username).order_by(User.id.desc()).limit(1))

    assert listed(boss, search="duchess") == ["ada@example.com"]
    assert listed(boss, search="countess") == []
    assert len(listed(boss, search=str(username).upper())) == 1


def test_the_api_search_does_not_look_at_usernames_and_ids(boss: StaffClient) -> None:
    user_id = make_user(boss.app, username="countess")

    for word in ("countess", str(user_id)):
        found = boss.client.get("/userapi/users/", query_string={"search": word}).get_json()
        assert found["results"] == []


def countries(at: StaffClient, **query: str) -> dict[str, str]:
    """The options of the filter by country: value and label."""
    text = at.get("/admin/users/", query_string=query).text.partition('name="country"')[2].partition("</div>")[0]
    return dict(re.findall(r'<option value="([^"]+)"[^>]*>([^<]*)<', text))


def test_the_countries_in_use_can_be_chosen_and_are_counted(boss: StaffClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """F17."""
    for country in ("Norway", "Norway", "norway", "Chile"):
        user_id = make_user(boss.app)
        with boss.app.app_context():
            db.session.execute(sa.update(UserProfile).where(UserProfile.user_id == user_id).values(country=country))
            db.session.commit()

    found = {"Chile": "Chile (1)", "Norway": "Norway (2)", "norway": "norway (1)"}
    assert countries(boss) == {**found, "United Kingdom": "United Kingdom (1)"}
    assert countries(boss, country="Peru")["Peru"] == "Peru (0)"
    monkeypatch.setattr(users, "MAX_COUNTED", 1)
    assert countries(boss)["Norway"] == "Norway (1+)"
    monkeypatch.setattr(users, "MAX_COUNTRIES", 2)
    assert countries(boss) == {}
    assert "Exactly as in the profile" in boss.get("/admin/users/").text
    assert len(listed(boss, country="Norway")) == 2


def test_the_list_is_narrowed_by_every_filter(boss: StaffClient) -> None:
    app = boss.app
    with_group = make_user(app, email="grouped@example.com")
    off = make_user(app, email="off@example.com")
    make_user(app, email="staff@example.com", is_staff=True, email_verified=True)
    boss.post("/admin/groups/new/", name="Readers")
    with app.app_context():
        group = db.session.scalar(sa.text("SELECT id FROM groups WHERE name = 'Readers'"))
        db.session.execute(
            sa.text("INSERT INTO user_groups VALUES (:user, :group)"), {"user": with_group, "group": group}
        )
        db.session.execute(sa.text("UPDATE users SET is_active = false WHERE id = :id"), {"id": off})
        db.session.execute(sa.text("UPDATE user_profiles SET country = 'Chile' WHERE user_id = :id"), {"id": off})
        db.session.commit()
    today, tomorrow = clock.today(), clock.today() + timedelta(days=1)

    assert listed(boss, is_active="false") == ["off@example.com"]
    assert listed(boss, is_staff="true", is_superuser="false") == ["staff@example.com"]
    assert listed(boss, email_verified="true") == ["staff@example.com"]
    assert listed(boss, country="Chile") == ["off@example.com"]
    assert listed(boss, group=group) == ["grouped@example.com"]
    assert len(listed(boss, joined_from=today, joined_to=today)) == 4
    assert listed(boss, joined_from=tomorrow) == []


def test_the_list_turns_its_pages_both_ways(boss: StaffClient) -> None:
    for number in range(60):
        make_user(boss.app, email=f"user{number:02}@example.com", password=None, profile=None)

    first = boss.get("/admin/users/?ordering=email").text
    following = first.partition('rel="next" href="?')[2].partition('"')[0].replace("&amp;", "&")
    second = boss.get(f"/admin/users/?{following}").text

    assert "user00@" in first
    assert "user59@" not in first
    assert "user59@" in second
    assert 'rel="prev"' in second
    assert 'rel="next"' not in second


def test_A09_a_page_of_the_list_costs_as_much_for_fifty_as_for_one(boss: StaffClient) -> None:
    def statements() -> int:
        seen: list[str] = []
        with boss.app.app_context():
            engines = list(db.engines.values())
        note = lambda *arguments: seen.append(arguments[2])  # noqa: E731
        for engine in engines:
            sa.event.listen(engine, "before_cursor_execute", note)
        assert boss.get("/admin/users/").status_code == 200
        for engine in engines:
            sa.event.remove(engine, "before_cursor_execute", note)
        return len(seen)

    boss.get("/admin/users/")
    few = statements()
    for _number in range(30):
        make_user(boss.app, password=None)

    assert statements() == few


def test_A04_what_people_type_is_inert_wherever_staff_see_it(boss: StaffClient) -> None:
    user_id = make_user(boss.app, first_name=HOSTILE, last_name=HOSTILE, username=HOSTILE[:50])
    path = f"/admin/users/{user_id}/"
    form = boss.form(path)
    boss.post(path, **{**form, "first_name": HOSTILE + "2", "profile.address": HOSTILE})
    boss.post("/admin/groups/new/", name=HOSTILE)

    for page in ("/admin/", "/admin/users/", path, f"{path}history/", "/admin/groups/", "/admin/audit/"):
        text = boss.get(page, query_string={"search": HOSTILE, "country": HOSTILE}).text
        assert "<script>alert" not in text, page
        assert "49" not in text.replace(str(user_id), "") or "{{ 7*7 }}" in text, page
    assert "&lt;script&gt;alert(1)" in boss.get(f"{path}history/").text
