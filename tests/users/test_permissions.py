"""Which callers may do what to which users."""

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from tests.support.api_client import ApiUser
from tests.support.factories import PROFILE, make_user, new_user
from userapi.core.db import db

LIST = "/userapi/users/"
UNUSED_ID = 987_654_321


def shown(staff: ApiUser, make_api_user: ApiUser) -> dict[str, Any]:
    """A user as shown to staff."""
    document: dict[str, Any] = staff.get(make_api_user.url).get_json()
    return document


def set_flags(app: Flask, user_id: int, **flags: bool) -> None:
    """Change a user directly in the database."""
    with app.app_context():
        for name, value in flags.items():
            db.session.execute(
                sa.text(f"UPDATE users SET {name} = :value WHERE id = :id"), {"value": value, "id": user_id}
            )
        db.session.commit()


def test_Z02_only_staff_can_list_users(client: FlaskClient, user: ApiUser, staff: ApiUser) -> None:
    assert client.get(LIST).status_code == 401
    assert user.get(LIST).status_code == 403
    assert staff.get(LIST).status_code == 200


def test_Z03_only_the_owner_and_staff_can_read_and_change_a_user(
    user: ApiUser, other_user: ApiUser, staff: ApiUser
) -> None:
    before = shown(staff, user)
    whole = before | {"first_name": "Taken"}

    rejections = [
        other_user.get(user.url),
        other_user.patch(user.url, json={"first_name": "Taken"}),
        other_user.put(user.url, json=whole),
    ]

    assert [rejection.status_code for rejection in rejections] == [403, 403, 403]
    assert not any(user.email in rejection.text for rejection in rejections)
    assert shown(staff, user) == before
    assert user.patch(user.url, json={"first_name": "Own"}).status_code == 200
    assert staff.patch(user.url, json={"first_name": "Kept"}).status_code == 200
    assert shown(staff, user)["first_name"] == "Kept"


def test_Z04_only_staff_can_delete_users(
    client: FlaskClient, user: ApiUser, other_user: ApiUser, staff: ApiUser
) -> None:
    assert client.delete(user.url).status_code == 401
    assert other_user.delete(user.url).status_code == 403
    assert user.delete(user.url).status_code == 403
    assert user.get(user.url).status_code == 200

    assert staff.delete(user.url).status_code == 204


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_Z05_responses_do_not_reveal_which_ids_exist(user: ApiUser, other_user: ApiUser, method: str) -> None:
    used = user.open(other_user.url, method=method, json={})
    unused = user.open(f"{LIST}{UNUSED_ID}/", method=method, json={})

    assert used.status_code == unused.status_code == 403
    assert used.get_json() == unused.get_json()


def test_Z05_anonymous_callers_do_not_learn_which_ids_exist_either(client: FlaskClient, user: ApiUser) -> None:
    used, unused = client.get(user.url), client.get(f"{LIST}{UNUSED_ID}/")

    assert used.status_code == unused.status_code == 401
    assert used.get_json() == unused.get_json()


def test_Z12_permissions_are_checked_with_every_request(app: Flask, staff: ApiUser) -> None:
    assert staff.get(LIST).status_code == 200

    set_flags(app, staff.id, is_staff=False)

    assert staff.get(LIST).status_code == 403


def test_Z12_a_promotion_needs_no_new_token(superuser: ApiUser, user: ApiUser) -> None:
    assert user.get(LIST).status_code == 403

    superuser.patch(user.url, json={"is_staff": True})

    assert user.get(LIST).status_code == 200


@pytest.mark.parametrize("flag", ["is_staff", "is_superuser"])
@pytest.mark.parametrize("whom", ["themselves", "others"])
def test_Z13_staff_cannot_create_staff_or_superusers(
    staff: ApiUser, user: ApiUser, superuser: ApiUser, flag: str, whom: str
) -> None:
    target = staff if whom == "themselves" else user
    wanted = not shown(superuser, target)[flag]

    rejected = staff.patch(target.url, json={flag: wanted})

    assert rejected.status_code == 400
    assert list(rejected.get_json()["errors"]) == [flag]
    assert shown(superuser, target)[flag] is not wanted
    assert superuser.patch(target.url, json={flag: wanted}).status_code == 200
    assert shown(superuser, target)[flag] is wanted


def test_Z13_staff_cannot_change_a_superuser(
    staff: ApiUser, superuser: ApiUser, make_api_user: Callable[..., ApiUser]
) -> None:
    other = make_api_user(is_staff=True, is_superuser=True)
    before = shown(superuser, other)

    rejections = [
        staff.patch(other.url, json={"first_name": "Changed"}),
        staff.put(other.url, json=before | {"first_name": "Changed"}),
        staff.delete(other.url),
    ]

    assert [rejection.status_code for rejection in rejections] == [403, 403, 403]
    assert shown(superuser, other) == before
    assert staff.get(other.url).status_code == 200
    assert superuser.patch(other.url, json={"first_name": "Changed"}).status_code == 200
    assert superuser.delete(other.url).status_code == 204


def test_Z13_staff_cannot_change_staff_with_more_permissions(
    app: Flask, staff: ApiUser, superuser: ApiUser, make_api_user: Callable[..., ApiUser]
) -> None:
    staff_member = make_api_user(is_staff=True)
    assert staff.patch(staff_member.url, json={"first_name": "Ada"}).status_code == 200
    with app.app_context():
        db.session.execute(
            sa.text("INSERT INTO user_permissions SELECT :id, id FROM permissions WHERE codename = 'delete_group'"),
            {"id": staff_member.id},
        )
        db.session.commit()

    for response in (
        staff.patch(staff_member.url, json={"email": "mine@example.com"}),
        staff.put(staff_member.url, json=shown(superuser, staff_member) | {"email": "mine@example.com"}),
        staff.delete(staff_member.url),
    ):
        assert (response.status_code, response.get_json()["code"]) == (403, "permission_denied")

    assert staff_member.patch(staff_member.url, json={"first_name": "Eve"}).status_code == 200
    assert superuser.patch(staff_member.url, json={"first_name": "Ada"}).status_code == 200


def test_Z13_staff_cannot_deactivate_themselves(staff: ApiUser, user: ApiUser) -> None:
    assert staff.patch(staff.url, json={"is_active": False}).status_code == 400
    assert staff.get(staff.url).get_json()["is_active"] is True

    assert staff.patch(user.url, json={"is_active": False}).status_code == 200


def test_staff_change_an_email_immediately(staff: ApiUser, user: ApiUser) -> None:
    response = staff.patch(user.url, json={"email": "given@example.com"})

    assert response.status_code == 200
    assert response.get_json()["email"] == "given@example.com"
    assert response.get_json()["pending_email"] is None


def test_Z14_owner_and_staff_see_the_same_fields_and_no_secret(user: ApiUser, staff: ApiUser) -> None:
    (listed,) = [row for row in staff.get(LIST).get_json()["results"] if row["id"] == user.id]

    own = user.get(user.url).get_json()

    assert own == shown(staff, user) == listed
    assert {**own, "has_password": True} == user.get("/userapi/auth/user/").get_json()
    assert list(own) == [
        "url", "id", "email", "username", "first_name", "last_name", "profile", "is_active", "is_staff",
        "is_superuser", "email_verified", "pending_email", "language", "date_joined", "last_login",
    ]  # fmt: skip
    assert list(own["profile"]) == ["title", "dob", "address", "country", "city", "zip"]


def test_Z15_parameters_cannot_select_another_user(user: ApiUser, other_user: ApiUser, staff: ApiUser) -> None:
    for name in ("user", "id", "user_id", "email", "pk", "sub"):
        value = other_user.email if name == "email" else str(other_user.id)

        me = user.get("/userapi/auth/user/", query_string={name: value})
        sessions = user.get("/userapi/auth/sessions/", query_string={name: value})

        assert me.get_json()["id"] == user.id, name
        assert len(sessions.get_json()["results"]) == 1, name
    assert staff.get("/userapi/auth/user/", query_string={"id": user.id}).get_json()["id"] == staff.id


LOSSES: dict[str, Callable[[ApiUser, ApiUser], Any]] = {
    "deleted": lambda by, whom: by.delete(whom.url),
    "deactivated": lambda by, whom: by.patch(whom.url, json={"is_active": False}),
    "demoted": lambda by, whom: by.patch(whom.url, json={"is_superuser": False}),
}


@pytest.mark.parametrize("loss", LOSSES)
def test_Z16_the_last_active_superuser_cannot_be_removed(
    superuser: ApiUser, make_api_user: Callable[..., ApiUser], loss: str
) -> None:
    rejected = LOSSES[loss](superuser, superuser)

    assert rejected.status_code == 409
    assert rejected.get_json()["code"] == "last_superuser"
    assert superuser.get(superuser.url).get_json()["is_superuser"] is True
    other = make_api_user(is_staff=True, is_superuser=True)
    assert LOSSES[loss](superuser, other).status_code in (200, 204)


def test_Z16_a_deactivated_superuser_does_not_count(app: Flask, superuser: ApiUser) -> None:
    idle = make_user(app, is_staff=True, is_superuser=True)
    set_flags(app, idle, is_active=False)

    assert superuser.delete(superuser.url).status_code == 409
    assert superuser.patch(f"{LIST}{idle}/", json={"is_active": True}).status_code == 200
    assert superuser.delete(superuser.url).status_code == 204


def test_Z16_the_last_superuser_may_change_everything_else(superuser: ApiUser) -> None:
    own = superuser.get(superuser.url).get_json()

    assert superuser.put(superuser.url, json=own | {"last_name": "Else"}).status_code == 200


def test_V20_permission_is_checked_before_existence_and_input(
    client: FlaskClient, user: ApiUser, other_user: ApiUser, staff: ApiUser
) -> None:
    broken = {"json": {"email": 5, "surprise": True}}

    assert client.put(user.url, **broken).status_code == 401
    assert client.put(f"{LIST}{UNUSED_ID}/", **broken).status_code == 401
    assert client.put(user.url, data=b"{", content_type="text/plain").status_code == 401
    assert other_user.put(user.url, **broken).status_code == 403
    assert other_user.put(f"{LIST}{UNUSED_ID}/", **broken).status_code == 403
    assert staff.put(f"{LIST}{UNUSED_ID}/", **broken).status_code == 404
    assert staff.put(user.url, **broken, headers={"If-Match": '"stale"'}).status_code == 412
    assert staff.put(user.url, **broken).status_code == 400


def test_G07_registering_with_a_token_creates_an_ordinary_account(superuser: ApiUser) -> None:
    response = superuser.post(LIST, json=new_user())

    assert response.status_code == 201
    made = response.get_json()
    assert made["id"] != superuser.id
    assert (made["is_staff"], made["is_superuser"], made["email_verified"]) == (False, False, False)
    assert superuser.post(LIST, json=new_user(is_staff=True)).status_code == 400


def test_the_profile_of_a_user_without_one_is_null(staff: ApiUser, make_api_user: Callable[..., ApiUser]) -> None:
    bare = make_api_user(profile=None)

    assert shown(staff, bare)["profile"] is None
    assert shown(staff, staff)["profile"] == PROFILE
