"""Staff see and revoke the API keys of a user, with the permissions for the user's sessions."""

from collections.abc import Callable

import pytest
from flask import Flask

from tests.support.api_client import ApiUser
from tests.support.api_keys import create_key
from tests.support.sql import fetch_rows
from tests.support.staff_client import StaffClient, staff_client

READER, SUPPORT = ("view_user", "view_session"), ("view_user", "view_session", "delete_session")


def page(user_id: int) -> str:
    return f"/admin/users/{user_id}/keys/"


@pytest.fixture
def support(app: Flask) -> StaffClient:
    return staff_client(app, is_staff=True, email="support@example.com", permissions=SUPPORT)


def test_staff_see_and_revoke_keys_of_a_user(app: Flask, user: ApiUser, support: StaffClient) -> None:
    first, second, third = (create_key(user, name=f"<Key {number}>", addresses=["127.0.0.0/8"]) for number in range(3))

    shown = support.get(page(user.id)).text
    response = support.post(f"{page(user.id)}{first.id}/revoke/")

    assert "&lt;Key 0&gt;" in shown
    assert f"…{first.key[-4:]}" in shown
    assert "127.0.0.0/8" in shown
    assert first.key[-46:-4] not in shown
    assert (response.status_code, response.headers["Location"]) == (303, page(user.id))
    assert (first.code, second.code) == ("token_invalid", None)
    (event,) = fetch_rows(app, "SELECT actor_id, target_id FROM audit_events WHERE action = 'api_key.revoked'")
    assert (event.actor_id, event.target_id) == (support.id, str(user.id))
    assert support.post(f"{page(user.id)}{first.id}/revoke/").status_code == 404

    assert support.post(f"{page(user.id)}revoke-all/").status_code == 303
    assert {second.code, third.code} == {"token_invalid"}
    assert "This user has no API keys." in support.get(page(user.id)).text


def test_staff_revoke_neither_without_permission_nor_from_superusers(
    app: Flask, user: ApiUser, superuser: ApiUser, support: StaffClient
) -> None:
    reader = staff_client(app, is_staff=True, email="reader@example.com", permissions=READER)
    for staff, owner in ((reader, user), (support, superuser)):
        holder = create_key(owner)

        assert "/revoke" not in staff.get(page(owner.id)).text
        assert staff.post(f"{page(owner.id)}{holder.id}/revoke/").status_code == 403
        assert staff.post(f"{page(owner.id)}revoke-all/").status_code == 403
        assert holder.code is None
    other = staff_client(app, is_staff=True, email="other@example.com", permissions=("view_user",))
    assert other.get(page(user.id)).status_code == 403
    assert page(user.id) not in other.get(f"/admin/users/{user.id}/").text


def test_without_api_keys_the_pages_of_a_user_do_not_lead_to_them(make_app: Callable[..., Flask]) -> None:
    boss = staff_client(make_app(API_KEY_MAX_LIFETIME="0"), is_staff=True, is_superuser=True)

    assert "API keys" not in boss.get(f"/admin/users/{boss.id}/").text
