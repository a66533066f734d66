"""The list of users on the staff site: search, filters, pagination, and hostile text."""

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
def superuser(app: Flask) -> StaffClient:
    return staff_client(app, is_staff=True, is_superuser=True)


def listed(at: StaffClient, **query: Any) -> list[str]:
    """The email addresses on a page of the list."""
    text = at.get("/admin/users/", query_string=query).text
    return re.findall(r'<th scope="row"><a [^>]*>([^<]*@[^<]*)</a>', text)


def test_the_search_finds_the_beginning_of_emails_and_names(superuser: StaffClient) -> None:
    make_user(superuser.app, email="ada@example.com", first_name="Ada", last_name="Byron")
    make_user(superuser.app, email="kay@example.com", first_name="Kay", last_name="McNulty")

    assert listed(superuser, search="ada") == ["ada@example.com"]
    assert listed(superuser, search="mcn KAY") == ["kay@example.com"]
    assert listed(superuser, search="unknown") == []


def test_the_search_finds_usernames_and_ids(superuser: StaffClient) -> None:
    """F17."""
    ada = make_user(superuser.app, email="ada@example.com", username="Countess_Zoë", last_name="Byron")
    make_user(superuser.app, email="kay@example.com", username="k4", last_name=str(ada))
    path = f"/admin/users/{ada}/"

    assert listed(superuser, search="countess_z") == ["ada@example.com"]
    assert listed(superuser, search="COUNTESS_ZOË byr") == ["ada@example.com"]
    assert sorted(listed(superuser, search=str(ada))) == ["ada@example.com", "kay@example.com"]
    assert listed(superuser, search=f"{ada} byron") == ["ada@example.com"]
    assert listed(superuser, search="9" * 30) == []
    superuser.post(path, **{**superuser.form(path), "username": "Duchess"})
    assert listed(superuser, search="countess") == []
    assert listed(superuser, search="duch") == ["ada@example.com"]
    superuser.post(path, **{**superuser.form(path), "username": ""})
    assert listed(superuser, search="duch") == []


def test_imported_and_seeded_users_are_found_by_their_username(superuser: StaffClient) -> None:
    upload_import(superuser, "email,username\nada@example.com,Countess\n", dry_run="")
    run_import_jobs(superuser.app)
    upload_import(superuser, "email,username\nada@example.com,Duchess\n", dry_run="", on_conflict="update")
    run_import_jobs(superuser.app)
    superuser.app.test_cli_runner().invoke(args=["users", "seed", "1"])
    with superuser.app.app_context():
        username = db.session.scalar(sa.select(User.username).order_by(User.id.desc()).limit(1))

    assert listed(superuser, search="duchess") == ["ada@example.com"]
    assert listed(superuser, search="countess") == []
    assert len(listed(superuser, search=str(username).upper())) == 1


def test_the_api_search_ignores_usernames_and_ids(superuser: StaffClient) -> None:
    user_id = make_user(superuser.app, username="countess")

    for word in ("countess", str(user_id)):
        found = superuser.client.get("/userapi/users/", query_string={"search": word}).get_json()
        assert found["results"] == []


def countries(at: StaffClient, **query: str) -> dict[str, str]:
    """The labels of the country filter, by value."""
    text = at.get("/admin/users/", query_string=query).text.partition('name="country"')[2].partition("</div>")[0]
    return dict(re.findall(r'<option value="([^"]+)"[^>]*>([^<]*)<', text))


def test_the_country_filter_lists_the_countries_in_use_with_counts(
    superuser: StaffClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F17."""
    for country in ("Norway", "Norway", "norway", "Chile"):
        user_id = make_user(superuser.app)
        with superuser.app.app_context():
            db.session.execute(sa.update(UserProfile).where(UserProfile.user_id == user_id).values(country=country))
            db.session.commit()

    found = {"Chile": "Chile (1)", "Norway": "Norway (2)", "norway": "norway (1)"}
    assert countries(superuser) == {**found, "United Kingdom": "United Kingdom (1)"}
    assert countries(superuser, country="Peru")["Peru"] == "Peru (0)"
    monkeypatch.setattr(users, "MAX_COUNTED", 1)
    assert countries(superuser)["Norway"] == "Norway (1+)"
    monkeypatch.setattr(users, "MAX_COUNTRIES", 2)
    assert countries(superuser) == {}
    assert "Exactly as in the profile" in superuser.get("/admin/users/").text
    assert len(listed(superuser, country="Norway")) == 2


def test_the_list_is_narrowed_by_every_filter(superuser: StaffClient) -> None:
    app = superuser.app
    with_group = make_user(app, email="grouped@example.com")
    off = make_user(app, email="off@example.com")
    make_user(app, email="staff@example.com", is_staff=True, email_verified=True)
    superuser.post("/admin/groups/new/", name="Readers")
    with app.app_context():
        group = db.session.scalar(sa.text("SELECT id FROM groups WHERE name = 'Readers'"))
        db.session.execute(
            sa.text("INSERT INTO user_groups VALUES (:user, :group)"), {"user": with_group, "group": group}
        )
        db.session.execute(sa.text("UPDATE users SET is_active = false WHERE id = :id"), {"id": off})
        db.session.execute(sa.text("UPDATE user_profiles SET country = 'Chile' WHERE user_id = :id"), {"id": off})
        db.session.commit()
    today, tomorrow = clock.today(), clock.today() + timedelta(days=1)

    assert listed(superuser, is_active="false") == ["off@example.com"]
    assert listed(superuser, is_staff="true", is_superuser="false") == ["staff@example.com"]
    assert listed(superuser, email_verified="true") == ["staff@example.com"]
    assert listed(superuser, country="Chile") == ["off@example.com"]
    assert listed(superuser, group=group) == ["grouped@example.com"]
    assert len(listed(superuser, joined_from=today, joined_to=today)) == 4
    assert listed(superuser, joined_from=tomorrow) == []


def test_the_list_is_paginated_in_both_directions(superuser: StaffClient) -> None:
    for number in range(60):
        make_user(superuser.app, email=f"user{number:02}@example.com", password=None, profile=None)

    first = superuser.get("/admin/users/?ordering=email").text
    following = first.partition('rel="next" href="?')[2].partition('"')[0].replace("&amp;", "&")
    second = superuser.get(f"/admin/users/?{following}").text

    assert "user00@" in first
    assert "user59@" not in first
    assert "user59@" in second
    assert 'rel="prev"' in second
    assert 'rel="next"' not in second


def test_A09_a_page_of_the_list_runs_as_many_statements_for_many_users_as_for_one(superuser: StaffClient) -> None:
    def statements() -> int:
        seen: list[str] = []
        with superuser.app.app_context():
            engines = list(db.engines.values())
        note = lambda *arguments: seen.append(arguments[2])  # noqa: E731
        for engine in engines:
            sa.event.listen(engine, "before_cursor_execute", note)
        assert superuser.get("/admin/users/").status_code == 200
        for engine in engines:
            sa.event.remove(engine, "before_cursor_execute", note)
        return len(seen)

    superuser.get("/admin/users/")
    few = statements()
    for _number in range(30):
        make_user(superuser.app, password=None)

    assert statements() == few


def test_A04_what_users_type_is_shown_as_text_wherever_staff_see_it(superuser: StaffClient) -> None:
    user_id = make_user(superuser.app, first_name=HOSTILE, last_name=HOSTILE, username=HOSTILE[:50])
    path = f"/admin/users/{user_id}/"
    form = superuser.form(path)
    superuser.post(path, **{**form, "first_name": HOSTILE + "2", "profile.address": HOSTILE})
    superuser.post("/admin/groups/new/", name=HOSTILE)

    for page in ("/admin/", "/admin/users/", path, f"{path}history/", "/admin/groups/", "/admin/audit/"):
        text = superuser.get(page, query_string={"search": HOSTILE, "country": HOSTILE}).text
        assert "<script>alert" not in text, page
        assert "49" not in text.replace(str(user_id), "") or "{{ 7*7 }}" in text, page
    assert "&lt;script&gt;alert(1)" in superuser.get(f"{path}history/").text
