"""Setting passwords and deleting users on the staff site, and the recent proof of identity before sensitive actions."""

from datetime import timedelta

import pytest
from flask import Flask

from tests.support.factories import PASSWORD, make_user
from tests.support.proofs import prove_and_continue, submit_shown_form
from tests.support.sql import fetch_number, fetch_rows
from tests.support.staff_client import (
    NEW_PASSWORD,
    StaffClient,
    permission_id,
    sign_in_with_cookies,
    staff_client,
    stored_value,
)
from tests.support.staff_imports import move_clock


@pytest.fixture
def superuser(app: Flask) -> StaffClient:
    return staff_client(app, is_staff=True, is_superuser=True)


def test_A08_the_password_page_shows_the_algorithm_and_cost_but_not_the_hash(superuser: StaffClient) -> None:
    user_id = make_user(superuser.app)
    stored = stored_value(superuser.app, user_id, "password_hash")

    text = superuser.get(f"/admin/users/{user_id}/password/").text

    assert "argon2id: 0.0078125 MiB, passes: 1" in text
    for part in stored.split("$")[4:]:
        assert part not in text


def test_A08_no_page_and_no_export_contains_a_hash(superuser: StaffClient) -> None:
    user_id = make_user(superuser.app)
    stored = str(stored_value(superuser.app, user_id, "password_hash")).rpartition("$")[2]
    pages = [
        "/admin/",
        "/admin/users/",
        f"/admin/users/{user_id}/",
        f"/admin/users/{user_id}/history/",
        "/admin/audit/",
    ]

    texts = [superuser.get(page).text for page in pages]
    texts += [superuser.post("/admin/users/act/", action=name, all="1").text for name in ("export_csv", "export_jsonl")]

    for text in texts:
        assert stored not in text
        assert "password_hash" not in text


def test_A08_a_new_password_is_typed_twice_and_must_match_the_policy(superuser: StaffClient) -> None:
    victim = staff_client(superuser.app)
    path = f"/admin/users/{victim.id}/password/"

    assert superuser.post(path, password1="12345678", password2="12345678").status_code == 400
    assert superuser.post(path, password1=NEW_PASSWORD, password2=NEW_PASSWORD + "x").status_code == 400
    assert victim.get("/account/").status_code == 200
    assert superuser.post(path, password1=NEW_PASSWORD, password2=NEW_PASSWORD).status_code == 303

    assert victim.get("/account/").status_code == 303
    assert sign_in_with_cookies(superuser.app, victim.id, NEW_PASSWORD).id == victim.id
    assert NEW_PASSWORD not in superuser.get(f"/admin/users/{victim.id}/history/").text


def test_the_delete_page_shows_what_is_deleted_with_the_user(superuser: StaffClient) -> None:
    victim = staff_client(superuser.app)
    path = f"/admin/users/{victim.id}/delete/"

    shown = superuser.get(path).text

    assert "Profile: <strong>1</strong>" in shown
    assert "Active sessions: <strong>1</strong>" in shown
    assert stored_value(superuser.app, victim.id, "id") == victim.id
    assert superuser.post(path).status_code == 303
    assert superuser.get(path).status_code == 404
    assert "user.deleted" in superuser.get(f"/admin/audit/?target={victim.id}").text


def test_A15_sensitive_actions_require_a_recent_proof(superuser: StaffClient, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = make_user(superuser.app), make_user(superuser.app)
    access = {**superuser.form(f"/admin/users/{first}/access/"), "is_staff": "true"}
    move_clock(monkeypatch, timedelta(minutes=16))

    delete = superuser.post(f"/admin/users/{first}/delete/")
    staff_status = superuser.post(f"/admin/users/{first}/access/", **access)
    export = superuser.post("/admin/users/act/", action="export_csv", all="1")
    password = superuser.post(f"/admin/users/{first}/password/", password1=NEW_PASSWORD, password2=NEW_PASSWORD)
    password_page = superuser.get(f"/admin/users/{first}/password/")

    assert [response.status_code for response in (delete, staff_status, export, password)] == [403] * 4
    assert password_page.headers["Location"] == f"/prove/?next=/admin/users/{first}/password/"
    assert export.mimetype == "text/html"
    assert stored_value(superuser.app, first, "is_staff") is False
    assert prove_and_continue(superuser.client, staff_status).status_code == 303
    assert stored_value(superuser.app, first, "is_staff") is True
    assert superuser.post(f"/admin/users/{second}/delete/").status_code == 303


def test_A15_a_form_that_was_kept_is_submitted_by_its_button_only(
    superuser: StaffClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    user_id = make_user(superuser.app)
    move_clock(monkeypatch, timedelta(minutes=16))
    question = superuser.post(f"/admin/users/{user_id}/delete/")

    wrong = submit_shown_form(superuser.client, question, password="not this one")
    proved = submit_shown_form(superuser.client, wrong, password=PASSWORD)

    assert (wrong.status_code, proved.status_code) == (401, 200)
    assert stored_value(superuser.app, user_id, "id") == user_id
    assert submit_shown_form(superuser.client, proved).status_code == 303
    assert stored_value(superuser.app, user_id, "id") is None


def test_A15_an_export_of_chosen_users_goes_on_after_the_proof(
    superuser: StaffClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [make_user(superuser.app) for _n in range(3)]
    move_clock(monkeypatch, timedelta(minutes=16))

    question = superuser.post("/admin/users/act/", action="export_csv", user=ids)
    export = prove_and_continue(superuser.client, question)

    assert export.mimetype == "text/csv"
    assert len(export.text.splitlines()) == 4


def test_A15_passwords_are_typed_again_after_the_proof(superuser: StaffClient, monkeypatch: pytest.MonkeyPatch) -> None:
    path = f"/admin/users/{make_user(superuser.app)}/password/"
    move_clock(monkeypatch, timedelta(minutes=16))

    question = superuser.post(path, password1=NEW_PASSWORD, password2=NEW_PASSWORD)
    following = submit_shown_form(superuser.client, question, password=PASSWORD)

    assert NEW_PASSWORD not in question.text
    assert following.headers["Location"] == path
    assert superuser.post(path, password1=NEW_PASSWORD, password2=NEW_PASSWORD).status_code == 303


def test_A15_a_proof_counts_only_for_its_session(superuser: StaffClient, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = make_user(superuser.app), make_user(superuser.app)
    other = sign_in_with_cookies(superuser.app, superuser.id)
    move_clock(monkeypatch, timedelta(minutes=16))
    prove_and_continue(superuser.client, superuser.post(f"/admin/users/{first}/delete/"))

    assert other.post(f"/admin/users/{second}/delete/").status_code == 403
    assert superuser.post(f"/admin/users/{second}/delete/").status_code == 303


def test_A15_what_changes_permissions_or_access_requires_a_recent_proof(
    superuser: StaffClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    user_id, member = make_user(superuser.app), make_user(superuser.app)
    superuser.post("/admin/groups/new/", name="Payments", permissions=permission_id(superuser.app, "view_user"))
    group_id = fetch_number(superuser.app, "SELECT max(id) FROM groups")
    group, user = f"/admin/groups/{group_id}/", f"/admin/users/{user_id}/"
    email = str(stored_value(superuser.app, member, "email"))
    assert superuser.post(f"{group}members/", email=email).status_code == 303
    forms = {
        group: {**superuser.form(group), "requires_second_step": "true"},
        "/admin/groups/new/": {"name": "Others"},
        f"{group}members/": {"email": str(stored_value(superuser.app, user_id, "email"))},
        f"{group}members/remove/": {"user": member},
        f"{group}delete/": {},
        user: {**superuser.form(user), "email": "someone.else@example.com"},
        f"{user}access/": {**superuser.form(f"{user}access/"), "groups": group_id},
        "/admin/users/act/": {"action": "deactivate", "user": user_id, "confirmed": "1"},
    }
    names = superuser.form(user)
    before = fetch_rows(superuser.app, STATE)
    move_clock(monkeypatch, timedelta(minutes=16))

    responses = {path: superuser.post(path, **form) for path, form in forms.items()}

    assert {path: response.status_code for path, response in responses.items()} == dict.fromkeys(forms, 403)
    assert fetch_rows(superuser.app, STATE) == before
    assert superuser.post(user, **{**names, "first_name": "Wren"}).status_code == 303
    assert prove_and_continue(superuser.client, responses[group]).status_code == 303
    assert fetch_number(superuser.app, "SELECT count(*) FROM groups WHERE requires_second_step") == 1


#: What the forms of the test above would change.
STATE = """
    SELECT u.id, u.email, u.is_active, g.name, g.requires_second_step
    FROM users u LEFT JOIN user_groups m ON m.user_id = u.id LEFT JOIN groups g ON g.id = m.group_id
    ORDER BY u.id, g.name
"""
