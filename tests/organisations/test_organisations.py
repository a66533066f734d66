"""Organisations with members and roles, as an extension outside the core."""

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import jwt
import pytest
import sqlalchemy as sa
from flask import Flask
from organisations import queries

from tests.organisations.conftest import Found, Invite
from tests.support.api_client import ApiUser, sign_in
from tests.support.race import run_simultaneously
from tests.support.sql import execute_sql
from tests.support.staff_client import staff_client
from userapi.core.db import db

Join = Callable[..., None]


def rows(app: Flask, table: str) -> int:
    with app.app_context():
        return int(db.session.scalar(sa.text(f"SELECT count(*) FROM organisations_{table}")) or 0)


def actions(app: Flask) -> list[str]:
    with app.app_context():
        found = db.session.scalars(
            sa.text("SELECT action FROM audit_events WHERE action LIKE 'organisations%' ORDER BY id")
        )
        return list(found)


@pytest.mark.both
def test_the_creator_of_an_organisation_is_its_owner(app: Flask, user: ApiUser, other_user: ApiUser) -> None:
    created = user.post("/userapi/organisations/", json={"name": " Example Ltd "})
    document = created.get_json()

    assert (created.status_code, document["name"], document["role"]) == (201, "Example Ltd", "owner")
    assert user.get("/userapi/organisations/").get_json() == [document]
    assert user.get(f"/userapi/organisations/{document['id']}/").get_json() == document
    assert other_user.get("/userapi/organisations/").get_json() == []
    assert actions(app) == ["organisations.created"]


@pytest.mark.parametrize("name", ["", "   ", "x" * 101, "a\x00b", "a\u202eb", 7])
def test_a_name_is_one_visible_line(user: ApiUser, name: Any) -> None:
    response = user.post("/userapi/organisations/", json={"name": name})

    assert (response.status_code, list(response.get_json()["errors"])) == (400, ["name"])


def test_users_who_are_not_members_learn_nothing(user: ApiUser, other_user: ApiUser, found: Found) -> None:
    number = found(user)
    for method, path, body in (
        ("GET", "", None), ("PATCH", "", {"name": "x"}), ("GET", "members/", None), ("GET", "invitations/", None),
        ("POST", "invitations/", {"email": "a@example.com"}), ("DELETE", f"members/{user.id}/", None),
        ("PATCH", f"members/{user.id}/", {"role": "member"}),
    ):  # fmt: skip
        outsider = other_user.open(f"/userapi/organisations/{number}/{path}", method=method, json=body)
        missing = other_user.open(f"/userapi/organisations/{number + 1}/{path}", method=method, json=body)
        assert (outsider.status_code, outsider.get_json()) == (404, missing.get_json())


@pytest.mark.parametrize(
    ("role", "method", "path", "body", "status"),
    [
        ("member", "GET", "members/", None, 200),
        ("member", "GET", "invitations/", None, 403),
        ("member", "POST", "invitations/", {"email": "new@example.com"}, 403),
        ("member", "PATCH", "", {"name": "Other"}, 403),
        ("member", "DELETE", "members/{owner}/", None, 403),
        ("member", "DELETE", "members/{me}/", None, 204),
        ("admin", "POST", "invitations/", {"email": "new@example.com"}, 201),
        ("admin", "POST", "invitations/", {"email": "new@example.com", "role": "admin"}, 403),
        ("admin", "PATCH", "members/{me}/", {"role": "owner"}, 403),
        ("admin", "DELETE", "members/{owner}/", None, 403),
        ("owner", "PATCH", "members/{owner}/", {"role": "member"}, 200),
        ("owner", "DELETE", "members/{owner}/", None, 204),
        ("owner", "PATCH", "", {"name": "Other"}, 200),
    ],
)
def test_a_role_allows_what_it_says(
    user: ApiUser,
    other_user: ApiUser,
    found: Found,
    join: Join,
    role: str,
    method: str,
    path: str,
    body: Any,
    status: int,
) -> None:
    number = found(user)
    join(user, number, other_user, role)
    path = path.format(owner=user.id, me=other_user.id)

    response = other_user.open(f"/userapi/organisations/{number}/{path}", method=method, json=body)

    assert response.status_code == status, response.text


@pytest.mark.both
def test_an_organisation_keeps_an_owner(user: ApiUser, other_user: ApiUser, found: Found, join: Join) -> None:
    number = found(user)
    join(user, number, other_user)
    me = f"/userapi/organisations/{number}/members/{user.id}/"

    for response in (user.delete(me), user.patch(me, json={"role": "admin"})):
        assert (response.status_code, response.get_json()["code"]) == (409, "owner_needed")

    assert user.get("/userapi/organisations/").get_json()[0]["role"] == "owner"


@pytest.mark.both
def test_two_owners_cannot_leave_at_the_same_time(
    user: ApiUser, other_user: ApiUser, found: Found, join: Join, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = found(user)
    join(user, number, other_user, "owner")
    path = f"/userapi/organisations/{number}/members"
    both_have_counted, count_owners = threading.Barrier(2, timeout=0.5), queries.count_owners

    def count_and_wait(organisation_id: int) -> int:
        count = count_owners(organisation_id)
        with suppress(threading.BrokenBarrierError):  # one waits for the other here, or before it counts
            both_have_counted.wait()
        return count

    monkeypatch.setattr(queries, "count_owners", count_and_wait)
    responses = run_simultaneously(
        [lambda: user.delete(f"{path}/{user.id}/"), lambda: other_user.delete(f"{path}/{other_user.id}/")]
    )

    assert sorted(response.status_code for response in responses) == [204, 409]


@pytest.mark.both
def test_the_last_owner_is_not_deleted_while_others_are_members(
    app: Flask, superuser: ApiUser, user: ApiUser, other_user: ApiUser, found: Found, join: Join
) -> None:
    shared, _own = found(user), found(user, "Alone Ltd")
    join(user, shared, other_user)

    denied = superuser.delete(f"/userapi/users/{user.id}/")
    assert (denied.status_code, denied.get_json()["code"]) == (409, "owner_needed")
    assert denied.get_json()["organisations"] == [shared]
    assert rows(app, "organisations") == 2

    user.patch(f"/userapi/organisations/{shared}/members/{other_user.id}/", json={"role": "owner"})
    assert superuser.delete(f"/userapi/users/{user.id}/").status_code == 204

    assert [organisation["id"] for organisation in other_user.get("/userapi/organisations/").get_json()] == [shared]
    assert (rows(app, "organisations"), rows(app, "memberships")) == (1, 1)


def test_access_tokens_name_the_organisations_of_the_user(app: Flask, user: ApiUser, found: Found) -> None:
    number = found(user)
    token = sign_in(app, user.email)["access_token"]
    verified = app.test_client().post("/api-token-verify/", json={"token": token})

    assert jwt.decode(token, options={"verify_signature": False})["organisations"] == {str(number): "owner"}
    assert verified.status_code == 200


def test_a_user_is_a_member_of_a_limited_number_of_organisations(
    user: ApiUser, other_user: ApiUser, found: Found, invite: Invite, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = invite(user, found(user), other_user.email)
    monkeypatch.setattr("organisations.rules.MAX_ORGANISATIONS", 1)
    found(other_user)

    created = other_user.post("/userapi/organisations/", json={"name": "Second"})
    accepted = other_user.post("/userapi/organisations/invitations/accept/", json={"token": token})

    for response in (created, accepted):
        assert (response.status_code, response.get_json()["code"]) == (409, "too_many_organisations")
    assert len(other_user.get("/userapi/organisations/").get_json()) == 1


def test_staff_see_organisations_with_their_members_and_delete_them(
    app: Flask, user: ApiUser, other_user: ApiUser, found: Found, join: Join
) -> None:
    number = found(user, "<b>Example</b>")
    join(user, number, other_user)
    helper = staff_client(app, is_staff=True, permissions=["view_organisation"])
    remover = staff_client(app, is_staff=True, permissions=["view_organisation", "delete_organisation"])

    page = helper.get("/admin/organisations/list/")

    assert page.status_code == 200, page.text
    assert all(text in page.text for text in ("&lt;b&gt;Example&lt;/b&gt;", user.email, other_user.email, "Owner"))
    assert helper.post("/admin/organisations/list/delete/", organisation=str(number)).status_code == 403
    assert staff_client(app, is_staff=True).get("/admin/organisations/list/").status_code == 403
    assert remover.post("/admin/organisations/list/delete/", organisation=str(number)).status_code == 303
    assert (rows(app, "organisations"), rows(app, "memberships")) == (0, 0)


def test_wrong_ids_on_the_staff_page_are_not_found(app: Flask) -> None:
    helper = staff_client(app, is_staff=True, permissions=["view_organisation", "delete_organisation"])
    url = "/admin/organisations/list/"

    for wrong in ("x", "", "-1", "٣", "9" * 23, str(2**63)):
        assert helper.get(url, query_string={"after": wrong}).status_code == 404
        assert helper.post(f"{url}delete/", organisation=wrong).status_code == 404


@pytest.mark.both
def test_the_id_of_a_deleted_organisation_is_not_used_again(user: ApiUser, found: Found) -> None:
    number = found(user)
    assert user.delete(f"/userapi/organisations/{number}/").status_code == 204

    assert found(user) > number


def test_deleting_an_organisation_requires_a_recent_proof(app: Flask, user: ApiUser, found: Found) -> None:
    number = found(user)
    helper = staff_client(app, is_staff=True, permissions=["delete_organisation"])
    execute_sql(app, "UPDATE login_sessions SET proved_at = '2026-01-01 00:00:00'")

    by_owner = user.delete(f"/userapi/organisations/{number}/")
    by_staff = helper.post("/admin/organisations/list/delete/", organisation=str(number))

    assert (by_owner.status_code, by_owner.get_json()["code"]) == (403, "proof_needed")
    assert (by_staff.status_code, "Confirm that it is you" in by_staff.text) == (403, True)
    assert rows(app, "organisations") == 1


def test_the_operations_are_documented_under_names_of_their_own(app: Flask) -> None:
    document = app.test_client().get("/openapi.json").get_json()

    assert document["paths"]["/userapi/organisations/invitations/accept/"]["post"]["requestBody"]["content"][
        "application/json"
    ]["schema"] == {"$ref": "#/components/schemas/OrganisationsToken"}
    assert {"Token", "OrganisationsToken"} <= set(document["components"]["schemas"])


def test_the_download_of_own_data_contains_the_organisations(user: ApiUser, found: Found) -> None:
    found(user)

    response = user.get("/userapi/auth/data/")

    assert {"organisation": "Example Ltd", "role": "owner"} in response.get_json()["extensions"]["organisations"]
