"""Accounts through the staff site: found, added, edited, set right, deleted."""

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from desk import Clerk, clerk, grant, permission_id, sign_in, value
from factories import PASSWORD, make_user
from flask import Flask

from userapi.core import clock
from userapi.core.db import db

NEW_PASSWORD = "harbour lantern 42 quiet"
HOSTILE = "<script>alert(1)</script>\"'{{ 7*7 }}"


@pytest.fixture
def boss(app: Flask) -> Clerk:
    return clerk(app, is_staff=True, is_superuser=True)


@pytest.fixture
def helper(app: Flask) -> Clerk:
    """Staff who may look after users, and nothing else."""
    return clerk(app, is_staff=True, rights=("view_user", "add_user", "change_user", "delete_user"))


# --- Finding ----------------------------------------------------------------------------------------------


def listed(at: Clerk, **query: Any) -> list[str]:
    """The emails on a page of the list."""
    text = at.get("/admin/users/", query_string=query).text
    return [part.partition("<")[0] for part in text.split('/">')[1:] if "@" in part.partition("<")[0]]


def test_the_list_finds_by_the_beginning_of_email_and_names(boss: Clerk) -> None:
    make_user(boss.app, email="ada@example.com", first_name="Ada", last_name="Byron")
    make_user(boss.app, email="kay@example.com", first_name="Kay", last_name="McNulty")

    assert listed(boss, search="ada") == ["ada@example.com"]
    assert listed(boss, search="mcn KAY") == ["kay@example.com"]
    assert listed(boss, search="nobody") == []


def test_the_list_is_narrowed_by_every_filter(boss: Clerk) -> None:
    app = boss.app
    with_group = make_user(app, email="grouped@example.com")
    off = make_user(app, email="off@example.com")
    make_user(app, email="staff@example.com", is_staff=True, email_verified=True)
    boss.post("/admin/groups/new/", name="Readers")
    with app.app_context():
        group = db.session.scalar(sa.text("SELECT id FROM groups"))
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


def test_the_list_turns_its_pages_both_ways(boss: Clerk) -> None:
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


def test_A09_a_page_of_the_list_costs_as_much_for_fifty_as_for_one(boss: Clerk) -> None:
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


def test_A04_what_people_type_is_inert_wherever_staff_see_it(boss: Clerk) -> None:
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


# --- Adding -----------------------------------------------------------------------------------------------


def test_adding_takes_two_steps_and_the_password_policy(boss: Clerk) -> None:
    weak = boss.post("/admin/users/new/", email="new@example.com", password1="password1", password2="password1")
    differing = boss.post("/admin/users/new/", email="new@example.com", password1=NEW_PASSWORD, password2="x")
    taken = boss.post("/admin/users/new/", email=boss.email.upper(), password1=NEW_PASSWORD, password2=NEW_PASSWORD)
    no_address = boss.post("/admin/users/new/", email="new", password1=NEW_PASSWORD, password2=NEW_PASSWORD)

    assert [answer.status_code for answer in (weak, differing, taken, no_address)] == [400] * 4
    assert "most common passwords" in weak.text
    assert "The two passwords differ." in differing.text
    assert "already in use" in taken.text
    assert "password1" not in weak.text.replace('name="password1"', "").replace('"password1', "").replace(
        "#password1", ""
    )

    added = boss.post("/admin/users/new/", email="new@example.com", password1=NEW_PASSWORD, password2=NEW_PASSWORD)

    assert added.status_code == 303
    assert boss.get(added.headers["Location"]).status_code == 200
    user_id = int(added.headers["Location"].rstrip("/").rpartition("/")[2])
    assert sign_in(boss.app, user_id, NEW_PASSWORD).email == "new@example.com"


def test_an_invitation_opens_an_account_without_a_password_and_mails_a_link(boss: Clerk) -> None:
    added = boss.post("/admin/users/new/", email="guest@example.com", invite="true")

    assert added.status_code == 303
    with boss.app.app_context():
        assert db.session.execute(sa.text("SELECT kind, recipient FROM messages")).all() == [
            ("reset_password", "guest@example.com")
        ]
        assert db.session.scalar(sa.text("SELECT password_hash FROM users WHERE email = 'guest@example.com'")) is None


# --- Editing ----------------------------------------------------------------------------------------------


def test_A13_a_change_is_saved_and_told_field_by_field(boss: Clerk) -> None:
    user_id = make_user(boss.app, first_name="Zoe")
    path = f"/admin/users/{user_id}/"

    answer = boss.post(path, **{**boss.form(path), "first_name": "Zoë", "profile.city": "Bristol"})

    assert answer.status_code == 303
    history = boss.get(f"{path}history/").text
    assert "<del>Zoe</del>" in history
    assert "<ins>Zoë</ins>" in history
    assert "<dt>profile.city</dt><dd><del>Bath</del>" in history
    assert boss.email in history
    assert "profile.zip" not in history


def test_a_form_sent_back_untouched_changes_nothing(boss: Clerk) -> None:
    user_id = make_user(boss.app)
    path = f"/admin/users/{user_id}/"

    assert boss.post(path, **boss.form(path)).status_code == 303

    assert "user.changed" not in boss.get(f"{path}history/").text


def test_a_profile_is_optional_until_something_of_it_is_filled_in(boss: Clerk) -> None:
    user_id = make_user(boss.app, profile=None)
    path = f"/admin/users/{user_id}/"
    form = boss.form(path)
    whole = {
        "title": "Dr",
        "dob": "1980-02-29",
        "address": "1 Main St",
        "country": "Peru",
        "city": "Lima",
        "zip": "15001",
    }

    assert boss.post(path, **{**form, "first_name": "Only"}).status_code == 303
    half = boss.post(path, **{**boss.form(path), "profile.city": "Lima"})
    assert boss.post(path, **{**boss.form(path), **{f"profile.{k}": v for k, v in whole.items()}}).status_code == 303
    emptied = boss.post(path, **{**boss.form(path), "profile.city": ""})

    assert half.status_code == 400
    assert 'id="profile-dob-error"' in half.text
    assert 'value="Lima"' in half.text
    assert emptied.status_code == 400


def test_two_who_edit_one_user_do_not_overwrite_each_other(boss: Clerk) -> None:
    second = clerk(boss.app, is_staff=True, is_superuser=True)
    user_id = make_user(boss.app, first_name="Before")
    path = f"/admin/users/{user_id}/"
    mine, theirs = boss.form(path), second.form(path)

    assert second.post(path, **{**theirs, "first_name": "Theirs"}).status_code == 303
    clash = boss.post(path, **{**mine, "last_name": "Mine"})

    assert clash.status_code == 409
    assert "Somebody changed this user meanwhile" in clash.text
    assert "Theirs" in clash.text
    assert (value(boss.app, user_id, "first_name"), value(boss.app, user_id, "last_name")) == ("Theirs", "Okafor")


def test_who_saves_after_a_clash_keeps_what_the_other_has_changed(boss: Clerk) -> None:
    second = clerk(boss.app, is_staff=True, is_superuser=True)
    user_id = make_user(boss.app, first_name="Before")
    path = f"/admin/users/{user_id}/"
    mine = boss.form(path)
    second.post(path, **{**second.form(path), "first_name": "Theirs"})
    clash = boss.post(path, **{**mine, "last_name": "Mine"})

    saved = boss.post(path, **boss.fields(clash.text))

    assert saved.status_code == 303
    assert (value(boss.app, user_id, "first_name"), value(boss.app, user_id, "last_name")) == ("Theirs", "Mine")


def test_a_sign_in_between_is_no_clash(boss: Clerk) -> None:
    user_id = make_user(boss.app)
    path = f"/admin/users/{user_id}/"
    form = boss.form(path)
    sign_in(boss.app, user_id)

    assert boss.post(path, **{**form, "last_name": "Mine"}).status_code == 303


def test_a_name_changes_in_the_list_unless_somebody_was_quicker(boss: Clerk) -> None:
    user_id = make_user(boss.app, first_name="Old")
    path = f"/admin/users/{user_id}/field/"

    saved = boss.post(path, name="first_name", value="New", seen="Old", headers={"Accept": "application/json"})
    late = boss.post(path, name="first_name", value="Late", seen="Old", headers={"Accept": "application/json"})
    long = boss.post(path, name="first_name", value="x" * 151, seen="New", headers={"Accept": "application/json"})
    other = boss.post(path, name="is_superuser", value="true", seen="False", headers={"Accept": "application/json"})

    assert saved.get_json() == {"value": "New"}
    assert (late.status_code, late.get_json()["code"]) == (409, "changed_meanwhile")
    assert long.status_code == 400
    assert other.status_code == 404
    assert value(boss.app, user_id, "first_name") == "New"


# --- Power ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("flag", ["is_staff", "is_superuser"])
def test_only_a_superuser_gives_power(boss: Clerk, helper: Clerk, flag: str) -> None:
    user_id = make_user(boss.app)
    path = f"/admin/users/{user_id}/"

    helper.post(path, **{**helper.form(path), flag: "true", "first_name": "Seen"})
    assert (value(boss.app, user_id, flag), value(boss.app, user_id, "first_name")) == (False, "Seen")

    boss.post(path, **{**boss.form(path), flag: "true"})
    assert value(boss.app, user_id, flag) is True


@pytest.mark.parametrize("act", ["", "password/", "delete/", "field/"])
def test_staff_who_are_no_superuser_cannot_touch_one(boss: Clerk, helper: Clerk, act: str) -> None:
    path = f"/admin/users/{boss.id}/{act}"
    fields = {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD, "name": "first_name", "value": "X", "seen": "Wren"}

    answer = helper.post(path, **{**boss.form(f"/admin/users/{boss.id}/"), **fields})

    assert answer.status_code == 403
    assert value(boss.app, boss.id, "first_name") == "Wren"
    assert boss.get("/admin/").status_code == 200


@pytest.mark.parametrize("act", ["", "password/", "delete/", "field/"])
def test_staff_cannot_become_staff_with_more_rights(boss: Clerk, helper: Clerk, act: str) -> None:
    richer = clerk(boss.app, is_staff=True, rights=("view_user", "change_user", "change_group"))
    equal = clerk(boss.app, is_staff=True, rights=("view_user", "change_user"))
    fields = {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD, "name": "first_name", "value": "X", "seen": "Wren"}

    def attempt(target: Clerk) -> int:
        sent = fields if act else {**helper.form(f"/admin/users/{target.id}/"), "email": "mine@example.com"}
        return helper.post(f"/admin/users/{target.id}/{act}", **sent).status_code

    assert attempt(richer) == 403
    assert attempt(equal) in (200, 303)
    assert sign_in(boss.app, richer.id).id == richer.id


def test_nobody_gives_a_permission_that_they_lack(boss: Clerk, helper: Clerk) -> None:
    user_id = make_user(boss.app)
    path = f"/admin/users/{user_id}/"
    lacking, held = permission_id(boss.app, "delete_group"), permission_id(boss.app, "view_user")
    boss.post("/admin/groups/new/", name="Powerful", permissions=lacking)
    with boss.app.app_context():
        group = db.session.scalar(sa.text("SELECT id FROM groups"))
    form = helper.form(path)

    assert helper.post(path, **{**form, "permissions": [held, lacking]}).status_code == 403
    assert helper.post(path, **{**form, "groups": group}).status_code == 403
    assert helper.post(path, **{**form, "permissions": held}).status_code == 303
    assert helper.post(path, **{**helper.form(path), "permissions": []}).status_code == 303
    assert boss.post(path, **{**boss.form(path), "permissions": [held, lacking], "groups": group}).status_code == 303


def test_a_limited_save_leaves_the_rights_that_it_cannot_touch(boss: Clerk, helper: Clerk) -> None:
    user_id = make_user(boss.app)
    grant(boss.app, user_id, "delete_group")
    path = f"/admin/users/{user_id}/"

    assert helper.post(path, **{**helper.form(path), "first_name": "Kept"}).status_code == 303

    with boss.app.app_context():
        assert (
            db.session.scalar(sa.text("SELECT count(*) FROM user_permissions WHERE user_id = :id"), {"id": user_id})
            == 1
        )


def test_A12_the_last_superuser_stays(boss: Clerk) -> None:
    path = f"/admin/users/{boss.id}/"
    form = boss.form(path)

    demoted = boss.post(path, **{name: text for name, text in form.items() if name != "is_superuser"})
    deactivated = boss.post(path, **{name: text for name, text in form.items() if name != "is_active"})
    deleted = boss.post(f"{path}delete/")
    in_bulk = boss.post("/admin/users/act/", action="deactivate", user=boss.id, confirmed="1")

    for answer in (demoted, deactivated, deleted, in_bulk):
        assert answer.status_code == 409
        assert "last active superuser" in answer.text
    clerk(boss.app, is_staff=True, is_superuser=True)
    assert boss.post(f"{path}delete/").status_code == 303


# --- Password and farewell --------------------------------------------------------------------------------


def test_A08_the_password_page_tells_the_kind_and_cost_and_nothing_of_the_hash(boss: Clerk) -> None:
    user_id = make_user(boss.app)
    stored = value(boss.app, user_id, "password_hash")

    text = boss.get(f"/admin/users/{user_id}/password/").text

    assert "argon2id: 0.0078125 MiB, 1 passes" in text
    for part in stored.split("$")[4:]:
        assert part not in text


def test_A08_no_page_and_no_export_holds_a_hash(boss: Clerk) -> None:
    user_id = make_user(boss.app)
    stored = str(value(boss.app, user_id, "password_hash")).rpartition("$")[2]
    pages = [
        "/admin/",
        "/admin/users/",
        f"/admin/users/{user_id}/",
        f"/admin/users/{user_id}/history/",
        "/admin/audit/",
    ]

    texts = [boss.get(page).text for page in pages]
    texts += [boss.post("/admin/users/act/", action=name, all="1").text for name in ("export_csv", "export_jsonl")]

    for text in texts:
        assert stored not in text
        assert "password_hash" not in text


def test_A08_a_password_is_set_by_typing_it_twice_under_the_policy(boss: Clerk) -> None:
    victim = clerk(boss.app)
    path = f"/admin/users/{victim.id}/password/"

    assert boss.post(path, password1="12345678", password2="12345678").status_code == 400
    assert boss.post(path, password1=NEW_PASSWORD, password2=NEW_PASSWORD + "x").status_code == 400
    assert victim.get("/account/").status_code == 200
    assert boss.post(path, password1=NEW_PASSWORD, password2=NEW_PASSWORD).status_code == 303

    assert victim.get("/account/").status_code == 303
    assert sign_in(boss.app, victim.id, NEW_PASSWORD).id == victim.id
    assert NEW_PASSWORD not in boss.get(f"/admin/users/{victim.id}/history/").text


def test_deleting_shows_first_what_goes_along(boss: Clerk) -> None:
    victim = clerk(boss.app)
    path = f"/admin/users/{victim.id}/delete/"

    shown = boss.get(path).text

    assert "Profile: <strong>1</strong>" in shown
    assert "Sessions: <strong>1</strong>" in shown
    assert value(boss.app, victim.id, "id") == victim.id
    assert boss.post(path).status_code == 303
    assert boss.get(path).status_code == 404
    assert "user.deleted" in boss.get(f"/admin/audit/?target={victim.id}").text


def test_A15_grave_acts_ask_for_the_password_when_the_sign_in_is_a_while_ago(
    boss: Clerk, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = make_user(boss.app), make_user(boss.app)
    later = clock.now() + timedelta(minutes=16)
    monkeypatch.setattr("userapi.core.clock.now", lambda: later)

    bare = boss.post(f"/admin/users/{first}/delete/")
    wrong = boss.post(f"/admin/users/{first}/delete/", own_password="not this one")
    power = boss.post(f"/admin/users/{first}/", **{**boss.form(f"/admin/users/{first}/"), "is_staff": "true"})
    export = boss.post("/admin/users/act/", action="export_csv", all="1")
    password = boss.post(f"/admin/users/{first}/password/", password1=NEW_PASSWORD, password2=NEW_PASSWORD)

    assert [answer.status_code for answer in (bare, wrong, power, export, password)] == [400, 400, 400, 200, 400]
    assert "Your own password" in export.text
    assert export.mimetype == "text/html"
    assert value(boss.app, first, "is_staff") is False
    assert boss.post(f"/admin/users/{first}/delete/", own_password=PASSWORD).status_code == 303
    assert boss.post(f"/admin/users/{second}/delete/").status_code == 303


def test_A15_another_sessions_proof_is_none(boss: Clerk, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = make_user(boss.app), make_user(boss.app)
    other = sign_in(boss.app, boss.id)
    later = clock.now() + timedelta(minutes=16)
    monkeypatch.setattr("userapi.core.clock.now", lambda: later)
    boss.post(f"/admin/users/{first}/delete/", own_password=PASSWORD)
    proof = boss.client.get_cookie("staff_notices", path="/admin/")
    assert proof is not None

    other.client.set_cookie("staff_notices", proof.value, path="/admin/")

    assert other.post(f"/admin/users/{second}/delete/").status_code == 400
    assert boss.post(f"/admin/users/{second}/delete/").status_code == 303
