"""A member of staff's own account asks for the same proof here as on the account page (A03)."""

from datetime import timedelta

import pytest
from flask import Flask

from tests.support.api_client import can_sign_in
from tests.support.email_inbox import emails_to
from tests.support.factories import PASSWORD, make_user
from tests.support.staff_client import NEW_PASSWORD, StaffClient, staff_client, stored_value
from userapi.core import clock

NEW = "new.address@example.org"


@pytest.fixture
def boss(app: Flask) -> StaffClient:
    return staff_client(app, is_staff=True, is_superuser=True)


@pytest.mark.parametrize("own_password", ["", "not my password at all"])
def test_ones_own_password_needs_the_current_one_however_fresh_the_sign_in(
    boss: StaffClient, own_password: str
) -> None:
    path = f"/admin/users/{boss.id}/password/"
    change = {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD}

    shown = boss.get(path)
    refused = boss.post(path, **change, own_password=own_password)

    assert 'id="own_password"' in shown.text
    assert refused.status_code == 400
    assert 'href="#own_password"' in refused.text
    assert not can_sign_in(boss.app, boss.email, NEW_PASSWORD)

    assert boss.post(path, **change, own_password=PASSWORD).status_code == 303
    assert can_sign_in(boss.app, boss.email, NEW_PASSWORD)
    assert boss.get("/admin/").status_code == 200


@pytest.mark.parametrize("own_password", ["", "not my password at all"])
def test_ones_own_email_needs_the_current_password_and_a_confirmation(boss: StaffClient, own_password: str) -> None:
    path = f"/admin/users/{boss.id}/"
    form = {**boss.form(path), "email": NEW}

    refused = boss.post(path, **{**form, "own_password": own_password})

    assert refused.status_code == 400
    assert 'href="#own_password"' in refused.text
    assert (stored_value(boss.app, boss.id, "email"), stored_value(boss.app, boss.id, "pending_email")) == (
        boss.email,
        None,
    )

    saved = boss.post(path, **{**form, "own_password": PASSWORD})
    assert saved.status_code == 303
    assert f"To confirm your new email, use the link that we sent to {NEW}." in boss.get(saved.headers["Location"]).text
    assert (stored_value(boss.app, boss.id, "email"), stored_value(boss.app, boss.id, "pending_email")) == (
        boss.email,
        NEW,
    )
    assert [letter.kind for letter in emails_to(boss.app, NEW)] == ["confirm_new_email"]


def test_ones_own_name_needs_no_password(boss: StaffClient, monkeypatch: pytest.MonkeyPatch) -> None:
    later = clock.now() + timedelta(minutes=16)
    monkeypatch.setattr(clock, "now", lambda: later)
    path = f"/admin/users/{boss.id}/"

    assert boss.post(path, **{**boss.form(path), "first_name": "Robin"}).status_code == 303
    assert stored_value(boss.app, boss.id, "first_name") == "Robin"


def test_the_email_of_others_still_changes_without_ones_own_password(boss: StaffClient) -> None:
    user_id = make_user(boss.app)
    path = f"/admin/users/{user_id}/"

    shown = boss.get(path)
    saved = boss.post(path, **{**boss.form(path), "email": NEW})

    assert 'id="own_password"' not in shown.text
    assert saved.status_code == 303
    assert stored_value(boss.app, user_id, "email") == NEW


def test_the_last_active_superuser_sees_why_they_cannot_be_deleted(boss: StaffClient) -> None:
    """F22."""
    path = f"/admin/users/{boss.id}/delete/"

    alone = boss.get(path)
    refused = boss.post(path)
    make_user(boss.app, is_staff=True, is_superuser=True)
    with_another = boss.get(path)

    assert "This is the last active superuser." in alone.text
    assert ">Delete user<" not in alone.text
    assert refused.status_code == 409
    assert ">Delete user<" not in refused.text
    assert ">Delete user<" in with_another.text
