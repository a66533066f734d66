"""Accounts that staff add, and what they change of them, two of them at once as well."""

import pytest
from flask import Flask

from tests.support.factories import make_user
from tests.support.staff_client import NEW_PASSWORD, StaffClient, sign_in_with_cookies, staff_client, stored_value

pytestmark = pytest.mark.both

ADD = "/admin/users/new/"


@pytest.fixture
def boss(app: Flask) -> StaffClient:
    return staff_client(app, is_staff=True, is_superuser=True)


def test_adding_takes_two_steps_and_the_password_policy(boss: StaffClient) -> None:
    twice = {"access": "password", "password1": NEW_PASSWORD, "password2": NEW_PASSWORD}
    weak = boss.post(ADD, email="new@example.com", access="password", password1="password1", password2="password1")
    differing = boss.post(ADD, email="new@example.com", **{**twice, "password2": "x"})
    taken = boss.post(ADD, email=boss.email.upper(), **twice)
    no_address = boss.post(ADD, email="new", **twice)

    assert [answer.status_code for answer in (weak, differing, taken, no_address)] == [400] * 4
    assert "most common passwords" in weak.text
    assert "The two passwords do not match." in differing.text
    assert "already in use" in taken.text
    assert "password1" not in weak.text.replace('name="password1"', "").replace('"password1', "").replace(
        "#password1", ""
    )

    added = boss.post(ADD, email="new@example.com", **twice)

    assert added.status_code == 303
    assert boss.get(added.headers["Location"]).status_code == 200
    user_id = int(added.headers["Location"].rstrip("/").rpartition("/")[2])
    assert sign_in_with_cookies(boss.app, user_id, NEW_PASSWORD).email == "new@example.com"


def test_adding_names_every_field_that_is_wrong(boss: StaffClient) -> None:
    page = boss.post(ADD, email="new", access="password", password1="12345678", password2="x")

    assert page.status_code == 400
    for message in (
        "An email address must have an @-sign.",
        "Contains only digits.",
        "The two passwords do not match.",
    ):
        assert message in page.text


def test_A13_a_change_is_saved_and_told_field_by_field(boss: StaffClient) -> None:
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


def test_a_form_sent_back_untouched_changes_nothing(boss: StaffClient) -> None:
    user_id = make_user(boss.app)
    path = f"/admin/users/{user_id}/"

    assert boss.post(path, **boss.form(path)).status_code == 303

    assert "user.changed" not in boss.get(f"{path}history/").text


def test_a_profile_is_optional_until_something_of_it_is_filled_in(boss: StaffClient) -> None:
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


def test_two_who_edit_one_user_do_not_overwrite_each_other(boss: StaffClient) -> None:
    second = staff_client(boss.app, is_staff=True, is_superuser=True)
    user_id = make_user(boss.app, first_name="Before")
    path = f"/admin/users/{user_id}/"
    mine, theirs = boss.form(path), second.form(path)

    assert second.post(path, **{**theirs, "first_name": "Theirs"}).status_code == 303
    clash = boss.post(path, **{**mine, "last_name": "Mine"})

    assert clash.status_code == 409
    assert "Someone else changed this user" in clash.text
    assert "Theirs" in clash.text
    assert (stored_value(boss.app, user_id, "first_name"), stored_value(boss.app, user_id, "last_name")) == (
        "Theirs",
        "Okafor",
    )


def test_who_saves_after_a_clash_keeps_what_the_other_has_changed(boss: StaffClient) -> None:
    second = staff_client(boss.app, is_staff=True, is_superuser=True)
    user_id = make_user(boss.app, first_name="Before")
    path = f"/admin/users/{user_id}/"
    mine = boss.form(path)
    second.post(path, **{**second.form(path), "first_name": "Theirs"})
    clash = boss.post(path, **{**mine, "last_name": "Mine"})

    saved = boss.post(path, **boss.fields(clash.text))

    assert saved.status_code == 303
    assert (stored_value(boss.app, user_id, "first_name"), stored_value(boss.app, user_id, "last_name")) == (
        "Theirs",
        "Mine",
    )


def test_a_sign_in_between_is_no_clash(boss: StaffClient) -> None:
    user_id = make_user(boss.app)
    path = f"/admin/users/{user_id}/"
    form = boss.form(path)
    sign_in_with_cookies(boss.app, user_id)

    assert boss.post(path, **{**form, "last_name": "Mine"}).status_code == 303
