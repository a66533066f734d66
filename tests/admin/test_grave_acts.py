"""Passwords set and accounts deleted by staff, and the proof that grave acts ask for."""

from datetime import timedelta

import pytest
from flask import Flask

from tests.support.factories import PASSWORD, make_user
from tests.support.staff_client import NEW_PASSWORD, StaffClient, sign_in_with_cookies, staff_client, stored_value
from userapi.core import clock


@pytest.fixture
def boss(app: Flask) -> StaffClient:
    return staff_client(app, is_staff=True, is_superuser=True)


def test_A08_the_password_page_tells_the_kind_and_cost_and_nothing_of_the_hash(boss: StaffClient) -> None:
    user_id = make_user(boss.app)
    stored = stored_value(boss.app, user_id, "password_hash")

    text = boss.get(f"/admin/users/{user_id}/password/").text

    assert "argon2id: 0.0078125 MiB, 1 passes" in text
    for part in stored.split("$")[4:]:
        assert part not in text


def test_A08_no_page_and_no_export_holds_a_hash(boss: StaffClient) -> None:
    user_id = make_user(boss.app)
    stored = str(stored_value(boss.app, user_id, "password_hash")).rpartition("$")[2]
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


def test_A08_a_password_is_set_by_typing_it_twice_under_the_policy(boss: StaffClient) -> None:
    victim = staff_client(boss.app)
    path = f"/admin/users/{victim.id}/password/"

    assert boss.post(path, password1="12345678", password2="12345678").status_code == 400
    assert boss.post(path, password1=NEW_PASSWORD, password2=NEW_PASSWORD + "x").status_code == 400
    assert victim.get("/account/").status_code == 200
    assert boss.post(path, password1=NEW_PASSWORD, password2=NEW_PASSWORD).status_code == 303

    assert victim.get("/account/").status_code == 303
    assert sign_in_with_cookies(boss.app, victim.id, NEW_PASSWORD).id == victim.id
    assert NEW_PASSWORD not in boss.get(f"/admin/users/{victim.id}/history/").text


def test_deleting_shows_first_what_goes_along(boss: StaffClient) -> None:
    victim = staff_client(boss.app)
    path = f"/admin/users/{victim.id}/delete/"

    shown = boss.get(path).text

    assert "Profile: <strong>1</strong>" in shown
    assert "Active sessions: <strong>1</strong>" in shown
    assert stored_value(boss.app, victim.id, "id") == victim.id
    assert boss.post(path).status_code == 303
    assert boss.get(path).status_code == 404
    assert "user.deleted" in boss.get(f"/admin/audit/?target={victim.id}").text


def test_A15_grave_acts_ask_for_the_password_when_the_sign_in_is_a_while_ago(
    boss: StaffClient, monkeypatch: pytest.MonkeyPatch
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
    assert "Your password" in export.text
    assert export.mimetype == "text/html"
    assert stored_value(boss.app, first, "is_staff") is False
    assert boss.post(f"/admin/users/{first}/delete/", own_password=PASSWORD).status_code == 303
    assert boss.post(f"/admin/users/{second}/delete/").status_code == 303


def test_A15_another_sessions_proof_is_none(boss: StaffClient, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = make_user(boss.app), make_user(boss.app)
    other = sign_in_with_cookies(boss.app, boss.id)
    later = clock.now() + timedelta(minutes=16)
    monkeypatch.setattr("userapi.core.clock.now", lambda: later)
    boss.post(f"/admin/users/{first}/delete/", own_password=PASSWORD)
    proof = boss.client.get_cookie("staff_reauthentication", path="/admin/")
    assert proof is not None

    other.client.set_cookie("staff_reauthentication", proof.value, path="/admin/")

    assert other.post(f"/admin/users/{second}/delete/").status_code == 400
    assert boss.post(f"/admin/users/{second}/delete/").status_code == 303
