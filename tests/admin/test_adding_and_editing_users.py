"""Users that staff add and edit, also when two of them edit the same user."""

import pytest
from flask import Flask

from tests.support.factories import make_user
from tests.support.staff_client import NEW_PASSWORD, StaffClient, sign_in_with_cookies, staff_client, stored_value

pytestmark = pytest.mark.both

ADD = "/admin/users/new/"


@pytest.fixture
def superuser(app: Flask) -> StaffClient:
    return staff_client(app, is_staff=True, is_superuser=True)


def test_adding_a_user_requires_a_matching_password_under_the_policy(superuser: StaffClient) -> None:
    twice = {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD}
    weak = superuser.post(ADD, email="new@example.com", password1="password1", password2="password1")
    differing = superuser.post(ADD, email="new@example.com", **{**twice, "password2": "x"})
    in_use = superuser.post(ADD, email=superuser.email.upper(), **twice)
    no_address = superuser.post(ADD, email="new", **twice)

    assert [response.status_code for response in (weak, differing, in_use, no_address)] == [400] * 4
    assert "most common passwords" in weak.text
    assert "The two passwords do not match." in differing.text
    assert "already in use" in in_use.text
    assert "password1" not in weak.text.replace('name="password1"', "").replace('"password1', "").replace(
        "#password1", ""
    )

    added = superuser.post(ADD, email="new@example.com", **twice)

    assert added.status_code == 303
    assert superuser.get(added.headers["Location"]).status_code == 200
    user_id = int(added.headers["Location"].rstrip("/").rpartition("/")[2])
    assert sign_in_with_cookies(superuser.app, user_id, NEW_PASSWORD).email == "new@example.com"


def test_adding_a_user_shows_every_error(superuser: StaffClient) -> None:
    page = superuser.post(ADD, email="new", password1="12345678", password2="x")

    assert page.status_code == 400
    for message in (
        "An email address must have an @-sign.",
        "Contains only digits.",
        "The two passwords do not match.",
    ):
        assert message in page.text


def test_A13_a_change_is_saved_and_logged_field_by_field(superuser: StaffClient) -> None:
    user_id = make_user(superuser.app, first_name="Zoe")
    path = f"/admin/users/{user_id}/"

    response = superuser.post(path, **{**superuser.form(path), "first_name": "Zoë", "profile.city": "Bristol"})

    assert response.status_code == 303
    audit_log = superuser.get(f"{path}history/").text
    assert "<del>Zoe</del>" in audit_log
    assert "<ins>Zoë</ins>" in audit_log
    assert "<dt>profile.city</dt><dd><del>Bath</del>" in audit_log
    assert superuser.email in audit_log
    assert "profile.zip" not in audit_log


def test_saving_an_unchanged_form_changes_nothing(superuser: StaffClient) -> None:
    user_id = make_user(superuser.app)
    path = f"/admin/users/{user_id}/"

    assert superuser.post(path, **superuser.form(path)).status_code == 303

    assert "user.changed" not in superuser.get(f"{path}history/").text


def test_a_profile_is_optional_until_one_of_its_fields_is_filled_in(superuser: StaffClient) -> None:
    user_id = make_user(superuser.app, profile=None)
    path = f"/admin/users/{user_id}/"
    form = superuser.form(path)
    whole = {
        "title": "Dr",
        "dob": "1980-02-29",
        "address": "1 Main St",
        "country": "Peru",
        "city": "Lima",
        "zip": "15001",
    }

    assert superuser.post(path, **{**form, "first_name": "Only"}).status_code == 303
    half = superuser.post(path, **{**superuser.form(path), "profile.city": "Lima"})
    assert (
        superuser.post(path, **{**superuser.form(path), **{f"profile.{k}": v for k, v in whole.items()}}).status_code
        == 303
    )
    emptied = superuser.post(path, **{**superuser.form(path), "profile.city": ""})

    assert half.status_code == 400
    assert 'id="profile-dob-error"' in half.text
    assert 'value="Lima"' in half.text
    assert emptied.status_code == 400


def test_two_editors_of_a_user_do_not_overwrite_each_other(superuser: StaffClient) -> None:
    second = staff_client(superuser.app, is_staff=True, is_superuser=True)
    user_id = make_user(superuser.app, first_name="Before")
    path = f"/admin/users/{user_id}/"
    mine, theirs = superuser.form(path), second.form(path)

    assert second.post(path, **{**theirs, "first_name": "Theirs"}).status_code == 303
    conflict = superuser.post(path, **{**mine, "last_name": "Mine"})

    assert conflict.status_code == 409
    assert "Someone else changed this user" in conflict.text
    assert "Theirs" in conflict.text
    assert (stored_value(superuser.app, user_id, "first_name"), stored_value(superuser.app, user_id, "last_name")) == (
        "Theirs",
        "Okafor",
    )


def test_saving_after_a_conflict_keeps_the_changes_of_the_other_editor(superuser: StaffClient) -> None:
    second = staff_client(superuser.app, is_staff=True, is_superuser=True)
    user_id = make_user(superuser.app, first_name="Before")
    path = f"/admin/users/{user_id}/"
    mine = superuser.form(path)
    second.post(path, **{**second.form(path), "first_name": "Theirs"})
    conflict = superuser.post(path, **{**mine, "last_name": "Mine"})

    saved = superuser.post(path, **superuser.fields(conflict.text))

    assert saved.status_code == 303
    assert (stored_value(superuser.app, user_id, "first_name"), stored_value(superuser.app, user_id, "last_name")) == (
        "Theirs",
        "Mine",
    )


def test_a_sign_in_during_editing_is_no_conflict(superuser: StaffClient) -> None:
    user_id = make_user(superuser.app)
    path = f"/admin/users/{user_id}/"
    form = superuser.form(path)
    sign_in_with_cookies(superuser.app, user_id)

    assert superuser.post(path, **{**form, "last_name": "Mine"}).status_code == 303
