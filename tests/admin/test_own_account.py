"""Changing your own account on the staff site requires the same password check as on the account page (A03)."""

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
def superuser(app: Flask) -> StaffClient:
    return staff_client(app, is_staff=True, is_superuser=True)


@pytest.mark.parametrize("own_password", ["", "not my password at all"])
def test_changing_your_own_password_always_requires_the_current_one(superuser: StaffClient, own_password: str) -> None:
    path = f"/admin/users/{superuser.id}/password/"
    change = {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD}

    shown = superuser.get(path)
    rejected = superuser.post(path, **change, own_password=own_password)

    assert 'id="own_password"' in shown.text
    assert rejected.status_code == 400
    assert 'href="#own_password"' in rejected.text
    assert not can_sign_in(superuser.app, superuser.email, NEW_PASSWORD)

    assert superuser.post(path, **change, own_password=PASSWORD).status_code == 303
    assert can_sign_in(superuser.app, superuser.email, NEW_PASSWORD)
    assert superuser.get("/admin/").status_code == 200


@pytest.mark.parametrize("own_password", ["", "not my password at all"])
def test_changing_your_own_email_requires_the_current_password_and_a_confirmation(
    superuser: StaffClient, own_password: str
) -> None:
    path = f"/admin/users/{superuser.id}/"
    form = {**superuser.form(path), "email": NEW}

    rejected = superuser.post(path, **{**form, "own_password": own_password})

    assert rejected.status_code == 400
    assert 'href="#own_password"' in rejected.text
    assert (
        stored_value(superuser.app, superuser.id, "email"),
        stored_value(superuser.app, superuser.id, "pending_email"),
    ) == (
        superuser.email,
        None,
    )

    saved = superuser.post(path, **{**form, "own_password": PASSWORD})
    assert saved.status_code == 303
    assert (
        f"To confirm your new email, use the link that we sent to {NEW}."
        in superuser.get(saved.headers["Location"]).text
    )
    assert (
        stored_value(superuser.app, superuser.id, "email"),
        stored_value(superuser.app, superuser.id, "pending_email"),
    ) == (
        superuser.email,
        NEW,
    )
    assert [email.kind for email in emails_to(superuser.app, NEW)] == ["confirm_new_email"]


def test_changing_your_own_name_requires_no_password(superuser: StaffClient, monkeypatch: pytest.MonkeyPatch) -> None:
    later = clock.now() + timedelta(minutes=16)
    monkeypatch.setattr(clock, "now", lambda: later)
    path = f"/admin/users/{superuser.id}/"

    assert superuser.post(path, **{**superuser.form(path), "first_name": "Robin"}).status_code == 303
    assert stored_value(superuser.app, superuser.id, "first_name") == "Robin"


def test_changing_the_email_of_others_requires_no_password(superuser: StaffClient) -> None:
    user_id = make_user(superuser.app)
    path = f"/admin/users/{user_id}/"

    shown = superuser.get(path)
    saved = superuser.post(path, **{**superuser.form(path), "email": NEW})

    assert 'id="own_password"' not in shown.text
    assert saved.status_code == 303
    assert stored_value(superuser.app, user_id, "email") == NEW


def test_the_last_active_superuser_sees_why_they_cannot_be_deleted(superuser: StaffClient) -> None:
    """F22."""
    path = f"/admin/users/{superuser.id}/delete/"

    alone = superuser.get(path)
    rejected = superuser.post(path)
    make_user(superuser.app, is_staff=True, is_superuser=True)
    with_another = superuser.get(path)

    assert "This is the last active superuser." in alone.text
    assert ">Delete user<" not in alone.text
    assert rejected.status_code == 409
    assert ">Delete user<" not in rejected.text
    assert ">Delete user<" in with_another.text
