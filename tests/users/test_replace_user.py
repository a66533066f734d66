"""Replacing a user (PUT)."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.api_client import ApiUser
from tests.support.factories import PASSWORD, PROFILE


def flat(document: dict[str, Any]) -> dict[str, str]:
    """A user as form fields."""
    fields = {name: value for name, value in document.items() if name != "profile"}
    fields |= {f"profile.{name}": value for name, value in document["profile"].items()}
    return {name: "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
            for name, value in fields.items()}  # fmt: skip


def test_PUT_replaces_names_and_profile(user: ApiUser) -> None:
    profile = PROFILE | {"city": "Wells", "dob": "2000-02-29"}

    response = user.put(user.url, json={"email": user.email, "first_name": "Ada", "profile": profile})

    assert response.status_code == 200
    assert response.get_json()["first_name"] == "Ada"
    assert response.get_json()["profile"] == profile
    assert user.get(user.url).get_json() == response.get_json()


def test_V14_PUT_requires_every_required_field_but_the_password(user: ApiUser) -> None:
    nothing = user.put(user.url, json={})
    part = user.put(user.url, json={"email": user.email, "profile": {"city": "Bath"}})
    whole = user.put(user.url, json={"email": user.email, "profile": PROFILE})

    assert nothing.status_code == part.status_code == 400
    assert set(nothing.get_json()["errors"]) == {"email", "profile"}
    assert set(part.get_json()["errors"]["profile"]) == {"title", "dob", "address", "country", "zip"}
    assert whole.status_code == 200


@pytest.mark.parametrize("address", ["users", "me"])
@pytest.mark.parametrize("media", ["json", "form"])
def test_V18_a_response_to_GET_can_be_PUT_back_unchanged(user: ApiUser, address: str, media: str) -> None:
    url = user.url if address == "users" else "/userapi/auth/user/"
    user.patch(url, json={"username": "ada", "email": "waiting@example.com", "current_password": PASSWORD})
    before = user.get(url)
    body: dict[str, Any] = {"json": before.get_json()} if media == "json" else {"data": flat(before.get_json())}

    after = user.put(url, **body)

    assert after.status_code == 200, after.text
    assert after.data == before.data
    assert after.headers["ETag"] == before.headers["ETag"]


@pytest.mark.parametrize("caller", ["owner", "staff", "superuser"])
def test_V18_a_user_without_a_profile_can_be_PUT_back(
    make_api_user: Callable[..., ApiUser], staff: ApiUser, superuser: ApiUser, caller: str
) -> None:
    bare = make_api_user(profile=None)
    by = {"owner": bare, "staff": staff, "superuser": superuser}[caller]
    before = by.get(bare.url).get_json()

    after = by.put(bare.url, json=before)

    assert after.status_code == 200
    assert after.get_json() == before


def test_V18_even_a_superuser_can_be_PUT_back(superuser: ApiUser) -> None:
    before = superuser.get(superuser.url).get_json()

    assert superuser.put(superuser.url, json=before).get_json() == before


def test_P13_PUT_rejects_a_password(user: ApiUser) -> None:
    whole = user.get(user.url).get_json()

    response = user.put(user.url, json=whole | {"password": "another good 7 phrase"})

    assert response.status_code == 400
    assert list(response.get_json()["errors"]) == ["password"]
